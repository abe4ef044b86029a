/* batch_norm.h -- batch normalisation with a fused residual and activation.
 *
 * For x (.., C), with the sums over all M values of a channel:
 *   training: mean = sum(x) / M      var = sum((x - mean)^2) / M
 *     running_mean = (1 - momentum) * running_mean + momentum * mean
 *     running_var  = (1 - momentum) * running_var + momentum * var * M/(M-1)
 *       (but not where that would be no finite number)
 *   else: mean and var are the running ones, and constants to the gradient
 *   y = act((x - mean) / sqrt(var + eps) * gamma + beta + residual)
 * (Ioffe and Szegedy 2015; running statistics as PyTorch keeps them.) */
#ifndef SL_OPS_BATCH_NORM_H
#define SL_OPS_BATCH_NORM_H

#include "ops/op.h"

typedef struct sl_norm_opts {
  double eps, momentum;
  int training;
  int act; /* sl_act */
} sl_norm_opts;

/* Checks gamma, beta, running_mean and running_var, from in[first] on, for
 * `channels`, and that `values` per channel suffice. */
SL_MUST_USE sl_status sl_norm_check(const sl_call *c, int first,
                                    int64_t channels, int64_t values,
                                    int training);

/* Checks in[i], the residual, against the shape of the output. */
SL_MUST_USE sl_status sl_norm_check_residual(const sl_call *c, int i,
                                             const sl_spec *out);

#endif
