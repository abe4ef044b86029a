/* untar.c -- see untar.h. */
#define _GNU_SOURCE
#include "data/untar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "data/unpack.h"

/* NAME of .../NAME.tgz, and NAME.tgz. */
static sl_status names_of(const char *url, char name[256], char file[256]) {
  static const char *const endings[] = {".tgz",    ".tar.gz",  ".tar.bz2",
                                        ".tar.xz", ".tar.zst", ".tar.lz4",
                                        ".tar",    ".zip"};
  const char *slash = strrchr(url, '/');
  SL_REQUIRE(slash && strstr(url, "://"), SL_EINVAL, "'%s' is no URL", url);
  const size_t n = strcspn(slash + 1, "?#");
  SL_REQUIRE(n < 256, SL_EINVAL, "the name is too long: %s", url);
  memcpy(file, slash + 1, n);
  file[n] = 0;
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    const size_t end = strlen(endings[i]);
    if (n <= end || strcmp(file + n - end, endings[i]) != 0) continue;
    snprintf(name, 256, "%.*s", (int)(n - end), file);
    return SL_OK;
  }
  return sl_fail(SL_EINVAL,
                 "%s: the URL of an archive ends in .tgz, .tar.gz, "
                 ".tar.xz, .tar or .zip",
                 url);
}

static int is_folder(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

#if defined(SL_HAVE_CURL) && defined(SL_HAVE_ARCHIVE)

int sl_untar_can_download(void) {
  return 1;
}

/* Waits until no other process has the file locked. */
static sl_status lock(const char *path, int *fd) {
  const struct timespec tick = {0, 50000000};
  *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  SL_REQUIRE(*fd >= 0, SL_EIO, "cannot write %s: %s", path, strerror(errno));
  while (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
    const int why = errno;
    if (why == EWOULDBLOCK && !sl_interrupt_pending()) {
      nanosleep(&tick, NULL);
      continue;
    }
    close(*fd);
    return why == EWOULDBLOCK
               ? sl_fail(SL_EINTERRUPT, "interrupted while another process "
                                        "downloads the same")
               : sl_fail(SL_EIO, "cannot lock %s: %s", path, strerror(why));
  }
  return SL_OK;
}

static sl_status check(const char *archive, const sl_published *p) {
  const sl_status status = sl_published_check(p, archive);
  if (status != SL_EDATA) return status;
  (void)remove(archive);
  return sl_fail(SL_EDATA, "%s; the file was removed: try again", sl_error());
}

static sl_status fetch(const char *url, const char *archive,
                       const sl_untar_opts *o) {
  const sl_status status = sl_fetch(url, archive, &o->fetch);
  return status != SL_EIO
             ? status
             : sl_fail(SL_EIO,
                       "%s. Without network: unpack the archive elsewhere and "
                       "point to its folder (--data DIR), or put it into the "
                       "cache as %s",
                       sl_error(), archive);
}

/* An archive that is there already (put there, or left by a crash) is used; one
 * that cannot be read is of no use to anybody. */
static sl_status make(const char *url, const char *archive, const char *target,
                      const sl_untar_opts *o) {
  if (access(archive, F_OK) != 0) SL_TRY(fetch(url, archive, o));
  SL_TRY(check(archive, &o->published));
  const sl_status status =
      sl_unpack(archive, target, o->unpacking, o->fetch.context);
  if (status == SL_EDATA || (status == SL_OK && !o->keep_archive))
    (void)remove(archive);
  return status;
}

static sl_status get(const char *url, const char *cache, const char *file,
                     const char *target, const sl_untar_opts *o) {
  char archive[SL_PATH_MAX], lock_file[SL_PATH_MAX];
  int fd;
  SL_TRY(sl_path_join(archive, cache, file));
  SL_REQUIRE(snprintf(lock_file, sizeof lock_file, "%s.lock", archive) <
                 SL_PATH_MAX,
             SL_EIO, "the path is too long: %s", archive);
  SL_TRY(lock(lock_file, &fd));
  const sl_status status =
      is_folder(target) ? SL_OK : make(url, archive, target, o);
  close(fd); /* and with it the lock; the empty file stays: removing it would
              * let two processes hold locks of the same name */
  return status;
}

#else

int sl_untar_can_download(void) {
  return 0;
}

static sl_status get(const char *url, const char *cache, const char *file,
                     const char *target, const sl_untar_opts *o) {
  (void)o;
  (void)file;
  return sl_fail(SL_EIO,
                 "cannot download %s: this program was built without libcurl "
                 "or libarchive (Debian: libcurl4-openssl-dev libarchive-dev). "
                 "Unpack the archive as %s (in %s), or point to its folder "
                 "(--data DIR)",
                 url, target, cache);
}

#endif

sl_status sl_untar(const char *url, const sl_untar_opts *opts,
                   char out[SL_PATH_MAX]) {
  static const sl_untar_opts defaults = {.fetch = {.retries = -1}};
  const sl_untar_opts *o = opts ? opts : &defaults;
  char name[256], file[256], cache[SL_PATH_MAX];
  SL_TRY(names_of(url, name, file));
  if (o->cache) {
    SL_REQUIRE(snprintf(cache, sizeof cache, "%s", o->cache) < SL_PATH_MAX,
               SL_EIO, "the path is too long: %s", o->cache);
    SL_TRY(sl_make_dirs(cache));
  } else {
    SL_TRY(sl_cache_dir(cache));
  }
  SL_TRY(sl_path_join(out, cache, name));
  return is_folder(out) ? SL_OK : get(url, cache, file, out, o);
}
