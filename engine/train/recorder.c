/* recorder.c -- see recorder.h. */
#include "train/recorder.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

void sl_mean_add(sl_mean *m, double value, double weight) {
  m->sum += value * weight;
  m->weight += weight;
}

double sl_mean_value(const sl_mean *m) {
  return m->weight > 0 ? m->sum / m->weight : (double)NAN;
}

sl_smooth sl_smooth_new(double beta) {
  return (sl_smooth){.beta = beta, .shown = (double)NAN};
}

void sl_smooth_add(sl_smooth *s, double value) {
  s->n++;
  s->val = s->beta * s->val + (1 - s->beta) * value;
  s->shown = s->val / (1 - pow(s->beta, (double)s->n));
}

sl_status sl_series_add(sl_series *s, double value) {
  if (s->n == s->room) {
    const int64_t room = s->room ? 2 * s->room : 1024;
    double *at = sl_realloc(s->at, (size_t)room * sizeof *at);
    SL_REQUIRE(at, SL_ENOMEM, "out of memory for the losses of a run");
    s->at = at;
    s->room = room;
  }
  s->at[s->n++] = value;
  return SL_OK;
}

void sl_series_free(sl_series *s) {
  sl_free(s->at);
  *s = (sl_series){0};
}

void sl_recorder_start(sl_recorder *r) {
  r->smooth = sl_smooth_new(0.98);
  r->losses.n = r->lrs.n = r->moms.n = 0;
  r->n_rows = 0;
  sl_recorder_valid_start(r);
}

void sl_recorder_free(sl_recorder *r) {
  sl_series_free(&r->losses);
  sl_series_free(&r->lrs);
  sl_series_free(&r->moms);
  sl_free(r->rows);
  r->rows = NULL;
  r->n_rows = r->room = 0;
}

sl_status sl_recorder_train(sl_recorder *r, double loss, double lr,
                            double mom) {
  sl_smooth_add(&r->smooth, loss);
  SL_TRY(sl_series_add(&r->losses, r->smooth.shown));
  SL_TRY(sl_series_add(&r->lrs, lr));
  return sl_series_add(&r->moms, mom);
}

void sl_recorder_valid_start(sl_recorder *r) {
  r->valid_loss = (sl_mean){0, 0};
  memset(r->metric, 0, sizeof r->metric);
}

void sl_recorder_valid(sl_recorder *r, double loss, const double *values,
                       double size) {
  sl_mean_add(&r->valid_loss, loss, size);
  for (int i = 0; i < r->n_metrics; i++)
    sl_mean_add(&r->metric[i], values[i], size);
}

sl_status sl_recorder_row(sl_recorder *r, const sl_row *row) {
  if (r->n_rows == r->room) {
    const int room = r->room ? 2 * r->room : 16;
    sl_row *rows = sl_realloc(r->rows, (size_t)room * sizeof *rows);
    SL_REQUIRE(rows, SL_ENOMEM, "out of memory for the history of a run");
    r->rows = rows;
    r->room = room;
  }
  r->rows[r->n_rows++] = *row;
  return SL_OK;
}
