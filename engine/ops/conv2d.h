/* conv2d.h -- convolution over NHWC images, as in PyTorch a cross-correlation.
 *
 * For x (N, H, W, C), weight (O, KH, KW, C/groups) and bias (O):
 *   y[n, p, q, o] = bias[o] + sum over i, j, c of
 *     x[n, p*stride + i*dilation - padding, q*stride + j*dilation - padding,
 *       g*C/groups + c] * weight[o, i, j, c],    g = o / (O/groups)
 * with x taken as 0 outside, and
 *   OH = (H + 2*padding - dilation*(KH - 1) - 1) div stride + 1. */
#ifndef SL_OPS_CONV2D_H
#define SL_OPS_CONV2D_H

#include "ops/op.h"

typedef struct sl_conv2d_opts {
  sl_ints stride, padding, dilation; /* one number, or height and width */
  int64_t groups;
} sl_conv2d_opts;

/* All sizes of a convolution. No padding bytes: caches use it as a key. */
typedef struct sl_conv_geometry {
  int64_t n, h, w, c; /* x */
  int64_t o, kh, kw;  /* weight; its last size is c / groups */
  int64_t oh, ow;     /* y is (n, oh, ow, o) */
  int64_t stride[2], padding[2], dilation[2]; /* height, width */
  int64_t groups;
} sl_conv_geometry;

/* The geometry of x, weight and options; the error says which sizes do not
 * fit. x must be f32 or bf16, the weight f32. */
SL_MUST_USE sl_status sl_conv_geometry_of(sl_conv_geometry *g,
                                          const sl_tensor *x,
                                          const sl_tensor *weight,
                                          const sl_conv2d_opts *opts);

/* The shape of y. */
void sl_conv_spec(const sl_conv_geometry *g, sl_dtype dtype, sl_spec *out);

#endif
