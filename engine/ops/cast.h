/* cast.h -- cast: the same values in another dtype. Floats become integers by
 * truncation within the integer's range; f32 becomes bf16 by rounding to
 * nearest even. contiguous: the same values, dense and row-major. */
#ifndef SL_OPS_CAST_H
#define SL_OPS_CAST_H

#include "ops/op.h"

typedef struct sl_cast_opts {
  int dtype; /* sl_dtype */
} sl_cast_opts;

#endif
