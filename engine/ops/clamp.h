/* clamp.h -- y = min(max(x, lo), hi). The slope is 1 for lo < x < hi, else 0.
 * NaN stays NaN. */
#ifndef SL_OPS_CLAMP_H
#define SL_OPS_CLAMP_H

#include "ops/op.h"

typedef struct sl_clamp_opts {
  double min, max;
} sl_clamp_opts;

#endif
