/* pixels.c -- see pixels.h.
 *
 * Sampling goes row by row, in two phases: loops over plain float arrays that
 * the compiler vectorises make coordinates, folds them into the image and
 * turns them into taps; then one loop gathers four pixels for each output
 * pixel. Coordinates outside and inside go the same way, without branches. */
#include "cpu/pixels.h"

#include <math.h>
#include <stddef.h>

int sl_homography_is_identity(const sl_homography *h) {
  for (int i = 0; i < 9; i++)
    if (h->m[i] != (i % 4 == 0)) return 0;
  return 1;
}

static sl_homography multiply(const sl_homography *a, const sl_homography *b) {
  sl_homography out = {{0}};
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++)
      for (int k = 0; k < 3; k++)
        out.m[3 * i + j] += a->m[3 * i + k] * b->m[3 * k + j];
  return out;
}

/* --- scratch -------------------------------------------------------------- */

size_t sl_sampler_scratch(int64_t width) {
  return (size_t)width * (6 * sizeof(float) + 4 * sizeof(int32_t));
}

void sl_sampler_place(sl_sampler *s, int64_t width, void *scratch) {
  float *f = scratch;
  int32_t *i = (int32_t *)(f + 6 * width);
  s->width = width;
  s->px = f;
  s->py = f + width;
  s->x = (sl_taps){i, i + width, f + 2 * width, f + 3 * width};
  s->y = (sl_taps){i + 2 * width, i + 3 * width, f + 4 * width, f + 5 * width};
}

/* --- coordinates ---------------------------------------------------------- */

/* Index k of n output pixels, counted from `first`, as scale * k + shift in
 * [-1, 1]. A single pixel lies in the middle. */
static void normalised(int64_t n, int64_t first, int align, double *scale,
                       double *shift) {
  const double size = (double)n, from = (double)first;
  if (n == 1 && align) {
    *scale = *shift = 0;
    return;
  }
  *scale = align ? 2 / (size - 1) : 2 / size;
  *shift = align ? 2 * from / (size - 1) - 1 : (2 * from + 1) / size - 1;
}

void sl_sampler_aim(sl_sampler *s, const sl_homography *view, int64_t oh,
                    int64_t ow, int64_t top, int64_t left) {
  const double w = (double)s->in.w, h = (double)s->in.h;
  double sx, tx, sy, ty;
  normalised(ow, left, s->align_corners, &sx, &tx);
  normalised(oh, top, s->align_corners, &sy, &ty);
  const sl_homography from = {{sx, 0, tx, 0, sy, ty, 0, 0, 1}};
  const double kx = s->align_corners ? (w - 1) / 2 : w / 2;
  const double ky = s->align_corners ? (h - 1) / 2 : h / 2;
  const double half = s->align_corners ? 0 : 0.5;
  const sl_homography to = {{kx, 0, kx - half, 0, ky, ky - half, 0, 0, 1}};
  const sl_homography seen = multiply(view, &from);
  s->map = multiply(&to, &seen);
}

static void coordinates(const sl_sampler *s, int64_t i) {
  const double *m = s->map.m, y = (double)i;
  const float x0 = (float)(m[1] * y + m[2]), x1 = (float)m[0];
  const float y0 = (float)(m[4] * y + m[5]), y1 = (float)m[3];
  const float d0 = (float)(m[7] * y + m[8]), d1 = (float)m[6];
  float *restrict px = s->px, *restrict py = s->py;
  for (int64_t j = 0; j < s->width; j++) {
    const float t = (float)(int32_t)j, d = d1 * t + d0;
    px[j] = (x1 * t + x0) / d;
    py[j] = (y1 * t + y0) / d;
  }
}

/* Mirrors p at low and low + span until it lies between them, as grid_sample
 * does. A coordinate beyond all reason (a horizon in the picture) is not
 * counted, so that the conversion to int is defined; clip() catches it. */
static void reflect(float *restrict p, int64_t n, float low, float span) {
  const float inverse = span > 0 ? 1 / span : 0;
  for (int64_t j = 0; j < n; j++) {
    const float a = fabsf(p[j] - low), q = a * inverse;
    const int32_t turns = q < 0x1p24f ? (int32_t)q : 0;
    const float r = a - (float)turns * span;
    p[j] = low + (turns & 1 ? span - r : r);
  }
}

/* Written so that NaN becomes lo. */
static void clip(float *restrict p, int64_t n, float lo, float hi) {
  for (int64_t j = 0; j < n; j++) {
    const float a = p[j] > lo ? p[j] : lo;
    p[j] = a < hi ? a : hi;
  }
}

/* Folds coordinates into the image: [0, size - 1]; with zeros around it
 * [-1, size], where no tap has a weight. */
