/* item_geometry.c -- see item_geometry.h. */
#include "data/item_geometry.h"

#include <math.h>

/* m * size loses a pixel for some sizes (468 of 468 becomes 467): so does
 * fastai, and crops must not differ. It never becomes 0 here. */
static int scaled(double m, int size) {
  const int n = (int)(m * size);
  return n > 0 ? n : 1;
}

void sl_resize_box(int w, int h, sl_hw size, int method, double px, double py,
                   sl_item_view *box) {
  *box = sl_item_view_make(0, 0, w, h, size.h, size.w);
  if (method == SL_RESIZE_SQUISH) return;
  const double mw = (double)w / size.w, mh = (double)h / size.h;
  const double m = method == SL_RESIZE_PAD ? fmax(mw, mh) : fmin(mw, mh);
  box->w = scaled(m, size.w);
  box->h = scaled(m, size.h);
  box->x = (int)(px * (w - box->w));
  box->y = (int)(py * (h - box->h));
}

static double uniform(double lo, double hi, double u) {
  return lo + (hi - lo) * u;
}

int sl_rrc_try(int w, int h, const sl_random_resized_crop_opts *o,
               double u_area, double u_ratio, int *cw, int *ch) {
  const double area = uniform(o->min_scale, o->max_scale, u_area) * w * h;
  const double ratio =
      exp(uniform(log(o->ratio[0]), log(o->ratio[1]), u_ratio));
  *cw = (int)rint(sqrt(area * ratio));
  *ch = (int)rint(sqrt(area / ratio));
  return *cw > 0 && *ch > 0 && *cw <= w && *ch <= h;
}

void sl_rrc_fallback(int w, int h, const sl_random_resized_crop_opts *o,
                     int *cw, int *ch) {
  const double ratio = (double)w / h;
  *cw = w;
  *ch = h;
  if (ratio < o->ratio[0])
    *ch = scaled(w / o->ratio[0], 1);
  else if (ratio > o->ratio[1])
    *cw = scaled(h * o->ratio[1], 1);
}

int sl_rrc_extra(sl_hw size, double val_xtra) {
  const int side = size.h > size.w ? size.h : size.w;
  return (int)ceil(side * val_xtra / 8) * 8;
}

int sl_half(int a) {
  return a >= 0 ? a / 2 : -((1 - a) / 2);
}
