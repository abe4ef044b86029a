/* fetch.c -- see fetch.h. */
#include "data/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "data/cache_dir.h"

enum { RETRIES = 5, CONNECT_S = 20, STALL_S = 30, MB = 1 << 20 };

typedef struct download {
  const char *url;
  const sl_fetch_opts *opts;
  CURL *curl;
  FILE *part;
  char path[SL_PATH_MAX];    /* of the part */
  char why[CURL_ERROR_SIZE]; /* curl's reason */
  int64_t offset;            /* where this attempt began */
  int write_error;           /* errno of the disk */
  double told;               /* when progress was last called */
  sl_status cancelled;       /* by progress */
  long http;
} download;

static size_t on_data(char *data, size_t size, size_t n, void *p) {
  download *d = p;
  const size_t done = fwrite(data, size, n, d->part);
  if (done < n) d->write_error = errno;
  return done * size;
}

static sl_status tell(download *d, int64_t done, int64_t total) {
  d->told = sl_clock();
  if (!d->opts->progress) return SL_OK;
  return d->opts->progress(d->opts->context, done, total);
}

static int on_progress(void *p, curl_off_t total, curl_off_t now, curl_off_t ut,
                       curl_off_t un) {
  download *d = p;
  (void)ut;
  (void)un;
  if (sl_clock() - d->told > 0.2)
    d->cancelled = tell(d, d->offset + now, total > 0 ? d->offset + total : 0);
  return d->cancelled != SL_OK || sl_interrupt_pending();
}

static void set_options(download *d) {
  CURL *c = d->curl;
  curl_easy_setopt(c, CURLOPT_URL, d->url);
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
  curl_easy_setopt(c, CURLOPT_USERAGENT, "sota-lua/" SL_VERSION);
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, d->why);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, d);
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, d);
}

static sl_status disk_failed(const download *d, int error) {
  return sl_fail(SL_EIO, "cannot write %s: %s", d->path, strerror(error));
}

/* One request, from where the part ends. */
static sl_status attempt(download *d, CURLcode *code) {
  d->why[0] = 0;
  d->http = 0;
  d->offset = ftello(d->part);
  curl_easy_setopt(d->curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)d->offset);
  *code = curl_easy_perform(d->curl);
  curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &d->http);
  if (!d->why[0])
    snprintf(d->why, sizeof d->why, "%s", curl_easy_strerror(*code));
  if (d->cancelled != SL_OK) return d->cancelled;
  if (d->write_error) return disk_failed(d, d->write_error);
  if (fflush(d->part) != 0) return disk_failed(d, errno);
  return SL_OK;
}

/* The server knows no ranges, or has no more than the part (curl takes that
 * answer, 416, for success; but the part may be of another file): again. */
static int must_restart(const download *d, CURLcode code) {
  return d->offset > 0 && (code == CURLE_RANGE_ERROR || d->http == 416);
}

static sl_status restart(download *d) {
  rewind(d->part);
  if (ftruncate(fileno(d->part), 0) != 0) return disk_failed(d, errno);
  return SL_OK;
}

/* A name that is not known or a closed door is final at once: who is offline
 * shall not wait; unless it did work a moment ago. */
static int may_pass(CURLcode code, long http, int worked) {
  switch ((int)code) {
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_COULDNT_CONNECT:
    return worked;
  case CURLE_HTTP_RETURNED_ERROR:
    return http >= 500 || http == 408 || http == 429;
  case CURLE_OPERATION_TIMEDOUT:
  case CURLE_PARTIAL_FILE:
  case CURLE_GOT_NOTHING:
  case CURLE_RECV_ERROR:
  case CURLE_SEND_ERROR:
  case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM:
  case CURLE_SSL_CONNECT_ERROR:
    return 1;
  default:
    return 0;
  }
}

/* Sleeps, but not through a Ctrl-C. */
static void pause_for(double seconds) {
  const double end = sl_clock() + seconds;
  const struct timespec tick = {0, 20000000};
  while (sl_clock() < end && !sl_interrupt_pending())
    nanosleep(&tick, NULL);
}

static sl_status interrupted(const download *d) {
  return sl_fail(SL_EINTERRUPT,
                 "interrupted while downloading %s; the next call goes on "
                 "after %.1f MB",
                 d->url, 1e-6 * (double)ftello(d->part));
}

static sl_status run(download *d) {
  const int most = d->opts->retries < 0 ? RETRIES : d->opts->retries;
  double wait = d->opts->backoff > 0 ? d->opts->backoff : 0.5;
  const double first_wait = wait;
  int worked = 0, restarted = 0;
  for (int tries = 0;;) {
    CURLcode code;
    SL_TRY(attempt(d, &code));
    if (must_restart(d, code) && !restarted++) {
      SL_TRY(restart(d));
      continue;
    }
    if (code == CURLE_OK) return SL_OK;
    if (sl_interrupt_pending()) return interrupted(d);
    const int64_t got = ftello(d->part) - d->offset;
    worked |= got > 0;
    if (got > MB) {
      tries = 0;
      wait = first_wait;
    }
    if (tries++ == most || !may_pass(code, d->http, worked))
      return sl_fail(SL_EIO, "cannot download %s: %s", d->url, d->why);
    sl_log(SL_LOG_INFO, "%s: %s; trying again", d->url, d->why);
    pause_for(wait);
    wait *= 2;
  }
}

static sl_status download_to(download *d, const char *file) {
  d->part = fopen(d->path, "ab");
  SL_REQUIRE(d->part, SL_EIO, "cannot write %s: %s", d->path, strerror(errno));
  fseeko(d->part, 0, SEEK_END);
  set_options(d);
  sl_status status = run(d);
  const int64_t size = ftello(d->part);
  if (fsync(fileno(d->part)) != 0 && status == SL_OK)
    status = disk_failed(d, errno);
  if (fclose(d->part) != 0 && status == SL_OK) status = disk_failed(d, errno);
  if (size == 0 && status != SL_OK) remove(d->path);
  SL_TRY(status);
  SL_TRY(tell(d, size, size));
  SL_REQUIRE(rename(d->path, file) == 0, SL_EIO, "cannot make %s: %s", file,
             strerror(errno));
  return SL_OK;
}

static void init_curl(void) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

sl_status sl_fetch(const char *url, const char *file,
                   const sl_fetch_opts *opts) {
  static const sl_fetch_opts defaults = {.retries = -1};
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  download d = {.url = url, .opts = opts ? opts : &defaults};
  const int n = snprintf(d.path, sizeof d.path, "%s.part", file);
  SL_REQUIRE(n > 0 && n < SL_PATH_MAX, SL_EIO, "the path is too long: %s",
             file);
  pthread_once(&once, init_curl);
  d.curl = curl_easy_init();
  SL_REQUIRE(d.curl, SL_ENOMEM, "no memory to download %s", url);
  const sl_status status = download_to(&d, file);
  curl_easy_cleanup(d.curl);
  return status;
}
