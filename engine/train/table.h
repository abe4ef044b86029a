/* table.h -- a run's rows as text: the epoch table and history.csv.
 *
 *   epoch     train_loss  valid_loss  accuracy  time
 *   0         1.583403    2.064317    0.401790  01:03
 *
 * What was not measured is "None". Columns are fastai's. */
#ifndef SL_TRAIN_TABLE_H
#define SL_TRAIN_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "base/grow_file.h"
#include "train/recorder.h"

/* "mm:ss", or "h:mm:ss" from an hour on; whole seconds, cut off. */
void sl_format_time(double seconds, char *out, size_t size);

/* The shortest decimal that reads back as the same double; always with a
 * point, an exponent or a name ("1.0", "1e-07", "nan"). */
void sl_format_exact(double x, char *out, size_t size);

/* Lines without their newline; cut off where out is too small. */
void sl_table_header(const sl_recorder *r, char *out, size_t size);
void sl_table_row(const sl_recorder *r, const sl_row *row, char *out,
                  size_t size);

/* history.csv: the header, then a row per epoch with full numbers. Each is on
 * disk before the call returns, so a killed run keeps its rows. A row that
 * cannot be written ends no training: that is logged once, and it follows. */
typedef struct sl_history {
  sl_grow_file file;
  int failing;
} sl_history;

/* append: keep the rows that are there (the header only if there are none).
 * SL_EIO: it cannot be opened, or the header cannot be written. */
SL_MUST_USE sl_status sl_history_open(sl_history *h, const char *path,
                                      int append, const sl_recorder *r);
SL_MUST_USE sl_status sl_history_add(sl_history *h, const sl_recorder *r,
                                     const sl_row *row); /* SL_ENOMEM only */
void sl_history_close(sl_history *h); /* more than once, or unopened but zero */

#endif
