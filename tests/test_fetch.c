/* test_fetch.c -- downloads, checksums, archives, the cache folder.
 *
 * Against a small HTTP server on loopback, in a thread of this test: one
 * request a connection, and each of the faults that real ones have. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/untar.h"
#include "files.h"
#include "support.h"

#if defined(SL_HAVE_CURL) && defined(SL_HAVE_ARCHIVE)

#include <archive.h>
#include <archive_entry.h>
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "data/unpack.h"

/* --- the server ----------------------------------------------------------- */

enum { MOST_BODY = 4 << 20 };

static struct {
  int listening, port;
  pthread_t thread;
  char *body;
  size_t n;
  /* faults */
  atomic_int cuts;  /* so many answers break off */
  size_t cut_after; /* bytes of the body */
  atomic_int busy;  /* so many answers are 503 */
  atomic_int no_ranges, missing;
  atomic_int slow_ms; /* between blocks */
  /* what was seen */
  atomic_int requests;
  long long first_byte; /* of the last Range, else 0 */
} server;

static void say(int fd, const char *text, size_t n) {
  while (n > 0) {
    const ssize_t done = send(fd, text, n, MSG_NOSIGNAL);
    if (done <= 0) return;
    text += done;
    n -= (size_t)done;
  }
}

static void say_head(int fd, const char *status, size_t length) {
  char head[256];
  const int n =
      snprintf(head, sizeof head,
               "HTTP/1.1 %s\r\nContent-Length: %zu\r\n"
               "Content-Range: bytes %lld-%zu/%zu\r\nConnection: close\r\n\r\n",
               status, length, server.first_byte, server.n - 1, server.n);
  say(fd, head, (size_t)n);
}

static void say_body(int fd, size_t from, size_t n) {
  enum { BLOCK = 65536 };
  for (size_t at = 0; at < n; at += BLOCK) {
    say(fd, server.body + from + at, n - at < BLOCK ? n - at : BLOCK);
    const struct timespec rest = {0, server.slow_ms * 1000000L};
    if (server.slow_ms) nanosleep(&rest, NULL);
  }
}

static void answer(int fd, const char *request) {
  const char *range = strcasestr(request, "Range: bytes=");
  server.requests++;
  server.first_byte = range && !server.no_ranges ? atoll(range + 13) : 0;
  const size_t from = (size_t)server.first_byte;
  if (server.missing) {
    say_head(fd, "404 Not Found", 0);
  } else if (server.busy > 0) {
    server.busy--;
    say_head(fd, "503 Service Unavailable", 0);
  } else if (from >= server.n) {
    say_head(fd, "416 Range Not Satisfiable", 0);
  } else {
    size_t n = server.n - from;
    say_head(fd, from ? "206 Partial Content" : "200 OK", n);
    if (server.cuts > 0 && server.cuts-- && n > server.cut_after)
      n = server.cut_after;
    say_body(fd, from, n);
  }
}

static void *serve(void *unused) {
  (void)unused;
  for (int fd; (fd = accept(server.listening, NULL, NULL)) >= 0; close(fd)) {
    char request[4096];
    size_t n = 0;
    ssize_t got;
    while (n < sizeof request - 1 &&
           (got = recv(fd, request + n, sizeof request - 1 - n, 0)) > 0) {
      n += (size_t)got;
      request[n] = 0;
      if (strstr(request, "\r\n\r\n")) break;
    }
    if (n > 0) answer(fd, request);
  }
  return NULL;
}

static void start_server(void) {
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  memset(&server, 0, sizeof server);
  server.body = malloc(MOST_BODY);
  server.listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq(bind(server.listening, (struct sockaddr *)&a, len), 0);
  ck_assert_int_eq(listen(server.listening, 8), 0);
  getsockname(server.listening, (struct sockaddr *)&a, &len);
  server.port = ntohs(a.sin_port);
  pthread_create(&server.thread, NULL, serve, NULL);
}

static void stop_server(void) {
  if (server.listening < 0) return;
  shutdown(server.listening, SHUT_RDWR); /* accept() returns */
  pthread_join(server.thread, NULL);
  close(server.listening);
  server.listening = -1;
}

static const char *url(const char *name) {
  static char text[256];
  snprintf(text, sizeof text, "http://127.0.0.1:%d/x/%s", server.port, name);
  return text;
}

/* --- fixture -------------------------------------------------------------- */

static int64_t live;

