/* dropout.h -- inverted dropout.
 *
 *   y[j] = x[j] / (1 - p) where kept[j], else 0;  dx = dy treated alike
 *   kept[j] = (word j%4 of philox(seed, {j/4, SL_RNG_OP, 0, call})) >> 8
 *             >= p 2^24
 * The mask is not saved but made again in backward. It depends on the seed and
 * the number of the call alone: not on threads, nor on the backend. Without
 * training, or with p = 0, y = x and no random call is used up. */
#ifndef SL_OPS_DROPOUT_H
#define SL_OPS_DROPOUT_H

#include "ops/random.h"

typedef struct sl_dropout_opts {
  double p; /* the share that is dropped, in [0, 1] */
  int training;
  sl_random_state at; /* not an option: this call's stream */
} sl_dropout_opts;

#endif
