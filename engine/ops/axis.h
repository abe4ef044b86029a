/* axis.h -- one axis of pooling windows: C and CUDA alike. See pool.h for what
 * the windows are. */
#ifndef SL_OPS_AXIS_H
#define SL_OPS_AXIS_H

#include <stdint.h>

#include "base/portable.h"

typedef struct sl_axis {
  int64_t in, out;
  int64_t kernel; /* 0: adaptive */
  int64_t stride, pad;
  int count_pad; /* padding counts as elements of a window */
} sl_axis;

SL_PORTABLE int64_t sl_ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

SL_PORTABLE int64_t sl_axis_clip(int64_t v, int64_t most) {
  return v < 0 ? 0 : v > most ? most : v;
}

/* Inputs [*begin, *end) that output o sees. */
SL_PORTABLE void sl_axis_window(const sl_axis *a, int64_t o, int64_t *begin,
                                int64_t *end) {
  if (a->kernel == 0) {
    *begin = o * a->in / a->out;
    *end = sl_ceil_div((o + 1) * a->in, a->out);
    return;
  }
  const int64_t first = o * a->stride - a->pad;
  *begin = sl_axis_clip(first, a->in);
  *end = sl_axis_clip(first + a->kernel, a->in);
}

/* Outputs [*begin, *end) that see input i: from the first o whose window ends
 * past i to the first that begins past it: sl_axis_window's formulas solved
 * for o. */
SL_PORTABLE void sl_axis_seen_by(const sl_axis *a, int64_t i, int64_t *begin,
                                 int64_t *end) {
  if (a->kernel == 0) {
    *begin = i * a->out / a->in;
    *end = sl_ceil_div((i + 1) * a->out, a->in);
    return;
  }
  const int64_t from = i + a->pad - a->kernel + 1;
  *begin = sl_axis_clip(from > 0 ? sl_ceil_div(from, a->stride) : 0, a->out);
  *end = sl_axis_clip((i + a->pad) / a->stride + 1, a->out);
}

/* How many elements an average over output o's window divides by. */
SL_PORTABLE int64_t sl_axis_divisor(const sl_axis *a, int64_t o) {
  int64_t begin, end;
  sl_axis_window(a, o, &begin, &end);
  if (!a->count_pad) return end - begin;
  const int64_t first = o * a->stride - a->pad, edge = a->in + a->pad;
  return (first + a->kernel < edge ? first + a->kernel : edge) - first;
}

#endif