static void setup(void) {
  /* The server is here: a proxy of the environment must not be asked. */
  setenv("no_proxy", "127.0.0.1", 1);
  setenv("NO_PROXY", "127.0.0.1", 1);
  live = sl_alloc_live();
  sl_interrupt_clear();
  t_folder_make();
  start_server();
  for (size_t i = 0; i < MOST_BODY; i++)
    server.body[i] = (char)(i * 2654435761u >> 13);
  server.n = 3000000;
}

static void teardown(void) {
  stop_server();
  free(server.body);
  t_folder_remove();
  sl_interrupt_clear();
  ck_assert_int_eq(sl_alloc_live(), live);
}

static void fails_with(sl_status got, sl_status want, const char *text) {
  ck_assert_msg(got == want, "status %d, want %d: %s", got, want, sl_error());
  ck_assert_msg(strstr(sl_error(), text) != NULL, "'%s' not in '%s'", text,
                sl_error());
}

static void ok(sl_status status) {
  ck_assert_msg(status == SL_OK, "%s", sl_error());
}

static int exists(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0;
}

static void has_body(const char *path) {
  FILE *f = fopen(path, "rb");
  ck_assert_ptr_nonnull(f);
  char *have = malloc(MOST_BODY);
  ck_assert_uint_eq(fread(have, 1, MOST_BODY, f), server.n);
  ck_assert_mem_eq(have, server.body, server.n);
  free(have);
  fclose(f);
}

static sl_fetch_opts quick(void) {
  return (sl_fetch_opts){.retries = 3, .backoff = 0.01};
}

/* --- downloads ------------------------------------------------------------ */

typedef struct told {
  int64_t done, total;
  int calls;
} told;

static sl_status on_progress(void *context, int64_t done, int64_t total) {
  told *t = context;
  ck_assert_int_ge(done, t->done);
  *t = (told){done, total, t->calls + 1};
  return SL_OK;
}

static sl_status cancel(void *context, int64_t done, int64_t total) {
  (void)context, (void)total;
  return done > 0 ? sl_fail(SL_ELUA, "enough") : SL_OK;
}

START_TEST(progress_may_cancel) {
  sl_fetch_opts o = quick();
  o.progress = cancel;
  server.slow_ms = 20;
  fails_with(sl_fetch(url("a"), t_path("a"), &o), SL_ELUA, "enough");
  ck_assert(exists(t_path("a.part")) && !exists(t_path("a")));
}
END_TEST

START_TEST(a_good_download) {
  told t = {0};
  sl_fetch_opts o = quick();
  o.progress = on_progress;
  o.context = &t;
  ok(sl_fetch(url("a"), t_path("a"), &o));
  has_body(t_path("a"));
  ck_assert(!exists(t_path("a.part")));
  ck_assert(t.calls >= 1 && t.done == 3000000 && t.total == 3000000);
  ck_assert_int_eq(server.requests, 1);
}
END_TEST

START_TEST(a_cut_connection_resumes) {
  const sl_fetch_opts o = quick();
  server.cuts = 2;
  server.cut_after = 1000000;
  ok(sl_fetch(url("a"), t_path("a"), &o));
  has_body(t_path("a"));
  ck_assert_int_eq(server.requests, 3);
  ck_assert_int_eq(server.first_byte, 2000000);
}
END_TEST

/* Another process, another day. */
START_TEST(a_later_call_resumes) {
  sl_fetch_opts o = quick();
  o.retries = 0;
  server.cuts = 1;
  server.cut_after = 700000;
  fails_with(sl_fetch(url("a"), t_path("a"), &o), SL_EIO, "cannot download");
  ck_assert(exists(t_path("a.part")) && !exists(t_path("a")));
  ok(sl_fetch(url("a"), t_path("a"), &o));
  has_body(t_path("a"));
  ck_assert_int_eq(server.first_byte, 700000);
}
END_TEST

START_TEST(a_server_without_ranges) {
  const sl_fetch_opts o = quick();
  server.no_ranges = 1;
  server.cuts = 1;
  server.cut_after = 1000000;
  ok(sl_fetch(url("a"), t_path("a"), &o));
  has_body(t_path("a"));
}
END_TEST

/* All of it was there, or more than the server has now. */
START_TEST(a_part_that_is_too_long) {
  const sl_fetch_opts o = quick();
  t_write("a.part", server.body, server.n);
  ok(sl_fetch(url("a"), t_path("a"), &o));
  has_body(t_path("a"));
  t_write("b.part", server.body + 5, server.n + 100);
  ok(sl_fetch(url("b"), t_path("b"), &o));
  has_body(t_path("b"));
}
END_TEST

