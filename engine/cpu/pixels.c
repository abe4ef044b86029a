/* pixels.c -- see pixels.h.
 *
 * Sampling goes row by row, in two phases: loops over plain float arrays that
 * the compiler vectorises make coordinates, folds them into the image and
 * turns them into taps; then one loop gathers four pixels for each output
 * pixel, the two neighbours of a row in one load. Coordinates outside and
 * inside go the same way, without branches. */
#include "cpu/pixels.h"

#include <math.h>
#include <string.h>

#include "cpu/simd.h"

typedef float pixel __attribute__((vector_size(16)));
typedef float pair __attribute__((vector_size(32)));
typedef uint8_t pair_u8 __attribute__((vector_size(8)));

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
  return (size_t)width * (4 * sizeof(float) + 2 * sizeof(int32_t));
}

void sl_sampler_place(sl_sampler *s, int64_t width, void *scratch) {
  float *f = scratch;
  int32_t *i = (int32_t *)(f + 4 * width);
  s->width = width;
  s->x = (sl_taps){i, f, f + width};
  s->y = (sl_taps){i + width, f + 2 * width, f + 3 * width};
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

/* Coordinates of one row lie in the taps' first weights. */
SL_INLINE void coordinates(const sl_sampler *s, int64_t i) {
  const double *m = s->map.m, y = (double)i;
  const float x0 = (float)(m[1] * y + m[2]), x1 = (float)m[0];
  const float y0 = (float)(m[4] * y + m[5]), y1 = (float)m[3];
  const float d0 = (float)(m[7] * y + m[8]), d1 = (float)m[6];
  float *restrict px = s->x.w0, *restrict py = s->y.w0;
  for (int64_t j = 0; j < s->width; j++) {
    const float t = (float)(int32_t)j, d = d1 * t + d0;
    px[j] = (x1 * t + x0) / d;
    py[j] = (y1 * t + y0) / d;
  }
}

/* Mirrors p at low and low + span until it lies between them, as grid_sample
 * does. A coordinate beyond all reason (a horizon in the picture) is not
 * counted, so that the conversion to int is defined; clip() catches it. */
SL_INLINE void reflect(float *restrict p, int64_t n, float low, float span) {
  const float inverse = span > 0 ? 1 / span : 0;
  for (int64_t j = 0; j < n; j++) {
    const float a = fabsf(p[j] - low), q = a * inverse;
    const int32_t turns = q < 0x1p24f ? (int32_t)q : 0;
    const float r = a - (float)turns * span;
    p[j] = low + (turns & 1 ? span - r : r);
  }
}

/* Written so that NaN becomes lo. */
SL_INLINE void clip(float *restrict p, int64_t n, float lo, float hi) {
  for (int64_t j = 0; j < n; j++) {
    const float a = p[j] > lo ? p[j] : lo;
    p[j] = a < hi ? a : hi;
  }
}

/* Folds coordinates into the image: [0, size - 1]; with zeros around it
 * [-1, size], where no tap has a weight. */
SL_INLINE void fold(const sl_sampler *s, float *p, int64_t size) {
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
SL_INLINE void whole(float *restrict p, int64_t n) {
  const float magic = 0x1.8p23f;
  for (int64_t j = 0; j < n; j++)
    p[j] = (p[j] + magic) - magic;
}

/* The taps of each coordinate in [-1, size], which lies in t->w0: of a pair
 * inside the image, the weights of a hat around the coordinate. */
SL_INLINE void make_taps(int64_t n, int32_t size, const sl_taps *t) {
  const int32_t last = size > 1 ? size - 2 : 0;
  const float second = size > 1 ? 1 : 0;
  int32_t *restrict i = t->i;
  float *restrict w0 = t->w0, *restrict w1 = t->w1;
  for (int64_t j = 0; j < n; j++) {
    const float p = w0[j];
    const int32_t a = (int32_t)(p + 1) - 1, b = a > 0 ? a : 0;
    const int32_t at = b < last ? b : last;
    const float d = p - (float)at; /* in [-1, 2] */
    const float up = d > 0 ? d : 0, down = 2 - d, first = 1 - fabsf(d);
    i[j] = at;
    w0[j] = first > 0 ? first : 0;
    w1[j] = (up < down ? up : down) * second;
  }
}

static SL_SIMD void pixels_look(const sl_sampler *s, int64_t i) {
  coordinates(s, i);
  fold(s, s->x.w0, s->in.w);
  fold(s, s->y.w0, s->in.h);
  if (s->mode == SL_SAMPLE_NEAREST) {
    whole(s->x.w0, s->width);
    whole(s->y.w0, s->width);
  }
  make_taps(s->width, (int32_t)s->in.w, &s->x);
  make_taps(s->width, (int32_t)s->in.h, &s->y);
}

void sl_sampler_look(const sl_sampler *s, int64_t i) {
  pixels_look(s, i);
}

/* --- gathering ------------------------------------------------------------ */

SL_INLINE void put(float *out, const pixel *p) {
  memcpy(out, p, sizeof *p); /* the fourth is written over by the next */
}

/* Two neighbours as floats: r g b r g b and two of the slack. */
SL_INLINE void load_pair_u8(pair *out, const uint8_t *p) {
  pair_u8 bytes;
  memcpy(&bytes, p, sizeof bytes);
  *out = __builtin_convertvector(bytes, pair);
}

/* Across rows first, both pixels at once, then along. */
static SL_SIMD void pixels_gather_u8(const sl_sampler *s, float *restrict out) {
  const uint8_t *in = s->in.at;
  const sl_taps x = s->x, y = s->y;
  const int64_t row = 3 * s->in.w, below = s->in.h > 1 ? row : 0;
  for (int64_t j = 0; j < s->width; j++) {
    const uint8_t *at = in + y.i[j] * row + 3 * x.i[j];
    pair top, low;
    load_pair_u8(&top, at);
    load_pair_u8(&low, at + below);
    const pair v = top * y.w0[j] + low * y.w1[j];
    const pixel left = __builtin_shufflevector(v, v, 0, 1, 2, 3);
    const pixel right = __builtin_shufflevector(v, v, 3, 4, 5, 6);
    const pixel p = left * x.w0[j] + right * x.w1[j];
    put(out + 3 * j, &p);
  }
}

SL_INLINE void load_pixel(pixel *out, const float *p) {
  memcpy(out, p, sizeof *out);
}

static SL_SIMD void pixels_gather_f32(const sl_sampler *s,
                                      float *restrict out) {
  const float *in = s->in.at;
  const sl_taps x = s->x, y = s->y;
  const int64_t row = 3 * s->in.w, below = s->in.h > 1 ? row : 0;
  const int64_t right = s->in.w > 1 ? 3 : 0;
  for (int64_t j = 0; j < s->width; j++) {
    const float *at = in + y.i[j] * row + 3 * x.i[j];
    pixel a, b, c, d;
    load_pixel(&a, at);
    load_pixel(&b, at + below);
    load_pixel(&c, at + right);
    load_pixel(&d, at + below + right);
    const pixel p = (a * y.w0[j] + b * y.w1[j]) * x.w0[j] +
                    (c * y.w0[j] + d * y.w1[j]) * x.w1[j];
    put(out + 3 * j, &p);
  }
}

void sl_sampler_row(const sl_sampler *s, int64_t i, float *out) {
  pixels_look(s, i);
  if (s->in.dtype == SL_U8)
    pixels_gather_u8(s, out);
  else
    pixels_gather_f32(s, out);
}

/* --- rows ----------------------------------------------------------------- */

static SL_SIMD void pixels_from_u8(const uint8_t *restrict in, int64_t n,
                                   float *restrict out) {
  for (int64_t j = 0; j < n; j++)
    out[j] = (float)in[j];
}

static SL_SIMD void pixels_add_u8(const uint8_t *restrict in, int64_t n,
                                  float *restrict sum) {
  for (int64_t j = 0; j < n; j++)
    sum[j] += (float)in[j];
}

static SL_SIMD void pixels_add_f32(const float *restrict in, int64_t n,
                                   float *restrict sum) {
  for (int64_t j = 0; j < n; j++)
    sum[j] += in[j];
}

void sl_pixels_row(const sl_pixels *in, int64_t y, int64_t left, int64_t n,
                   float *out) {
  const int64_t from = 3 * (y * in->w + left);
  if (in->dtype == SL_U8)
    pixels_from_u8((const uint8_t *)in->at + from, 3 * n, out);
  else
    memcpy(out, (const float *)in->at + from, 3 * (size_t)n * sizeof *out);
}

void sl_pixels_add_row(const sl_pixels *in, int64_t y, int64_t left, int64_t n,
                       float *sum) {
  const int64_t from = 3 * (y * in->w + left);
  if (in->dtype == SL_U8)
    pixels_add_u8((const uint8_t *)in->at + from, 3 * n, sum);
  else
    pixels_add_f32((const float *)in->at + from, 3 * n, sum);
}

void sl_row_add(const float *row, int64_t n, float *sum) {
  pixels_add_f32(row, n, sum);
}

void sl_average_share(int64_t i, int64_t n, int64_t parts, int64_t *begin,
                      int64_t *end) {
  *begin = i * n / parts;
  *end = ((i + 1) * n + parts - 1) / parts;
}

/* The shares' bounds are counted on, not divided: j * n = whole * ow + rest. */
void sl_row_average(const float *sum, int64_t n, int64_t rows, int64_t ow,
                    float *out) {
  for (int64_t j = 0, whole_part = 0, rest = 0; j < ow; j++) {
    pixel all = {0, 0, 0, 0}, one;
    const int64_t begin = whole_part;
    whole_part += n / ow;
    rest += n % ow;
    if (rest >= ow) whole_part++, rest -= ow;
    const int64_t end = whole_part + (rest > 0);
    for (int64_t x = begin; x < end; x++) {
      load_pixel(&one, sum + 3 * x);
      all += one;
    }
    all /= (float)(rows * (end - begin));
    put(out + 3 * j, &all);
  }
}

void sl_pixels_average(const sl_pixels *in, int64_t oh, int64_t ow, float *sum,
                       float *out) {
  for (int64_t i = 0; i < oh; i++) {
    int64_t begin, end;
    sl_average_share(i, in->h, oh, &begin, &end);
    sl_pixels_row(in, begin, 0, in->w, sum);
    for (int64_t y = begin + 1; y < end; y++)
      sl_pixels_add_row(in, y, 0, in->w, sum);
    sl_row_average(sum, in->w, end - begin, ow, out + 3 * i * ow);
  }
}

static SL_SIMD void pixels_resize(const float *in, int64_t right,
                                  const sl_taps *x, int64_t n,
                                  float *restrict out) {
  for (int64_t j = 0; j < n; j++) {
    const float *at = in + 3 * x->i[j];
    pixel a, b;
    load_pixel(&a, at);
    load_pixel(&b, at + right);
    const pixel p = a * x->w0[j] + b * x->w1[j];
    put(out + 3 * j, &p);
  }
}

void sl_row_resize(const float *in, int64_t width, const sl_taps *x, int64_t n,
                   float *out) {
  pixels_resize(in, width > 1 ? 3 : 0, x, n, out);
}

static SL_SIMD void pixels_blend(const float *restrict a,
                                 const float *restrict b, float wa, float wb,
                                 int64_t n, float *restrict out) {
  for (int64_t j = 0; j < n; j++)
    out[j] = a[j] * wa + b[j] * wb;
}

void sl_row_blend(const float *a, const float *b, float wa, float wb, int64_t n,
                  float *out) {
  pixels_blend(a, b, wa, wb, n, out);
}
