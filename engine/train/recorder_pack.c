/* recorder_pack.c -- a recorder as a row of numbers:
 *   losses, rows, metrics (how many), beta, val, shown, n of the smooth loss,
 *   then the losses, the rates, the momenta, and 7 + metrics for each row. */
#include <string.h>

#include "base/alloc.h"
#include "train/recorder.h"

enum { HEAD = 7, ROW = 7, SERIES = 3 };

static int64_t row_size(const sl_recorder *r) {
  return ROW + r->n_metrics;
}

static double *put_series(double *to, const sl_series *s) {
  if (s->n) memcpy(to, s->at, (size_t)s->n * sizeof *to);
  return to + s->n;
}

static double *put_row(double *to, const sl_recorder *r, const sl_row *row) {
  const double head[ROW] = {
      row->epoch,      row->has_train, row->has_valid,      row->train_loss,
      row->valid_loss, row->seconds,   (double)row->batches};
  memcpy(to, head, sizeof head);
  memcpy(to + ROW, row->metric, (size_t)r->n_metrics * sizeof *to);
  return to + row_size(r);
}

sl_status sl_recorder_pack(const sl_recorder *r, double **out, int64_t *n) {
  const int64_t losses = r->losses.n;
  *n = HEAD + SERIES * losses + r->n_rows * row_size(r);
  double *to = *out = sl_alloc((size_t)*n, sizeof *to);
  SL_REQUIRE(to, SL_ENOMEM, "out of memory for the losses of a run");
  const double head[HEAD] = {(double)losses,     r->n_rows,     r->n_metrics,
                             r->smooth.beta,     r->smooth.val, r->smooth.shown,
                             (double)r->smooth.n};
  memcpy(to, head, sizeof head);
  to = put_series(to + HEAD, &r->losses);
  to = put_series(to, &r->lrs);
  to = put_series(to, &r->moms);
  for (int i = 0; i < r->n_rows; i++)
    to = put_row(to, r, &r->rows[i]);
  return SL_OK;
}

/* A count between 0 and most; -1 for anything else. */
static int64_t count_of(double x, int64_t most) {
  if (!(x >= 0 && x <= (double)most)) return -1;
  return (double)(int64_t)x == x ? (int64_t)x : -1;
}

static sl_status get_series(sl_series *s, const double **from, int64_t n) {
  s->n = 0;
  for (int64_t i = 0; i < n; i++)
    SL_TRY(sl_series_add(s, (*from)[i]));
  *from += n;
  return SL_OK;
}

static sl_status get_row(sl_recorder *r, const double *from) {
  enum { MOST = 1 << 30 };
  const int64_t epoch = count_of(from[0], MOST);
  const int64_t batches = count_of(from[6], (int64_t)1 << 53);
  SL_REQUIRE(epoch >= 0 && batches >= 0, SL_EDATA,
             "a row of the recorder has no whole numbers");
  sl_row row = {.epoch = (int)epoch,
                .has_train = from[1] != 0,
                .has_valid = from[2] != 0,
                .train_loss = from[3],
                .valid_loss = from[4],
                .seconds = from[5],
                .batches = batches};
  memcpy(row.metric, from + ROW, (size_t)r->n_metrics * sizeof *from);
  return sl_recorder_row(r, &row);
}

sl_status sl_recorder_unpack(sl_recorder *r, const double *from, int64_t n) {
  SL_REQUIRE(n >= HEAD, SL_EDATA, "a recorder has more than %lld numbers",
             (long long)n);
  const int64_t losses = count_of(from[0], n), rows = count_of(from[1], n);
  const int64_t smoothed = count_of(from[6], (int64_t)1 << 53);
  SL_REQUIRE(losses >= 0 && rows >= 0 && smoothed >= 0 &&
                 count_of(from[2], SL_MAX_METRICS) == r->n_metrics &&
                 n == HEAD + SERIES * losses + rows * row_size(r),
             SL_EDATA, "these %lld numbers are no recorder of %d metrics",
             (long long)n, r->n_metrics);
  sl_recorder_start(r);
  r->smooth = (sl_smooth){from[3], from[4], from[5], smoothed};
  from += HEAD;
  SL_TRY(get_series(&r->losses, &from, losses));
  SL_TRY(get_series(&r->lrs, &from, losses));
  SL_TRY(get_series(&r->moms, &from, losses));
  for (int64_t i = 0; i < rows; i++, from += row_size(r))
    SL_TRY(get_row(r, from));
  return SL_OK;
}
