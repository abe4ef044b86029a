/* norm_batch.h -- one batch normalisation by all workers: what each has summed
 * up becomes everybody's coefficients. */
#ifndef SL_CPU_NORM_BATCH_H
#define SL_CPU_NORM_BATCH_H

#include "cpu/norm.h"
#include "ops/op.h"

typedef struct sl_norm_worker {
  sl_norm_coefs k; /* the worker's own copy: no barrier after computing them */
  sl_norm_sums sums;
  double *mean, *var; /* C each, for merging */
} sl_norm_worker;

typedef struct sl_norm_batch {
  const float *gamma, *beta;
  float *running_mean, *running_var;
  float *mean, *rstd; /* saved by forward for backward; may be NULL there */
  double eps, momentum;
  int training;
  int64_t rows, c; /* of the whole batch */
  sl_norm_worker *workers;
  size_t bytes; /* of workers and all their arrays, one block */
} sl_norm_batch;

/* gamma, beta, running mean and variance are in[first..first + 3]; mean and
 * rstd saved[saved] and the next. */
SL_MUST_USE sl_status sl_norm_batch_new(sl_norm_batch *b, const sl_call *c,
                                        int first, int saved, int64_t rows,
                                        int64_t channels);
void sl_norm_batch_free(sl_norm_batch *b);

/* Forward, on every worker, after the barrier that follows the statistics:
 * this worker's coefficients. Worker 0 also saves mean and rstd and updates
 * the running statistics. */
void sl_norm_batch_learn(sl_norm_batch *b, int worker, int n_workers);

/* Backward, on every worker, before its first rows: scale, shift, mean and
 * rstd as forward saved them; the sums are cleared. */
void sl_norm_batch_recall(sl_norm_batch *b, int worker);

/* Backward, on every worker, after the barrier that follows the sums: k0 and
 * k1. Worker 0 also writes, or adds to, the gradients of gamma and beta (NULL:
 * not wanted). */
typedef struct sl_norm_dparams {
  float *dgamma, *dbeta;
  int add_gamma, add_beta;
} sl_norm_dparams;
void sl_norm_batch_finish(sl_norm_batch *b, int worker, int n_workers,
                          const sl_norm_dparams *d);

#endif
