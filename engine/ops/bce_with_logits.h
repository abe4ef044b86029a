/* bce_with_logits.h -- binary cross-entropy of independent yes/no classes.
 *
 * For a logit z, its target y (0, 1 or between) and the weight p of positives
 * (1 unless given; one for each class: the last dimension), PyTorch's
 *   loss = (1 - y) z + (1 + (p - 1) y) log(1 + exp(-z))
 *   dz   = (1 - y) - (1 + (p - 1) y) sigmoid(-z)
 * with log(1 + exp(-z)) = max(-z, 0) + log1p(exp(-|z|)), which is finite for
 * every z. The mean is over all elements. Targets are constants. */
#ifndef SL_OPS_BCE_WITH_LOGITS_H
#define SL_OPS_BCE_WITH_LOGITS_H

#include "ops/loss.h"
#include "ops/op.h"

typedef struct sl_bce_with_logits_opts {
  int reduction; /* sl_reduction */
} sl_bce_with_logits_opts;

#endif
