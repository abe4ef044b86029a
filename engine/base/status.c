/* status.c -- the per-thread error message. */
#include "base/status.h"

#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

sl_status sl_fail_list(sl_status code, const char *fmt, va_list list) {
  char text[sizeof message]; /* an argument may be sl_error() itself */
  vsnprintf(text, sizeof text, fmt, list);
  memcpy(message, text, sizeof message);
  return code;
}

sl_status(sl_fail)(sl_status code, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  sl_fail_list(code, fmt, ap);
  va_end(ap);
  return code;
}

sl_status sl_fail_in(sl_status code, const char *fmt, ...) {
  char text[sizeof message];
  va_list ap;
  va_start(ap, fmt);
  const int n = vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  if (n >= 0 && (size_t)n < sizeof text)
    snprintf(text + n, sizeof text - (size_t)n, "%s", message);
  memcpy(message, text, sizeof message);
  return code;
}

const char *sl_error(void) {
  return message;
}
