/* table.c -- see table.h. */
#include "train/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { CELL = 64, LINE = 128 + CELL * (SL_MAX_METRICS + 4) };

void sl_format_time(double seconds, char *out, size_t size) {
  const long long t = seconds > 0 ? (long long)seconds : 0;
  const int s = (int)(t % 60), m = (int)(t / 60 % 60);
  if (t >= 3600) {
    snprintf(out, size, "%lld:%02d:%02d", t / 3600, m, s);
  } else {
    snprintf(out, size, "%02d:%02d", m, s);
  }
}

void sl_format_exact(double x, char *out, size_t size) {
  if (!isfinite(x)) {
    snprintf(out, size, "%s", isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
    return;
  }
  char text[32];
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, x);
    if (strtod(text, NULL) == x) break;
  }
  snprintf(out, size, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

/* --- cells -----------------------------------------------------------------
 */

static int columns(const sl_recorder *r) {
  return r->n_metrics + 4;
}

static const char *title(const sl_recorder *r, int column) {
  static const char *const first[] = {"epoch", "train_loss", "valid_loss"};
  if (column < 3) return first[column];
  return column < columns(r) - 1 ? r->metric_names[column - 3] : "time";
}

/* The number in a column, and whether it was measured. */
static int number(const sl_row *row, int column, double *x) {
  *x = column == 1   ? row->train_loss
       : column == 2 ? row->valid_loss
                     : row->metric[column - 3];
  return column == 1 ? row->has_train : row->has_valid;
}

static void cell(const sl_recorder *r, const sl_row *row, int column, int exact,
                 char *out) {
  double x;
  if (column == 0) {
    snprintf(out, CELL, "%d", row->epoch);
  } else if (column == columns(r) - 1) {
    sl_format_time(row->seconds, out, CELL);
  } else if (!number(row, column, &x)) {
    snprintf(out, CELL, "None");
  } else if (exact) {
    sl_format_exact(x, out, CELL);
  } else {
    snprintf(out, CELL, "%.6f", x);
  }
}

static void append(char *out, size_t size, const char *text, int width) {
  const size_t n = strlen(out);
  if (n < size) snprintf(out + n, size - n, "%-*s", width, text);
}

static int width(const sl_recorder *r, int column) {
  const size_t n = strlen(title(r, column));
  return n < 8 ? 8 : (int)n;
}

/* --- the table -------------------------------------------------------------
 */

void sl_table_header(const sl_recorder *r, char *out, size_t size) {
  *out = 0;
  for (int i = 0; i < columns(r); i++) {
    if (i) append(out, size, "  ", 2);
    append(out, size, title(r, i), width(r, i));
  }
}

void sl_table_row(const sl_recorder *r, const sl_row *row, char *out,
                  size_t size) {
  char text[CELL];
  *out = 0;
  for (int i = 0; i < columns(r); i++) {
    cell(r, row, i, 0, text);
    append(out, size, text, width(r, i) + 2);
  }
}

/* --- history.csv -----------------------------------------------------------
 */

static sl_status add_line(sl_history *h, const char *line) {
  SL_TRY(sl_grow_add(&h->file, line, strlen(line)));
  return sl_grow_add(&h->file, "\n", 1);
}

static sl_status add_header(sl_history *h, const sl_recorder *r) {
  char line[LINE] = "";
  for (int i = 0; i < columns(r); i++) {
    if (i) append(line, sizeof line, ",", 0);
    append(line, sizeof line, title(r, i), 0);
  }
  return add_line(h, line);
}

sl_status sl_history_open(sl_history *h, const char *path, int keep,
                          const sl_recorder *r) {
  h->failing = 0;
  SL_TRY(sl_grow_open(&h->file, path, keep));
  sl_status status =
      h->file.written + (int64_t)h->file.n == 0 ? add_header(h, r) : SL_OK;
  if (status == SL_OK) status = sl_grow_write(&h->file);
  if (status != SL_OK) sl_grow_close(&h->file);
  return status;
}

/* A training does not end because its rows cannot be written. */
static void write_rows(sl_history *h) {
  const sl_status status = sl_grow_write(&h->file);
  if (status == SL_OK && h->failing)
    sl_log(SL_LOG_WARN, "%s: written again", h->file.path);
  if (status != SL_OK && !h->failing)
    sl_log(SL_LOG_WARN,
           "%s; training goes on, and the rows follow when they can be written",
           sl_error());
  h->failing = status != SL_OK;
}

sl_status sl_history_add(sl_history *h, const sl_recorder *r,
                         const sl_row *row) {
  char line[LINE] = "", text[CELL];
  for (int i = 0; i < columns(r); i++) {
    cell(r, row, i, 1, text);
    if (i) append(line, sizeof line, ",", 0);
    append(line, sizeof line, text, 0);
  }
  SL_TRY(add_line(h, line));
  write_rows(h);
  return SL_OK;
}

void sl_history_close(sl_history *h) {
  if (!h->file.path) return;
  if (h->failing) write_rows(h);
  if (h->failing) sl_log(SL_LOG_WARN, "%s; its last rows are lost", sl_error());
  sl_grow_close(&h->file);
}
