/* norm.h -- the row kernels of batch normalisation, each on a chunk of rows of
 * C channels by one worker, and what workers exchange between them.
 *
 *   pre = scale * y + shift (+ residual)     z = act(pre)
 *   g   = dz * act'(pre)                     (the residual's gradient)
 *   dy  = scale * g + k1 * (y - mean) + k0
 *   k0  = -scale * sum(g) / M
 *   k1  = -scale * rstd^2 * sum(g * (y - mean)) / M
 * k0 and k1 are 0 where the statistics are constants (eval). Nothing but y is
 * kept for backward: pre and the slope are computed again.
 *
 * y, z, the residual and their gradients are of one type, f32 or bf16;
 * arithmetic, statistics and coefficients are f32. */
#ifndef SL_CPU_NORM_H
#define SL_CPU_NORM_H

#include <stdint.h>

#include "tensor/tensor.h"

/* Per channel. Every worker computes its own copy: no barrier for it. */
typedef struct sl_norm_coefs {
  float *scale, *shift, *mean, *rstd, *k0, *k1;
} sl_norm_coefs;

/* One worker's share of a reduction over rows. */
typedef struct sl_norm_sums {
  double *a, *b; /* statistics: sums of y - pivot and of its square;
                    gradient: sums of g and of g * (y - mean) */
  float *pivot;  /* the worker's first row: keeps y - pivot small */
  int64_t rows;
} sl_norm_sums;

/* Clears s: to be called before the first rows are added. */
void sl_norm_sums_clear(sl_norm_sums *s, int64_t channels);

/* Adds rows of y to a worker's statistics. */
void sl_norm_stats(sl_norm_sums *s, sl_dtype type, const void *y, int64_t rows,
                   int64_t c);

/* Adds each channel's sum over the rows to `to`: a bias's gradient. */
void sl_norm_add_rows(double *to, sl_dtype type, const void *y, int64_t rows,
                      int64_t c);

/* scale and shift from gamma, beta, and k's mean and rstd. */
void sl_norm_affine(sl_norm_coefs *k, const float *gamma, const float *beta,
                    int64_t c);

/* z = act(pre); residual may be NULL, z may be y. */
void sl_norm_apply(sl_dtype type, void *z, const void *y, const void *residual,
                   int64_t rows, int64_t c, const float *scale,
                   const float *shift, sl_act act);

/* Rows that backward reads; residual may be NULL. */
typedef struct sl_norm_rows {
  sl_dtype type;
  const void *dz, *y, *residual;
  int64_t rows, c;
} sl_norm_rows;

/* Adds rows to a worker's gradient sums. */
void sl_norm_reduce(sl_norm_sums *s, const sl_norm_rows *in,
                    const sl_norm_coefs *k, sl_act act);

/* dy and the residual's gradient of a chunk; either may be NULL. */
typedef struct sl_norm_dout {
  void *dy, *dresidual;
  int add_dy, add_dresidual;
} sl_norm_dout;
void sl_norm_grad(const sl_norm_dout *d, const sl_norm_rows *in,
                  const sl_norm_coefs *k, sl_act act);

#endif