START_TEST(a_busy_server) {
  sl_fetch_opts o = quick();
  server.busy = 3;
  ok(sl_fetch(url("a"), t_path("a"), &o));
  ck_assert_int_eq(server.requests, 4);
  server.busy = 4;
  fails_with(sl_fetch(url("b"), t_path("b"), &o), SL_EIO, "503");
  ck_assert(!exists(t_path("b.part")));
}
END_TEST

START_TEST(final_failures_are_not_tried_again) {
  const sl_fetch_opts o = quick();
  server.missing = 1;
  fails_with(sl_fetch(url("a"), t_path("a"), &o), SL_EIO, "404");
  ck_assert_ptr_nonnull(strstr(sl_error(), "/x/a"));
  ck_assert_int_eq(server.requests, 1);
  stop_server();
  fails_with(sl_fetch(url("a"), t_path("a"), &o), SL_EIO, "127.0.0.1");
  fails_with(sl_fetch("file:///etc/hostname", t_path("a"), &o), SL_EIO,
             "rotocol");
  fails_with(sl_fetch(url("a"), t_path("no/such/a"), &o), SL_EIO,
             "cannot write");
  ck_assert_int_eq(t_count_files(), 0);
}
END_TEST

static void *press_ctrl_c(void *unused) {
  (void)unused;
  nanosleep(&(struct timespec){0, 200000000}, NULL);
  sl_interrupt_request();
  return NULL;
}

START_TEST(ctrl_c_keeps_the_part) {
  const sl_fetch_opts o = quick();
  pthread_t key;
  server.slow_ms = 50;
  pthread_create(&key, NULL, press_ctrl_c, NULL);
  fails_with(sl_fetch(url("a"), t_path("a"), &o), SL_EINTERRUPT,
             "the next call goes on after");
  pthread_join(key, NULL);
  ck_assert(exists(t_path("a.part")));
  sl_interrupt_clear();
  server.slow_ms = 0;
  ok(sl_fetch(url("a"), t_path("a"), &o));
  has_body(t_path("a"));
  ck_assert_int_gt(server.first_byte, 0);
}
END_TEST

/* --- archives ------------------------------------------------------------- */

typedef struct member {
  const char *path, *text; /* text NULL: a folder */
  const char *soft, *hard; /* links */
  int type;                /* another one: AE_IFIFO */
} member;

static void add_member(struct archive *a, const member *m) {
  struct archive_entry *e = archive_entry_new();
  const size_t n = m->text ? strlen(m->text) : 0;
  archive_entry_set_pathname(e, m->path);
  archive_entry_set_perm(e, m->text ? 0444 : 0555);
  archive_entry_set_filetype(e, m->text ? AE_IFREG : AE_IFDIR);
  if (m->soft) {
    archive_entry_set_filetype(e, AE_IFLNK);
    archive_entry_set_symlink(e, m->soft);
  } else if (m->hard) {
    archive_entry_set_hardlink(e, m->hard);
  } else if (m->type) {
    archive_entry_set_filetype(e, (unsigned)m->type);
  } else {
    archive_entry_set_size(e, (la_int64_t)n);
  }
  ck_assert_int_eq(archive_write_header(a, e), ARCHIVE_OK);
  if (n) archive_write_data(a, m->text, n);
  archive_entry_free(e);
}

static const char *make_archive(const char *name, const member *m, int n) {
  struct archive *a = archive_write_new();
  archive_write_set_format_gnutar(a);
  archive_write_add_filter_gzip(a);
  ck_assert_int_eq(archive_write_open_filename(a, t_path(name)), ARCHIVE_OK);
  for (int i = 0; i < n; i++)
    add_member(a, &m[i]);
  archive_write_free(a);
  return t_path(name);
}

static const member good[] = {{.path = "set-1/"},
                              {.path = "set-1/train/"},
                              {.path = "set-1/train/a..b.txt", .text = "A"},
                              {.path = "./set-1/val/c.txt", .text = "C"},
                              {.path = "set-1/val/d", .soft = "../train"},
                              {.path = "set-1/e", .hard = "set-1/val/c.txt"}};

static void has_text(const char *name, const char *want) {
  char have[16] = "";
  FILE *f = fopen(t_path(name), "r");
  ck_assert_msg(f && fgets(have, sizeof have, f), "%s is missing", name);
  ck_assert_str_eq(have, want);
  fclose(f);
}

