/* resample.c -- see resample.h.
 *
 * One loop does the work of both passes: weigh(), a weighted sum of rows of
 * bytes. That is what the vertical pass is. For the horizontal pass, strips of
 * 16 rows are transposed into columns of 16 pixels, which are the rows that
 * weigh() needs; its result is one output pixel of 16 rows at once. */
#include "data/resample.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "data/weigh.h"

enum { STRIP = 16, COLUMN = 3 * STRIP };

/* Weights of n outputs: output i is a sum over pixels first[i], first[i] + 1,
 * ..., taps[i] of them, counted from the box's first whole pixel. */
typedef struct axis {
  int n, width;
  int32_t *first, *taps, *k; /* k: (n, width) */
  int begin, end;            /* all pixels that are needed */
  int same;                  /* every output is its pixel */
  size_t capacity;           /* of first, in int32 */
} axis;

struct sl_resampler {
  axis x, y;
  sl_image middle; /* between the passes */
  sl_image strip;  /* columns of STRIP pixels */
  sl_weigh *weigh;
};

/* Where to read: w columns from px on, from the right if mirrored. */
typedef struct view {
  const uint8_t *px;
  ptrdiff_t stride;
  int w, mirror;
} view;

sl_status sl_resampler_new(sl_resampler **out) {
  *out = sl_alloc(1, sizeof **out);
  SL_REQUIRE(*out, SL_ENOMEM, "no memory for a resampler");
  (*out)->weigh = sl_weigh_best();
  return SL_OK;
}

void sl_resampler_free(sl_resampler *s) {
  if (!s) return;
  sl_free(s->x.first);
  sl_free(s->y.first);
  sl_image_clear(&s->middle);
  sl_image_clear(&s->strip);
  sl_free(s);
}

/* --- weights -------------------------------------------------------------- */

static sl_status axis_reserve(axis *a, int n, int width) {
  const size_t need = (size_t)n * ((size_t)width + 2);
  if (need > a->capacity) {
    int32_t *grown = sl_realloc(a->first, need * sizeof *grown);
    SL_REQUIRE(grown, SL_ENOMEM, "no memory for the weights of a resize");
    a->first = grown;
    a->capacity = need;
  }
  a->n = n;
  a->width = width;
  a->taps = a->first + n;
  a->k = a->taps + n;
  return SL_OK;
}

static double triangle(double x) {
  x = fabs(x);
  return x < 1 ? 1 - x : 0;
}

/* Row i of the table: the output whose centre lies at c, of n pixels. */
static void axis_output(axis *a, int i, double c, double f, int n) {
  int lo = (int)(c - f + 0.5), hi = (int)(c + f + 0.5);
  lo = lo < 0 ? 0 : lo;
  hi = hi > n ? n : hi;
  double sum = 0;
  for (int x = lo; x < hi; x++)
    sum += triangle((x - c + 0.5) * (1 / f));
  int32_t *k = a->k + (ptrdiff_t)i * a->width;
  for (int x = lo; x < hi; x++) {
    const double w = triangle((x - c + 0.5) * (1 / f)) / sum;
    k[x - lo] = (int32_t)(0.5 + w * (1 << SL_WEIGHT_BITS));
  }
  while (hi - lo > 1 && k[hi - lo - 1] == 0)
    hi--; /* often, if f is whole */
  a->first[i] = lo;
  a->taps[i] = hi - lo;
}

/* Outputs cut..cut+n-1 of `to`, from `length` pixels that start the fraction
 * `start` into a row of whole pixels. */
static sl_status axis_make(axis *a, double start, double length, int to,
                           int cut, int n) {
  const double scale = length / to, f = scale < 1 ? 1 : scale;
  const int whole = (int)ceil(start + length);
  SL_TRY(axis_reserve(a, n, (int)ceil(f) * 2 + 1));
  for (int i = 0; i < n; i++)
    axis_output(a, i, start + (cut + i + 0.5) * scale, f, whole);
  a->same = start <= 0 && length >= to && length <= to;
  a->begin = a->first[0];
  a->end = a->first[n - 1] + a->taps[n - 1];
  return SL_OK;
}

/* --- passes --------------------------------------------------------------- */

static void vertical(const sl_resampler *s, view in, uint8_t *out,
                     ptrdiff_t stride) {
  const axis *a = &s->y;
  for (int i = 0; i < a->n; i++)
    s->weigh(in.px + (a->first[i] - a->begin) * in.stride, in.stride,
             a->k + (ptrdiff_t)i * a->width, a->taps[i], out + i * stride,
             in.w * 3);
}

/* Column x of `rows` rows becomes row x of the strip. */
static void gather(view in, int rows, uint8_t *strip) {
  for (int x = 0; x < in.w; x++, strip += COLUMN) {
    const uint8_t *from = in.px + 3 * (in.mirror ? in.w - 1 - x : x);
    for (int r = 0; r < rows; r++)
      memcpy(strip + 3 * r, from + r * in.stride, 3);
  }
}

