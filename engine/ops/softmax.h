/* softmax.h -- softmax and log_softmax along one dimension.
 *
 * For the elements x[j] along that dimension, m their largest,
 *   softmax:     y[j] = exp(x[j] - m) / sum over k of exp(x[k] - m)
 *                dx   = y * (dy - sum over k of dy[k] * y[k])
 *   log_softmax: y[j] = x[j] - m - log(sum over k of exp(x[k] - m))
 *                dx   = dy - exp(y) * sum over k of dy[k]
 * No logit is too large: nothing is exponentiated before m is taken off. */
#ifndef SL_OPS_SOFTMAX_H
#define SL_OPS_SOFTMAX_H

#include "ops/op.h"

typedef struct sl_softmax_opts {
  int64_t dim;
} sl_softmax_opts;

#endif
