/* recorder.h -- what a training run has shown so far.
 *
 * The smoothed training loss is an exponential average with its bias taken
 * out, over all batches since the fit began:
 *     val = beta * val + (1 - beta) * loss,   shown = val / (1 - beta^n)
 * Validation loss and metrics are means over items: sum of value * size over
 * sum of size. All in double. */
#ifndef SL_TRAIN_RECORDER_H
#define SL_TRAIN_RECORDER_H

#include <stdint.h>

#include "base/status.h"

enum { SL_MAX_METRICS = 32 };

typedef struct sl_mean {
  double sum, weight;
} sl_mean;

void sl_mean_add(sl_mean *m, double value, double weight);
double sl_mean_value(const sl_mean *m); /* NaN of nothing */

typedef struct sl_smooth {
  double beta, val;
  double shown; /* NaN before the first */
  int64_t n;
} sl_smooth;

sl_smooth sl_smooth_new(double beta);
void sl_smooth_add(sl_smooth *s, double value);

/* One epoch's row: has_* tell what was measured. */
typedef struct sl_row {
  int epoch; /* as people count: the loop writes 1 for the first */
  int has_train, has_valid;
  double train_loss, valid_loss;
  double metric[SL_MAX_METRICS];
  double seconds;
  int64_t batches; /* of training, since the fit began */
} sl_row;

typedef struct sl_series { /* of numbers, one per training batch */
  double *at;
  int64_t n, room;
} sl_series;

SL_MUST_USE sl_status sl_series_add(sl_series *s, double value);
void sl_series_free(sl_series *s);

typedef struct sl_recorder {
  int n_metrics;
  const char *metric_names[SL_MAX_METRICS]; /* borrowed */
  sl_smooth smooth;
  sl_series losses;    /* smoothed */
  sl_series lrs, moms; /* of the last group */
  sl_mean valid_loss, metric[SL_MAX_METRICS];
  sl_row *rows;
  int n_rows, room;
} sl_recorder;

void sl_recorder_start(sl_recorder *r); /* before_fit: forgets everything */
void sl_recorder_free(sl_recorder *r);  /* what it holds, not r */

/* mom: NaN where the optimiser has none. */
SL_MUST_USE sl_status sl_recorder_train(sl_recorder *r, double loss, double lr,
                                        double mom);
void sl_recorder_valid_start(sl_recorder *r);
/* values: n_metrics of them. */
void sl_recorder_valid(sl_recorder *r, double loss, const double *values,
                       double size);
/* Everything as n numbers, for checkpoints; free with sl_free. unpack believes
 * none of them: SL_EDATA for what pack cannot have made with as many
 * metrics. */
SL_MUST_USE sl_status sl_recorder_pack(const sl_recorder *r, double **out,
                                       int64_t *n);
SL_MUST_USE sl_status sl_recorder_unpack(sl_recorder *r, const double *from,
                                         int64_t n);

SL_MUST_USE sl_status sl_recorder_row(sl_recorder *r, const sl_row *row);

#endif