START_TEST(unpacks_a_folder) {
  ok(sl_unpack(make_archive("a.tgz", good, 6), t_path("data"), NULL, NULL));
  has_text("data/train/a..b.txt", "A");
  has_text("data/val/c.txt", "C");
  has_text("data/val/d/a..b.txt", "A");
  has_text("data/e", "C");
  ck_assert(!exists(t_path("data.unpacking")));
  fails_with(sl_unpack(t_path("a.tgz"), t_path("data"), NULL, NULL), SL_EIO,
             "exists already");
}
END_TEST

START_TEST(unpacks_loose_files) {
  static const member loose[] = {{.path = "a.txt", .text = "A"},
                                 {.path = "b/c.txt", .text = "C"}};
  ck_assert_int_eq(mkdir(t_path("data.unpacking"), 0777), 0);
  t_write("data.unpacking/left-over", "x", 1); /* by a killed process */
  ok(sl_unpack(make_archive("a.tgz", loose, 2), t_path("data"), NULL, NULL));
  has_text("data/a.txt", "A");
  has_text("data/b/c.txt", "C");
  ck_assert(!exists(t_path("data/left-over")));
}
END_TEST

static const struct {
  member m[2];
  const char *want;
} evil[] = {
    {{{.path = "../evil", .text = "E"}}, "'../evil' leads out"},
    {{{.path = "a/../../evil", .text = "E"}}, "leads out"},
    {{{.path = "/tmp/sota_evil", .text = "E"}}, "leads out"},
    {{{.path = "a", .soft = "../.."}}, "its link 'a' leads out"},
    {{{.path = "a", .soft = "/etc/passwd"}}, "its link 'a' leads out"},
    {{{.path = "b/c", .soft = "../b/.."}}, "its link 'b/c' leads out"},
    {{{.path = "b/c", .soft = "x/../y"}}, "its link 'b/c' leads out"},
    {{{.path = "a", .hard = "../../etc/passwd", .text = ""}}, "leads out"},
    {{{.path = "a", .soft = "."}, {.path = "a/b", .text = "E"}}, "link"},
    {{{.path = "a", .type = AE_IFIFO, .text = ""}}, "no file, folder or link"},
};

START_TEST(refuses_to_lead_out) {
  const int n = evil[_i].m[1].path ? 2 : 1;
  const char *file = make_archive("a.tgz", evil[_i].m, n);
  const sl_status status = sl_unpack(file, t_path("in/data"), NULL, NULL);
  ck_assert(status == SL_EDATA || status == SL_EIO);
  ck_assert_msg(strstr(sl_error(), evil[_i].want) != NULL, "%s", sl_error());
  ck_assert(!exists(t_path("in/data")) && !exists(t_path("in/data.unpacking")));
  ck_assert(!exists(t_path("in/evil")) && !exists(t_path("evil")));
  ck_assert(!exists("/tmp/sota_evil"));
  ck_assert_int_eq(t_count_files(), 1);
}
END_TEST

static size_t shorten(const char *path, long by) {
  struct stat st;
  ck_assert_int_eq(stat(path, &st), 0);
  ck_assert_int_eq(truncate(path, st.st_size - by), 0);
  return (size_t)(st.st_size - by);
}

START_TEST(a_damaged_archive_leaves_nothing) {
  const char *file = make_archive("a.tgz", good, 6);
  shorten(file, 30);
  fails_with(sl_unpack(file, t_path("data"), NULL, NULL), SL_EDATA,
             "a.tgz is damaged or no archive");
  t_write("b.tgz", "<html>not found</html>", 22);
  fails_with(sl_unpack(t_path("b.tgz"), t_path("data"), NULL, NULL), SL_EDATA,
             "b.tgz is damaged or no archive");
  ck_assert_int_eq(t_count_files(), 2);
  ck_assert(!exists(t_path("data.unpacking")));
}
END_TEST

START_TEST(an_interrupted_unpack_leaves_nothing) {
  const char *file = make_archive("a.tgz", good, 6);
  sl_interrupt_request();
  fails_with(sl_unpack(file, t_path("data"), NULL, NULL), SL_EINTERRUPT,
             "interrupted");
  sl_interrupt_clear();
  ck_assert_int_eq(t_count_files(), 1);
  ck_assert(!exists(t_path("data.unpacking")));
  ok(sl_unpack(file, t_path("data"), NULL, NULL));
}
END_TEST

