/* flip.h -- the order of elements reversed along dimensions. Its own inverse,
 * so the gradient is flipped too. */
#ifndef SL_OPS_FLIP_H
#define SL_OPS_FLIP_H

#include "ops/op.h"

typedef struct sl_flip_opts {
  sl_ints dims; /* after infer 0-based, rising */
} sl_flip_opts;

#endif
