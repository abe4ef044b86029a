/* sampling_formulas.h -- where a sampled pixel looks, as C and CUDA compile it:
 * see augment_images.h for the coordinates. */
#ifndef SL_OPS_SAMPLING_FORMULAS_H
#define SL_OPS_SAMPLING_FORMULAS_H

#include <math.h>
#include <stdint.h>

#include "base/portable.h"
#include "ops/sample_modes.h"

/* Row-major 3x3, acting on (x, y, 1). */
typedef struct sl_homography {
  double m[9];
} sl_homography;

SL_PORTABLE int sl_homography_same(const sl_homography *h) {
  for (int i = 0; i < 9; i++)
    if (h->m[i] != (i % 4 == 0)) return 0;
  return 1;
}

SL_PORTABLE sl_homography sl_homography_of(const sl_homography *a,
                                           const sl_homography *b) {
  sl_homography out;
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) {
      out.m[3 * i + j] = 0;
      for (int k = 0; k < 3; k++)
        out.m[3 * i + j] += a->m[3 * i + k] * b->m[3 * k + j];
    }
  return out;
}

/* Index k of n output pixels, counted from `first`, as scale * k + shift in
 * [-1, 1]. A single pixel lies in the middle. */
SL_PORTABLE void sl_normalised(int64_t n, int64_t first, int align,
                               double *scale, double *shift) {
  const double size = (double)n, from = (double)first;
  if (n == 1 && align) {
    *scale = *shift = 0;
    return;
  }
  *scale = align ? 2 / (size - 1) : 2 / size;
  *shift = align ? 2 * from / (size - 1) - 1 : (2 * from + 1) / size - 1;
}

/* Output column, row -> input column, row, for an input h x w seen by `view` as
 * an output oh x ow, of which the part from (top, left) is wanted. */
SL_PORTABLE sl_homography sl_sample_map(const sl_homography *view, int align,
                                        int64_t h, int64_t w, int64_t oh,
                                        int64_t ow, int64_t top, int64_t left) {
  double sx, tx, sy, ty;
  sl_normalised(ow, left, align, &sx, &tx);
  sl_normalised(oh, top, align, &sy, &ty);
  const sl_homography from = {{sx, 0, tx, 0, sy, ty, 0, 0, 1}};
  const double kx = align ? ((double)w - 1) / 2 : (double)w / 2;
  const double ky = align ? ((double)h - 1) / 2 : (double)h / 2;
  const double half = align ? 0 : 0.5;
  const sl_homography to = {{kx, 0, kx - half, 0, ky, ky - half, 0, 0, 1}};
  const sl_homography seen = sl_homography_of(view, &from);
  return sl_homography_of(&to, &seen);
}

/* How coordinates are folded into the image: into [0, size - 1]; with zeros
 * around it [-1, size], where no tap has a weight. */
typedef enum sl_fold_kind {
  SL_CLIP,
  SL_MIRROR_CENTRES,
  SL_MIRROR_EDGES
} sl_fold_kind;

typedef struct sl_fold_range {
  float lo, hi;               /* where coordinates end */
  float low, period, inverse; /* a mirror, and twice the way to the other */
} sl_fold_range;

SL_PORTABLE sl_fold_kind sl_fold_kind_of(sl_pad_mode pad, int align) {
  if (pad != SL_PAD_REFLECTION) return SL_CLIP;
  return align ? SL_MIRROR_CENTRES : SL_MIRROR_EDGES;
}

SL_PORTABLE sl_fold_range sl_fold_range_of(sl_pad_mode pad, sl_fold_kind kind,
                                           int64_t size) {
  const float last = (float)(size - 1);
  sl_fold_range r = {0, last, 0, 2 * last, 0};
  if (pad == SL_PAD_ZEROS) {
    r.lo = -1;
    r.hi = last + 1;
  }
  if (kind == SL_MIRROR_EDGES) {
    r.low = -0.5f;
    r.period = 2 * (last + 1);
  }
  r.inverse = r.period > 0 ? 1 / r.period : 0;
  return r;
}

/* To the nearest whole number, ties to even; |p| < 2^22. */
SL_PORTABLE float sl_whole(float p) {
  return (p + 0x1.8p23f) - 0x1.8p23f;
}

/* Mirrors p until it lies between the mirrors, as grid_sample does: the way to
 * the nearest image of the first one. Of coordinates beyond all reason (a
 * horizon in the picture) nothing sensible; sl_clipped catches them. */
SL_PORTABLE float sl_reflected(float p, const sl_fold_range *r) {
  const float a = p - r->low;
  return r->low + fabsf(a - sl_whole(a * r->inverse) * r->period);
}

/* Written so that NaN becomes lo. */
SL_PORTABLE float sl_clipped(float p, const sl_fold_range *r) {
  const float a = p > r->lo ? p : r->lo;
  return a < r->hi ? a : r->hi;
}

/* The pair of pixels inside the image that a folded coordinate looks at: its
 * first, and the weights of a hat around the coordinate. What lies outside has
 * weight 0. */
SL_PORTABLE int32_t sl_tap(float p, int64_t size, float *w0, float *w1) {
  const int32_t last = size > 1 ? (int32_t)size - 2 : 0;
  const float second = size > 1 ? 1 : 0;
  const int32_t a = (int32_t)p, b = a > 0 ? a : 0, at = b < last ? b : last;
  const float d = p - (float)at; /* in [-1, 2] */
  const float up = d > 0 ? d : 0, down = 2 - d, first = 1 - fabsf(d);
  *w0 = first > 0 ? first : 0;
  *w1 = (up < down ? up : down) * second;
  return at;
}

#endif