static sl_status note_unpacked(void *context, int64_t done, int64_t total) {
  int64_t *calls = context;
  ck_assert_int_gt(done, 0);
  ck_assert_int_le(done, total);
  return --*calls ? SL_OK : sl_fail(SL_EINTERRUPT, "enough");
}

START_TEST(unpacking_tells_how_far_it_is) {
  int64_t left = 5;
  const char *file = make_archive("a.tgz", good, 6);
  ok(sl_unpack(file, t_path("data"), note_unpacked, &left));
  ck_assert_int_eq(left, 4); /* once: it is over in a moment */
  left = 1;
  fails_with(sl_unpack(file, t_path("other"), note_unpacked, &left),
             SL_EINTERRUPT, "enough");
  ck_assert(!exists(t_path("other")) && !exists(t_path("other.unpacking")));
}
END_TEST

START_TEST(checksums) { /* of "abc": RFC 1321, FIPS 180-2 */
  const char *path = t_write("abc", "abc", 3);
  static const char md5[] = "900150983CD24FB0d6963f7d28e17f72",
                    sha[] = "ba7816bf8f01cfea414140de5dae2223"
                            "b00361a396177a9cb410ff61f20015ad";
  ok(sl_published_check(&(sl_published){3, md5, sha}, path));
  ok(sl_published_check(&(sl_published){0}, path));
  fails_with(sl_published_check(&(sl_published){.size = 4}, path), SL_EDATA,
             "3 bytes, published is 4");
  fails_with(sl_published_check(&(sl_published){.md5 = "00"}, path), SL_EDATA,
             "md5 is 900150983cd24fb0d6963f7d28e17f72, published is 00");
  fails_with(sl_published_check(&(sl_published){.sha256 = md5}, path), SL_EDATA,
             "sha256 is ba7816bf");
  fails_with(sl_published_check(&(sl_published){0}, t_path("none")), SL_EIO,
             "none: No such file");
}
END_TEST

/* --- from URL to folder --------------------------------------------------- */

static sl_untar_opts into_cache(void) {
  static char cache[512];
  snprintf(cache, sizeof cache, "%s", t_path("cache"));
  return (sl_untar_opts){.cache = cache, .fetch = quick()};
}

static void serve_file(const char *path) {
  FILE *f = fopen(path, "rb");
  ck_assert_ptr_nonnull(f);
  server.n = fread(server.body, 1, MOST_BODY, f);
  fclose(f);
  remove(path);
}

START_TEST(untar_once) {
  sl_untar_opts o = into_cache();
  char got[SL_PATH_MAX];
  serve_file(make_archive("a.tgz", good, 6));
  server.cuts = 1;
  server.cut_after = 50;
  ok(sl_untar(url("set-1.tgz"), &o, got));
  ck_assert_str_eq(got, t_path("cache/set-1"));
  has_text("cache/set-1/val/c.txt", "C");
  ck_assert(!exists(t_path("cache/set-1.tgz")));
  stop_server(); /* found in the cache: no network needed */
  ok(sl_untar(url("set-1.tgz?version=2"), &o, got));
  ck_assert_str_eq(got, t_path("cache/set-1"));
}
END_TEST

START_TEST(untar_checks_first) {
  sl_untar_opts o = into_cache();
  char got[SL_PATH_MAX];
  serve_file(make_archive("a.tgz", good, 6));
  o.published.sha256 = "1234";
  fails_with(sl_untar(url("set-1.tar.gz"), &o, got), SL_EDATA,
             "published is 1234; the file was removed");
  ck_assert(!exists(t_path("cache/set-1")));
  ck_assert(!exists(t_path("cache/set-1.tar.gz")));
  o.published.sha256 = NULL;
  o.keep_archive = 1;
  ok(sl_untar(url("set-1.tar.gz"), &o, got));
  ck_assert(exists(t_path("cache/set-1.tar.gz")));
}
END_TEST

START_TEST(untar_offline) {
  sl_untar_opts o = into_cache();
  char got[SL_PATH_MAX], address[256];
  snprintf(address, sizeof address, "%s", url("set-1.tgz"));
  stop_server();
  fails_with(sl_untar(address, &o, got), SL_EIO, address);
  ck_assert_ptr_nonnull(strstr(sl_error(), "onnect"));
  ck_assert_ptr_nonnull(strstr(sl_error(), "--data DIR"));
  ck_assert_ptr_nonnull(strstr(sl_error(), t_path("cache/set-1.tgz")));
  make_archive("cache/set-1.tgz", good, 6); /* as the message says */
  ok(sl_untar(address, &o, got));
  has_text("cache/set-1/e", "C");
  fails_with(sl_untar("set-1.tgz", &o, got), SL_EINVAL, "is no URL");
  fails_with(sl_untar("http://x/set-1.rar", &o, got), SL_EINVAL, "ends in");
}
END_TEST

