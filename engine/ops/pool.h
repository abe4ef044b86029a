/* pool.h -- windows over images: what the pooling operations share.
 *
 * Images are (N, H, W, C); each of H and W is an axis of its own. Output o of
 * a sliding axis sees the inputs from o * stride - pad on, `kernel` of them,
 * clipped to the image: padding is never read. An adaptive axis cuts its input
 * into `out` bins of nearly equal size, as PyTorch does:
 *   bin o = floor(o * in / out) .. ceil((o + 1) * in / out) - 1 */
#ifndef SL_OPS_POOL_H
#define SL_OPS_POOL_H

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

typedef struct sl_axis {
  int64_t in, out;
  int64_t kernel; /* 0: adaptive */
  int64_t stride, pad;
  int count_pad; /* padding counts as elements of a window */
} sl_axis;

/* Inputs [*begin, *end) that output o sees. */
void sl_axis_window(const sl_axis *a, int64_t o, int64_t *begin, int64_t *end);

/* Outputs [*begin, *end) that see input i. */
void sl_axis_seen_by(const sl_axis *a, int64_t i, int64_t *begin, int64_t *end);

/* How many elements an average over output o's window divides by. */
int64_t sl_axis_divisor(const sl_axis *a, int64_t o);

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
