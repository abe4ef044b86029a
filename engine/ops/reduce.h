/* reduce.h -- reductions over dimensions: sums and the like (reduce.def),
 * var and std, max and min, argmax and argmin.
 *
 * Sums are kept in double. Without dims everything is reduced, to rank 0. */
#ifndef SL_OPS_REDUCE_H
#define SL_OPS_REDUCE_H

#include "ops/op.h"

/* After infer dims holds the dimensions themselves, in rising order. */
typedef struct sl_reduce_opts {
  sl_ints dims;
  int keepdim;
  int unbiased; /* var, std */
} sl_reduce_opts;

/* dims becomes what is to be reduced: 0-based, rising; all if there are none.
 * Twice the same is an error. */
SL_MUST_USE sl_status sl_reduce_dims(sl_ints *dims, int rank);

/* out's rank and shape, of x reduced over those dims. */
void sl_reduce_shape(const sl_tensor *x, const sl_reduce_opts *o, sl_spec *out);

/* How many elements of x go into one of the result. */
int64_t sl_reduce_count(const sl_tensor *x, const sl_ints *dims);

#endif
