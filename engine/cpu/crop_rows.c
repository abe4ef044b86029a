/* crop_rows.c -- see crop_rows.h. */
#include "cpu/crop_rows.h"

#include <string.h>

/* --- the plan ------------------------------------------------------------- */

size_t sl_crop_plan_scratch(int64_t out_h, int64_t out_w) {
  return sl_sampler_scratch(out_w) + sl_sampler_scratch(out_h);
}

/* Where n outputs look along an axis of `size` pixels: the row of a sampler
 * that is straight and one pixel high. */
static sl_taps axis(int64_t size, int64_t n, sl_sample mode, char *scratch) {
  static const sl_homography straight = {{1, 0, 0, 0, 1, 0, 0, 0, 1}};
  sl_sampler s = {.in = {.h = 1, .w = size},
                  .mode = mode,
                  .pad = SL_PAD_BORDER,
                  .align_corners = 1};
  sl_sampler_place(&s, n, scratch);
  sl_sampler_aim(&s, &straight, 1, n, 0, 0);
  sl_sampler_look(&s, 0);
  return s.x;
}

void sl_crop_plan_make(sl_crop_plan *p, sl_sample mode, void *scratch) {
  char *at = scratch;
  p->mean_h = p->h;
  p->mean_w = p->w;
  if (mode == SL_SAMPLE_BILINEAR)
    sl_prefilter_size(p->h, p->w, p->out_w, &p->mean_h, &p->mean_w);
  p->x = axis(p->mean_w, p->out_w, mode, at);
  p->y = axis(p->mean_h, p->out_h, mode, at + sl_sampler_scratch(p->out_w));
}

/* --- scratch -------------------------------------------------------------- */

/* Floats of a row n pixels wide, with its slack, whole cache lines. */
static size_t row_floats(int64_t n) {
  return (3 * (size_t)n + SL_PIXELS_SLACK / sizeof(float) + 15) / 16 * 16;
}

size_t sl_crop_rows_scratch(const sl_crop_plan *p) {
  return sizeof(float) * (3 * row_floats(p->w) + 2 * row_floats(p->mean_w) +
                          2 * row_floats(p->out_w));
}

static void take_pair(sl_row_pair *r, float **at, int64_t width) {
  for (int i = 0; i < 2; i++, *at += row_floats(width))
    r->row[i] = *at;
}

void sl_crop_rows_place(sl_crop_rows *c, const sl_crop_plan *p, void *scratch) {
  float *at = scratch;
  c->plan = p;
  take_pair(&c->window, &at, p->w);
  take_pair(&c->mean, &at, p->mean_w);
  take_pair(&c->wide, &at, p->out_w);
  c->sum = at;
}

void sl_crop_rows_begin(sl_crop_rows *c) {
  for (int i = 0; i < 2; i++)
    c->window.at[i] = c->mean.at[i] = c->wide.at[i] = -1;
}

/* --- stages --------------------------------------------------------------- */

/* Row i's place, and whether it is there already. */
static float *find(sl_row_pair *r, int64_t i, int *there) {
  *there = r->at[i % 2] == i;
  r->at[i % 2] = i;
  return r->row[i % 2];
}

static const float *window_row(sl_crop_rows *c, int64_t i) {
  int there;
  float *row = find(&c->window, i, &there);
  if (there) return row;
  if (c->view)
    sl_sampler_row(c->view, i, row);
  else
    sl_pixels_row(&c->image, c->top + i, c->left, c->plan->w, row);
  return row;
}

static const float *mean_row(sl_crop_rows *c, int64_t i) {
  const sl_crop_plan *p = c->plan;
  if (p->mean_h == p->h && p->mean_w == p->w) return window_row(c, i);
  int there;
  float *row = find(&c->mean, i, &there);
  if (there) return row;
  int64_t begin, end;
  sl_average_share(i, p->h, p->mean_h, &begin, &end);
  memset(c->sum, 0, 3 * (size_t)p->w * sizeof *c->sum);
  for (int64_t y = begin; y < end; y++)
    sl_row_add(window_row(c, y), 3 * p->w, c->sum);
  sl_row_average(c->sum, p->w, end - begin, p->mean_w, row);
  return row;
}

static const float *wide_row(sl_crop_rows *c, int64_t i) {
  const sl_crop_plan *p = c->plan;
  int there;
  float *row = find(&c->wide, i, &there);
  if (!there) sl_row_resize(mean_row(c, i), p->mean_w, &p->x, p->out_w, row);
  return row;
}

void sl_crop_row(sl_crop_rows *c, int64_t y, float *out) {
  const sl_crop_plan *p = c->plan;
  const int64_t i = p->y.i[y], below = p->mean_h > 1 ? i + 1 : i;
  const float *a = wide_row(c, i), *b = wide_row(c, below);
  sl_row_blend(a, b, p->y.w0[y], p->y.w1[y], 3 * p->out_w, out);
}
