/* conv_bn_act.h -- convolution, batch norm, residual and activation as one:
 *   y = conv2d(x, weight)
 *   z = batch_norm(y, gamma, beta, running_mean, running_var, residual){act}
 * (formulas in conv2d.h and batch_norm.h).
 *
 * Without a residual z is lazily normalised (tensor/tensor.h): only y is
 * computed. x and residual may be lazy themselves and are then normalised
 * chunk by chunk as they are read. Nothing but y is kept for backward. The
 * gradient of a lazy input is that of its value z. */
#ifndef SL_OPS_CONV_BN_ACT_H
#define SL_OPS_CONV_BN_ACT_H

#include "ops/batch_norm.h"
#include "ops/conv2d.h"

typedef struct sl_conv_bn_act_opts {
  sl_ints stride, padding;
  int64_t groups;
  double eps, momentum;
  int training;
  int act; /* sl_act */
} sl_conv_bn_act_opts;

/* The inputs' places. */
enum {
  SL_CBA_X,
  SL_CBA_WEIGHT,
  SL_CBA_GAMMA,
  SL_CBA_BETA,
  SL_CBA_MEAN,
  SL_CBA_VAR,
  SL_CBA_RESIDUAL,
};

/* The geometry of its convolution. */
SL_MUST_USE sl_status sl_conv_bn_act_geometry(sl_conv_geometry *g,
                                              const sl_call *c,
                                              const sl_conv_bn_act_opts *o);

#endif
