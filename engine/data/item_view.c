/* item_view.c -- see item_view.h. */
#include "data/item_view.h"

#include <math.h>
#include <string.h>

sl_item_view sl_item_view_make(int x, int y, int w, int h, int to_h, int to_w) {
  return (sl_item_view){.x = x,
                        .y = y,
                        .w = w,
                        .h = h,
                        .to_h = to_h,
                        .to_w = to_w,
                        .out_h = to_h,
                        .out_w = to_w};
}

sl_item_view sl_item_view_whole(int h, int w, int mirror) {
  sl_item_view v = sl_item_view_make(0, 0, w, h, h, w);
  v.mirror = mirror;
  return v;
}

int sl_item_view_is_whole(const sl_item_view *v, int h, int w) {
  return v->x == 0 && v->y == 0 && v->w == w && v->h == h && v->out_h == h &&
         v->out_w == w && v->to_h == h && v->to_w == w;
}

int sl_item_view_is_inside(const sl_item_view *v, int h, int w) {
  return v->x >= 0 && v->y >= 0 && v->x + v->w <= w && v->y + v->h <= h;
}

/* Part of [from, from + length) of an image that is `have` pixels now, and was
 * `was` times 1 / shrink, with a rest that was cut off at its end. */
static void scale_down(double *from, double *length, int was, int shrink,
                       int have, int mirror) {
  const double s = shrink; /* a power of two: the divisions are exact */
  const double rest = mirror ? was / s - have : 0; /* the end comes first */
  const double lo = fmax(*from / s - rest, 0);
  const double hi = fmin((*from + *length) / s - rest, have);
  *from = lo;
  *length = hi - lo;
}

sl_resize sl_item_view_resize(const sl_item_view *v, int h, int w, int shrink,
                              const sl_image *have) {
  sl_resize r = {.mirror = v->mirror,
                 .x = v->x,
                 .y = v->y,
                 .w = v->w,
                 .h = v->h,
                 .to_h = v->to_h,
                 .to_w = v->to_w,
                 .cut_y = v->cut_y,
                 .cut_x = v->cut_x,
                 .out_h = v->out_h,
                 .out_w = v->out_w};
  if (shrink > 1) {
    scale_down(&r.x, &r.w, w, shrink, have->w, r.mirror);
    scale_down(&r.y, &r.h, h, shrink, have->h, 0);
  }
  return r;
}

int sl_item_view_shrink(const sl_item_view *v, int h, int w) {
  if (!sl_item_view_is_inside(v, h, w)) return 1;
  for (int s = 8; s > 1; s /= 2)
    if (v->w >= 2 * s * v->to_w && v->h >= 2 * s * v->to_h) return s;
  return 1;
}

/* --- padding -------------------------------------------------------------- */

/* Where in [lo, hi) the pixel i of an axis comes from; -1: it is black. */
static int source(int i, int lo, int hi, int pad_mode) {
  if (i >= lo && i < hi) return i;
  if (pad_mode == SL_PAD_ZEROS) return -1;
  if (pad_mode == SL_PAD_BORDER) return i < lo ? lo : hi - 1;
  const int period = 2 * (hi - lo - 1);
  if (period == 0) return lo;
  const int r = ((i - lo) % period + period) % period;
  return lo + (r < hi - lo ? r : period - r);
}

static int largest(int a, int b) {
  return a > b ? a : b;
}

static int least(int a, int b) {
  return a < b ? a : b;
}

static void pad_row(const sl_item_view *v, const uint8_t *row, int w,
                    uint8_t *out) {
  const int lo = largest(v->x, 0), hi = least(v->x + v->w, w);
  for (int x = 0; x < v->w; x++, out += 3) {
    const int from = source(v->x + x, lo, hi, v->pad_mode);
    const int column = v->mirror ? w - 1 - from : from;
    if (from < 0)
      memset(out, 0, 3);
    else
      memcpy(out, row + 3 * (ptrdiff_t)column, 3);
  }
}

sl_status sl_item_view_pad(const sl_item_view *v, const sl_image *src,
                           sl_image *dst) {
  SL_TRY(sl_image_resize(dst, v->h, v->w));
  const int lo = largest(v->y, 0), hi = least(v->y + v->h, src->h);
  for (int y = 0; y < v->h; y++) {
    const int from = source(v->y + y, lo, hi, v->pad_mode);
    uint8_t *out = dst->px + (size_t)y * (size_t)v->w * 3;
    if (from < 0)
      memset(out, 0, (size_t)v->w * 3);
    else
      pad_row(v, src->px + (size_t)from * (size_t)src->w * 3, src->w, out);
  }
  return SL_OK;
}
