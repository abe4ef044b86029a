/* log.c -- see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static const char *const names[] = {"error", "warning", "info", "debug"};

static void to_stderr(sl_log_level level, const char *line) {
  fprintf(stderr, "sota-lua: %s: %s\n", names[level], line);
}

static _Atomic(sl_log_sink *) the_sink = to_stderr;
static atomic_int the_level = SL_LOG_WARN;

void sl_log_set_sink(sl_log_sink *sink) {
  atomic_store(&the_sink, sink ? sink : to_stderr);
}

void sl_log_set_level(sl_log_level level) {
  atomic_store(&the_level, (int)level);
}

void sl_log(sl_log_level level, const char *fmt, ...) {
  if ((int)level > atomic_load(&the_level)) return;
  char line[1024];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(line, sizeof line, fmt, ap);
  va_end(ap);
  atomic_load (&the_sink)(level, line);
}

double sl_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
