/* status.h -- how every engine function reports failure.
 *
 * A function that can fail returns sl_status and leaves a sentence, in the
 * user's words, in this thread's message: what was given, what was wanted.
 * Nothing in the engine exits, prints or longjmps. */
#ifndef SL_BASE_STATUS_H
#define SL_BASE_STATUS_H

#include <stdarg.h>

typedef enum sl_status {
  SL_OK = 0,
  SL_EINVAL,     /* a bad argument */
  SL_ESHAPE,     /* shapes or dtypes that do not fit */
  SL_ENOMEM,     /* host or device memory; the Lua layer collects, retries */
  SL_EIO,        /* a file or the network */
  SL_EDATA,      /* a file that was read but is damaged or not supported */
  SL_ELUA,       /* a Lua callback raised; the message is the Lua error */
  SL_EINTERRUPT, /* the user pressed Ctrl-C */
  SL_EDIVERGED,  /* loss or gradient is not finite */
  SL_EINTERNAL,  /* a library refused what we believed was right */
} sl_status;

#define SL_MUST_USE __attribute__((warn_unused_result))

/* Sets this thread's message and returns code. */
sl_status sl_fail(sl_status code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
sl_status sl_fail_list(sl_status code, const char *fmt, va_list list)
    __attribute__((format(printf, 2, 0)));

#ifdef __clang_analyzer__ /* it cannot see that what sl_fail returns is code   \
                           */
#define sl_fail(code, ...) (sl_fail(code, __VA_ARGS__), (code))
#endif

/* Puts text in front of this thread's message ("decode: " + message) and
 * returns code: for adding a file, a layer or an op to a sentence. */
sl_status sl_fail_in(sl_status code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* This thread's last message; never NULL, owned by the engine. */
const char *sl_error(void);

/* Return at once from the calling function when something failed. */
#define SL_TRY(expr)                                                           \
  do {                                                                         \
    const sl_status status_ = (expr);                                          \
    if (status_ != SL_OK) return status_;                                      \
  } while (0)
#define SL_REQUIRE(cond, ...)                                                  \
  do {                                                                         \
    if (!(cond)) return sl_fail(__VA_ARGS__);                                  \
  } while (0)

#endif
