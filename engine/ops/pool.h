/* pool.h -- windows over images: what the pooling operations share.
 *
 * Images are (N, H, W, C); each of H and W is an axis of its own. Output o of
 * a sliding axis sees the inputs from o * stride - pad on, `kernel` of them,
 * clipped to the image: padding is never read. An adaptive axis cuts its input
 * into `out` bins of nearly equal size, as PyTorch does:
 *   bin o = floor(o * in / out) .. ceil((o + 1) * in / out) - 1 */
#ifndef SL_OPS_POOL_H
#define SL_OPS_POOL_H

#include "ops/axis.h"
#include "ops/op.h"

typedef struct sl_max_pool2d_opts {
  sl_ints kernel_size, stride, padding;
  int ceil_mode;
} sl_max_pool2d_opts;

typedef struct sl_avg_pool2d_opts {
  sl_ints kernel_size, stride, padding;
  int ceil_mode;
  int count_include_pad;
} sl_avg_pool2d_opts;

typedef struct sl_adaptive_avg_pool2d_opts {
  sl_ints output_size;
} sl_adaptive_avg_pool2d_opts;

/* The axes of each operation; they check x and the options. */
SL_MUST_USE sl_status sl_max_pool2d_axes(const sl_tensor *x,
                                         const sl_max_pool2d_opts *o,
                                         sl_axis axes[2]);
SL_MUST_USE sl_status sl_avg_pool2d_axes(const sl_tensor *x,
                                         const sl_avg_pool2d_opts *o,
                                         sl_axis axes[2]);
SL_MUST_USE sl_status sl_adaptive_avg_pool2d_axes(
    const sl_tensor *x, const sl_adaptive_avg_pool2d_opts *o, sl_axis axes[2]);

/* The axes of a global pool: one bin each. */
SL_MUST_USE sl_status sl_global_pool_axes(const sl_tensor *x, sl_axis axes[2]);

#endif
