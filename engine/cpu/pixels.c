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
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cpu/simd.h"

typedef float pixel __attribute__((vector_size(16)));

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

void sl_sampler_aim(sl_sampler *s, const sl_homography *view, int64_t oh,
                    int64_t ow, int64_t top, int64_t left) {
  s->map = sl_sample_map(view, s->align_corners, s->in.h, s->in.w, oh, ow, top,
                         left);
}

/* Coordinates of one row lie in the taps' first weights. Without perspective
 * there is nothing to divide by. */
SL_INLINE void coordinates(const sl_sampler *s, int64_t i) {
  const double *m = s->map.m, y = (double)i;
  const float x0 = (float)(m[1] * y + m[2]), x1 = (float)m[0];
  const float y0 = (float)(m[4] * y + m[5]), y1 = (float)m[3];
  const float d0 = (float)(m[7] * y + m[8]), d1 = (float)m[6];
  float *restrict px = s->x.w0, *restrict py = s->y.w0;
  for (int64_t j = 0; j < s->width; j++) {
    const float t = (float)(int32_t)j;
    px[j] = x1 * t + x0;
    py[j] = y1 * t + y0;
  }
  if (d0 == 1 && d1 == 0) return;
  for (int64_t j = 0; j < s->width; j++) {
    const float t = (float)(int32_t)j, d = d1 * t + d0;
    px[j] /= d;
    py[j] /= d;
  }
}

/* The taps of each coordinate, which lies in t->w0. */
SL_INLINE void make_taps(const sl_sampler *s, sl_fold_kind kind, int64_t size,
                         const sl_taps *t) {
  const sl_fold_range r = sl_fold_range_of(s->pad, kind, size);
  const int64_t n = s->width;
  int32_t *restrict i = t->i;
  float *restrict w0 = t->w0, *restrict w1 = t->w1;
  if (kind != SL_CLIP)
    for (int64_t j = 0; j < n; j++)
      w0[j] = sl_reflected(w0[j], &r);
  for (int64_t j = 0; j < n; j++)
    w0[j] = sl_clipped(w0[j], &r);
  if (s->mode == SL_SAMPLE_NEAREST)
    for (int64_t j = 0; j < n; j++)
      w0[j] = sl_whole(w0[j]);
  for (int64_t j = 0; j < n; j++)
    i[j] = sl_tap(w0[j], size, &w0[j], &w1[j]);
}

SL_INLINE void both_taps(const sl_sampler *s, sl_fold_kind kind) {
  make_taps(s, kind, s->in.w, &s->x);
  make_taps(s, kind, s->in.h, &s->y);
}

static SL_SIMD void pixels_look(const sl_sampler *s, int64_t i) {
  coordinates(s, i);
  switch (sl_fold_kind_of(s->pad, s->align_corners)) {
  case SL_CLIP:
    both_taps(s, SL_CLIP);
    break;
  case SL_MIRROR_CENTRES:
    both_taps(s, SL_MIRROR_CENTRES);
    break;
  case SL_MIRROR_EDGES:
    both_taps(s, SL_MIRROR_EDGES);
    break;
  }
}

void sl_sampler_look(const sl_sampler *s, int64_t i) {
  pixels_look(s, i);
}

/* --- gathering ------------------------------------------------------------ */

/* From where in the image both rows' pairs are read: into s->x.i. */
static SL_SIMD void pixels_offsets(const sl_sampler *s) {
  int32_t *restrict x = s->x.i;
  const int32_t *restrict y = s->y.i, row = 3 * (int32_t)s->in.w;
  for (int64_t j = 0; j < s->width; j++)
    x[j] = 3 * x[j] + row * y[j];
}

SL_INLINE void put(float *out, const pixel *p) {
  memcpy(out, p, sizeof *p); /* the fourth is written over by the next */
}

SL_INLINE void load_pixel(pixel *out, const float *p) {
  memcpy(out, p, sizeof *out);
}

SL_INLINE void load_u8(pixel *out, const uint8_t *p) {
  *out = (pixel){p[0], p[1], p[2], 0};
}

/* Between rows first, then along: the order of all three. */
#define GATHER(load, in)                                                       \
  const sl_taps x = s->x, y = s->y;                                            \
  const int64_t below = s->in.h > 1 ? 3 * s->in.w : 0;                         \
  const int64_t right = s->in.w > 1 ? 3 : 0;                                   \
  for (int64_t j = 0; j < s->width; j++) {                                     \
    pixel a, b, c, d;                                                          \
    load(&a, (in) + x.i[j]);                                                   \
    load(&b, (in) + x.i[j] + below);                                           \
    load(&c, (in) + x.i[j] + right);                                           \
    load(&d, (in) + x.i[j] + below + right);                                   \
    const pixel p = (a * y.w0[j] + b * y.w1[j]) * x.w0[j] +                    \
                    (c * y.w0[j] + d * y.w1[j]) * x.w1[j];                     \
    put(out + 3 * j, &p);                                                      \
  }

static SL_SIMD void pixels_gather_f32(const sl_sampler *s,
                                      float *restrict out) {
  const float *in = s->in.at;
  GATHER(load_pixel, in)
}

static SL_SIMD void pixels_gather_u8(const sl_sampler *s, float *restrict out) {
  const uint8_t *in = s->in.at;
  GATHER(load_u8, in)
}

#if defined(__x86_64__)
/* Two neighbours in one load; compilers do not find it. The two bytes behind
 * the second pixel are never used. */
__attribute__((target("avx2,fma"))) static void
gather_pairs(const sl_sampler *s, float *restrict out) {
  const __m256i second = _mm256_setr_epi32(3, 4, 5, 6, 3, 4, 5, 6);
  const sl_taps x = s->x, y = s->y;
  const uint8_t *top = s->in.at;
  const uint8_t *low = top + (s->in.h > 1 ? 3 * s->in.w : 0);
  for (int64_t j = 0; j < s->width; j++) {
    const __m128i a = _mm_loadl_epi64((const __m128i_u *)(top + x.i[j]));
    const __m128i b = _mm_loadl_epi64((const __m128i_u *)(low + x.i[j]));
    const __m256 v = _mm256_fmadd_ps(
        _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(a)),
        _mm256_broadcast_ss(y.w0 + j),
        _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(b)),
                      _mm256_broadcast_ss(y.w1 + j)));
    const __m128 left = _mm256_castps256_ps128(v);
    const __m128 right =
        _mm256_castps256_ps128(_mm256_permutevar8x32_ps(v, second));
    _mm_storeu_ps(out + 3 * j,
                  _mm_fmadd_ps(left, _mm_broadcast_ss(x.w0 + j),
                               _mm_mul_ps(right, _mm_broadcast_ss(x.w1 + j))));
  }
}

static int has_pairs(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#else
#define gather_pairs pixels_gather_u8
static int has_pairs(void) {
  return 0;
}
#endif

void sl_sampler_row(const sl_sampler *s, int64_t i, float *out) {
  pixels_look(s, i);
  pixels_offsets(s);
  if (s->in.dtype != SL_U8)
    pixels_gather_f32(s, out);
  else if (has_pairs())
    gather_pairs(s, out);
  else
    pixels_gather_u8(s, out);
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