static void fold(const sl_sampler *s, float *p, int64_t size) {
  const float last = (float)(size - 1);
  if (s->pad == SL_PAD_ZEROS) {
    clip(p, s->width, -1, last + 1);
    return;
  }
  if (s->pad == SL_PAD_REFLECTION && s->align_corners)
    reflect(p, s->width, 0, last);
  else if (s->pad == SL_PAD_REFLECTION)
    reflect(p, s->width, -0.5f, last + 1);
  clip(p, s->width, 0, last);
}

/* Rounds to the nearest whole number, ties to even; |p| < 2^22. */
static void whole(float *restrict p, int64_t n) {
  const float magic = 0x1.8p23f;
  for (int64_t j = 0; j < n; j++)
    p[j] = (p[j] + magic) - magic;
}

/* The two taps of each coordinate in [-1, size]: step is from one index to
 * the next. Taps outside have weight 0 and an index inside. */
static void make_taps(const float *restrict p, int64_t n, int32_t size,
                      int32_t step, const sl_taps *t) {
  int32_t *restrict i0 = t->i0, *restrict i1 = t->i1;
  float *restrict w0 = t->w0, *restrict w1 = t->w1;
  for (int64_t j = 0; j < n; j++) {
    const int32_t a = (int32_t)(p[j] + 1) - 1, b = a + 1;
    const float f = p[j] - (float)a;
    const int in_a = a >= 0 && a < size, in_b = b < size;
    w0[j] = in_a ? 1 - f : 0;
    w1[j] = in_b ? f : 0;
    i0[j] = (in_a ? a : 0) * step;
    i1[j] = (in_b ? b : 0) * step;
  }
}

static void gather(const sl_sampler *s, sl_pixel *restrict out) {
  const sl_pixel *restrict in = s->in.at;
  const sl_taps x = s->x, y = s->y;
  for (int64_t j = 0; j < s->width; j++) {
    const sl_pixel *a = in + y.i0[j], *b = in + y.i1[j];
    const sl_pixel top = a[x.i0[j]] * x.w0[j] + a[x.i1[j]] * x.w1[j];
    const sl_pixel low = b[x.i0[j]] * x.w0[j] + b[x.i1[j]] * x.w1[j];
    out[j] = top * y.w0[j] + low * y.w1[j];
  }
}

void sl_sampler_row(const sl_sampler *s, int64_t i, sl_pixel *out) {
  coordinates(s, i);
  fold(s, s->px, s->in.w);
  fold(s, s->py, s->in.h);
  if (s->mode == SL_SAMPLE_NEAREST) {
    whole(s->px, s->width);
    whole(s->py, s->width);
  }
  make_taps(s->px, s->width, (int32_t)s->in.w, 1, &s->x);
  make_taps(s->py, s->width, (int32_t)s->in.h, (int32_t)s->in.w, &s->y);
  gather(s, out);
}

/* --- whole images --------------------------------------------------------- */

static void unpack_u8(sl_pixel *restrict out, const uint8_t *restrict in,
                      int64_t n) {
  for (int64_t j = 0; j < n; j++, in += 3)
    out[j] = (sl_pixel){in[0], in[1], in[2], 0} / 255.0f;
}

static void unpack_f32(sl_pixel *restrict out, const float *restrict in,
                       int64_t n) {
  for (int64_t j = 0; j < n; j++, in += 3)
    out[j] = (sl_pixel){in[0], in[1], in[2], 0};
}

void sl_pixels_unpack(sl_pixels *out, const void *rgb, sl_dtype dtype,
                      int64_t width, int64_t top, int64_t left, int64_t h,
                      int64_t w) {
  out->h = h;
  out->w = w;
  for (int64_t i = 0; i < h; i++) {
    const int64_t from = ((top + i) * width + left) * 3;
    if (dtype == SL_U8)
      unpack_u8(out->at + i * w, (const uint8_t *)rgb + from, w);
    else
      unpack_f32(out->at + i * w, (const float *)rgb + from, w);
  }
}

static sl_pixel mean(const sl_pixel *in, int64_t stride, int64_t h, int64_t w) {
  sl_pixel sum = {0, 0, 0, 0};
  for (int64_t y = 0; y < h; y++, in += stride)
    for (int64_t x = 0; x < w; x++)
      sum += in[x];
  return sum / (float)(h * w);
}

void sl_pixels_average(const sl_pixels *in, sl_pixels *out, int64_t oh,
                       int64_t ow) {
  out->h = oh;
  out->w = ow;
  for (int64_t i = 0; i < oh; i++) {
    const int64_t y0 = i * in->h / oh, y1 = ((i + 1) * in->h + oh - 1) / oh;
    for (int64_t j = 0; j < ow; j++) {
      const int64_t x0 = j * in->w / ow, x1 = ((j + 1) * in->w + ow - 1) / ow;
      out->at[i * ow + j] =
          mean(in->at + y0 * in->w + x0, in->w, y1 - y0, x1 - x0);
    }
  }
}