static sl_status horizontal(sl_resampler *s, view in, int h, uint8_t *out,
                            ptrdiff_t stride) {
  const axis *a = &s->x;
  SL_TRY(sl_image_resize(&s->strip, in.w, STRIP));
  memset(s->strip.px, 0, (size_t)in.w * COLUMN);
  for (int y = 0; y < h; y += STRIP) {
    const int rows = h - y < STRIP ? h - y : STRIP;
    gather(in, rows, s->strip.px);
    for (int i = 0; i < a->n; i++) {
      uint8_t column[COLUMN];
      s->weigh(s->strip.px + (a->first[i] - a->begin) * COLUMN, COLUMN,
               a->k + (ptrdiff_t)i * a->width, a->taps[i], column, COLUMN);
      for (int r = 0; r < rows; r++)
        memcpy(out + r * stride + 3 * i, column + 3 * r, 3);
    }
    in.px += STRIP * in.stride;
    out += STRIP * stride;
  }
  return SL_OK;
}

/* A crop that keeps its size. */
static void copy(view in, int h, uint8_t *out, ptrdiff_t stride) {
  for (int y = 0; y < h; y++, in.px += in.stride, out += stride) {
    if (!in.mirror)
      memcpy(out, in.px, (size_t)in.w * 3);
    else
      for (int x = 0; x < in.w; x++)
        memcpy(out + 3 * x, in.px + 3 * (in.w - 1 - x), 3);
  }
}

/* Pillow 13's rule, on the sizes of the whole resize. */
static int vertical_first(const sl_resize *r) {
  return r->to_h < r->h && r->h - r->to_h > 2 * (r->w - r->to_w);
}

/* `in` holds just the columns and rows that the axes need. */
static sl_status both(sl_resampler *s, view in, int columns_first, uint8_t *dst,
                      ptrdiff_t stride) {
  const int rows = s->y.end - s->y.begin;
  if (columns_first) {
    SL_TRY(sl_image_resize(&s->middle, s->y.n, in.w));
    vertical(s, in, s->middle.px, 3 * (ptrdiff_t)in.w);
    in.px = s->middle.px;
    in.stride = 3 * (ptrdiff_t)in.w;
    return horizontal(s, in, s->y.n, dst, stride);
  }
  SL_TRY(sl_image_resize(&s->middle, rows, s->x.n));
  const view middle = {s->middle.px, 3 * (ptrdiff_t)s->x.n, s->x.n, 0};
  SL_TRY(horizontal(s, in, rows, s->middle.px, middle.stride));
  vertical(s, middle, dst, stride);
  return SL_OK;
}

static sl_status check(const sl_image *src, const sl_resize *r) {
  SL_REQUIRE(r->x >= 0 && r->y >= 0 && r->w > 0 && r->h > 0 &&
                 r->x + r->w <= src->w && r->y + r->h <= src->h,
             SL_EINVAL, "the box %g,%g %gx%g is not inside %d x %d pixels",
             r->x, r->y, r->w, r->h, src->w, src->h);
  SL_REQUIRE(r->out_w > 0 && r->out_h > 0 && r->cut_x >= 0 && r->cut_y >= 0 &&
                 r->cut_x + r->out_w <= r->to_w &&
                 r->cut_y + r->out_h <= r->to_h,
             SL_EINVAL, "the window %d,%d %dx%d is not inside %d x %d pixels",
             r->cut_x, r->cut_y, r->out_w, r->out_h, r->to_w, r->to_h);
  return SL_OK;
}

sl_status sl_resample(sl_resampler *s, const sl_image *src, const sl_resize *r,
                      uint8_t *dst, ptrdiff_t stride) {
  SL_TRY(check(src, r));
  const int x0 = (int)r->x, y0 = (int)r->y;
  SL_TRY(axis_make(&s->x, r->x - x0, r->w, r->to_w, r->cut_x, r->out_w));
  SL_TRY(axis_make(&s->y, r->y - y0, r->h, r->to_h, r->cut_y, r->out_h));
  view in = {.stride = 3 * (ptrdiff_t)src->w,
             .w = s->x.end - s->x.begin,
             .mirror = r->mirror};
  const int left = x0 + s->x.begin, top = y0 + s->y.begin;
  const int column = r->mirror ? src->w - left - in.w : left;
  in.px = src->px + top * in.stride + 3 * (ptrdiff_t)column;
  if (s->y.same && !s->x.same) return horizontal(s, in, r->out_h, dst, stride);
  if (s->y.same)
    copy(in, r->out_h, dst, stride);
  else if (s->x.same && !r->mirror)
    vertical(s, in, dst, stride);
  else
    return both(s, in, vertical_first(r), dst, stride);
  return SL_OK;
}
