/* extremum.h -- max, min, argmax, argmin.
 *
 * The first of equal elements is taken; a NaN is larger and smaller than all
 * numbers, so that it is not overlooked. Positions are 1-based (i32), along the
 * one dimension or in row-major order of all of them. The gradient goes to the
 * element that was taken. */
#ifndef SL_OPS_EXTREMUM_H
#define SL_OPS_EXTREMUM_H

#include "ops/reduce.h"

/* Same fields as sl_reduce_opts; the option is called dim. */
typedef struct sl_extremum_opts {
  sl_ints dim;
  int keepdim;
} sl_extremum_opts;

/* The same as options of a reduction. */
sl_reduce_opts sl_extremum_as_reduce(const sl_extremum_opts *o);

#endif
