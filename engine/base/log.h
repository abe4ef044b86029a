/* log.h -- messages to people: levelled, one line each, to stderr. */
#ifndef SL_BASE_LOG_H
#define SL_BASE_LOG_H

typedef enum sl_log_level {
  SL_LOG_ERROR,
  SL_LOG_WARN,
  SL_LOG_INFO,
  SL_LOG_DEBUG
} sl_log_level;

/* Where lines go; the Lua layer and tests replace it. NULL: back to stderr. */
typedef void sl_log_sink(sl_log_level level, const char *line);

void sl_log_set_sink(sl_log_sink *sink);
void sl_log_set_level(sl_log_level level); /* default SL_LOG_WARN */
void sl_log(sl_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Seconds from some fixed moment; never goes back. */
double sl_clock(void);

#endif