/* Two processes want the same: one request, both get the folder. */
START_TEST(untar_twice_at_once) {
  sl_untar_opts o = into_cache();
  char got[SL_PATH_MAX];
  serve_file(make_archive("a.tgz", good, 6));
  server.slow_ms = 200;
  const pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (child == 0) _exit(sl_untar(url("set-1.tgz"), &o, got) != SL_OK);
  ok(sl_untar(url("set-1.tgz"), &o, got));
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
  ck_assert_int_eq(server.requests, 1);
}
END_TEST

START_TEST(cache_folder) {
  char got[SL_PATH_MAX], base[512];
  snprintf(base, sizeof base, "%s", t_path("deep/er"));
  setenv("HOME", base, 1);
  unsetenv("SOTA_DATA");
  setenv("XDG_CACHE_HOME", "relative/is/ignored", 1);
  ok(sl_cache_dir(got));
  ck_assert_str_eq(got, t_path("deep/er/.cache/sota-lua"));
  setenv("XDG_CACHE_HOME", base, 1);
  ok(sl_cache_dir(got));
  ck_assert_str_eq(got, t_path("deep/er/sota-lua"));
  setenv("SOTA_DATA", t_path("own"), 1);
  ok(sl_cache_dir(got));
  ck_assert_str_eq(got, t_path("own"));
  ck_assert(exists(got));
  setenv("SOTA_DATA", t_write("file", "x", 1), 1);
  fails_with(sl_cache_dir(got), SL_EIO, "$SOTA_DATA names the data folder");
  unsetenv("SOTA_DATA");
  unsetenv("XDG_CACHE_HOME");
  unsetenv("HOME");
  fails_with(sl_cache_dir(got), SL_EIO, "set SOTA_DATA to a folder");
}
END_TEST

int main(void) {
  Suite *s = suite_create("fetch");
  TCase *tc = tcase_create("fetch");
  tcase_set_timeout(tc, 30);
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, a_good_download);
  tcase_add_test(tc, progress_may_cancel);
  tcase_add_test(tc, a_cut_connection_resumes);
  tcase_add_test(tc, a_later_call_resumes);
  tcase_add_test(tc, a_server_without_ranges);
  tcase_add_test(tc, a_part_that_is_too_long);
  tcase_add_test(tc, a_busy_server);
  tcase_add_test(tc, final_failures_are_not_tried_again);
  tcase_add_test(tc, ctrl_c_keeps_the_part);
  tcase_add_test(tc, unpacks_a_folder);
  tcase_add_test(tc, unpacks_loose_files);
  tcase_add_loop_test(tc, refuses_to_lead_out, 0, sizeof evil / sizeof *evil);
  tcase_add_test(tc, a_damaged_archive_leaves_nothing);
  tcase_add_test(tc, an_interrupted_unpack_leaves_nothing);
  tcase_add_test(tc, unpacking_tells_how_far_it_is);
  tcase_add_test(tc, checksums);
  tcase_add_test(tc, untar_once);
  tcase_add_test(tc, untar_checks_first);
  tcase_add_test(tc, untar_offline);
  tcase_add_test(tc, untar_twice_at_once);
  tcase_add_test(tc, cache_folder);
  suite_add_tcase(s, tc);
  return t_main(s);
}

#else

START_TEST(says_what_is_missing) {
  char got[SL_PATH_MAX];
  const sl_untar_opts o = {.cache = "/tmp"};
  ck_assert_int_eq(sl_untar_can_download(), 0);
  ck_assert_int_eq(sl_untar("http://x/no_such_set.tgz", &o, got), SL_EIO);
  ck_assert_ptr_nonnull(strstr(sl_error(), "libcurl4-openssl-dev"));
}
END_TEST

int main(void) {
  Suite *s = suite_create("fetch");
  TCase *tc = tcase_create("fetch");
  tcase_add_test(tc, says_what_is_missing);
  suite_add_tcase(s, tc);
  return t_main(s);
}

#endif
