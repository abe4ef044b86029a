/* reduction.h -- sums and extrema over dimensions, for kernels.
 *
 * A tensor is seen as (outer, n, inner), of which n is reduced: leading, middle
 * or trailing dimensions fit this as they lie, any other choice is copied into
 * place first. The work is cut into tasks of a fixed size and partial results
 * are joined in order, so the bits do not depend on the number of threads. */
#ifndef SL_CPU_REDUCTION_H
#define SL_CPU_REDUCTION_H

#include "ops/op.h"

typedef struct sl_reduction {
  int64_t outer, n, inner;
  sl_tensor *x; /* holds (outer, n, inner), dense; owned */
} sl_reduction;

/* dims: 0-based, rising (sl_reduce_dims); x contiguous. */
SL_MUST_USE sl_status sl_reduction_open(sl_reduction *r, sl_tensor *x,
                                        const sl_ints *dims);
void sl_reduction_close(sl_reduction *r);

enum { SL_PARTIAL = 8 }; /* sums side by side */

/* How a block of n elements goes into sums: `rows` spreads a run of one row
 * over SL_PARTIAL partial sums; `columns` adds element j to sum j. */
typedef struct sl_summand {
  void (*rows)(const double *x, int n, double *lanes);
  void (*columns)(const double *x, int n, double *sums);
} sl_summand;

/* sums (outer * inner) = sum over n of the summand of x - centre; centre
 * (outer * inner) may be NULL. */
SL_MUST_USE sl_status sl_reduce_sums(const sl_reduction *r, const sl_summand *f,
                                     const double *centre, double *sums);

/* The first greatest element of sign * x and where along n it is, 0-based; a
 * NaN is the greatest. n >= 1. */
SL_MUST_USE sl_status sl_reduce_best(const sl_reduction *r, double sign,
                                     double *value, int32_t *place);

/* Defines a summand from an expression of double x. */
#define SL_SUMMAND(name, map)                                                  \
  static void name##_rows(const double *restrict in, int n,                    \
                          double *restrict lanes) {                            \
    int i = 0;                                                                 \
    for (; i + SL_PARTIAL <= n; i += SL_PARTIAL)                               \
      for (int k = 0; k < SL_PARTIAL; k++) {                                   \
        const double x = in[i + k];                                            \
        lanes[k] += map;                                                       \
      }                                                                        \
    for (int k = 0; i < n; i++, k++) {                                         \
      const double x = in[i];                                                  \
      lanes[k] += map;                                                         \
    }                                                                          \
  }                                                                            \
  static void name##_columns(const double *restrict in, int n,                 \
                             double *restrict sums) {                          \
    for (int i = 0; i < n; i++) {                                              \
      const double x = in[i];                                                  \
      sums[i] += map;                                                          \
    }                                                                          \
  }                                                                            \
  static const sl_summand name = {name##_rows, name##_columns};

/* din = g summed over the dimensions in which din was broadcast to g's shape,
 * or din += that. g is contiguous. */
SL_MUST_USE sl_status sl_reduce_to(sl_tensor *din, sl_tensor *g, int add);

/* Where the gradient of input i of a broadcasting op is to be computed: din
 * itself, or a new tensor of dout's shape. Then _finish sums it up into din and
 * lets go of it. *add: whether to add to what is there. */
SL_MUST_USE sl_status sl_grad_begin(const sl_call *c, int i, sl_tensor **target,
                                    int *add);
SL_MUST_USE sl_status sl_grad_finish(const sl_call *c, int i,
                                     sl_tensor *target);

#endif
