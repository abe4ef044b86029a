/* item_geometry.h -- the arithmetic of crops: fastai's, with the draws passed
 * in (semantics.md, 4.3). Widths come first here, as in the formulas. */
#ifndef SL_DATA_ITEM_GEOMETRY_H
#define SL_DATA_ITEM_GEOMETRY_H

#include "data/item_transform.h"

/* The crop of Resize in pixels of a w x h image, for a result of size:
 * m = min(w/sw, h/sh), for padding max; box (int(m sw), int(m sh)); corner
 * (int(px (w - box w)), int(py (h - box h))). Draws px, py in [0, 1); .5 is
 * the middle. Squish: the whole image. */
void sl_resize_box(int w, int h, sl_hw size, int method, double px, double py,
                   sl_item_view *box);

/* One try of RandomResizedCrop, of a crop *cw x *ch:
 * area = U(min_scale, max_scale) w h, ratio = exp U(ln r0, ln r1),
 * cw = rint(sqrt(area ratio)), ch = rint(sqrt(area / ratio)).
 * Returns whether it fits into the image. */
int sl_rrc_try(int w, int h, const sl_random_resized_crop_opts *o,
               double u_area, double u_ratio, int *cw, int *ch);

/* When ten tries failed: the largest crop with a ratio that is allowed. */
void sl_rrc_fallback(int w, int h, const sl_random_resized_crop_opts *o,
                     int *cw, int *ch);

/* Pixels that validation adds to both sides before it cuts the middle out:
 * ceil(longer side * val_xtra / 8) * 8. */
int sl_rrc_extra(sl_hw size, double val_xtra);

/* floor(a / 2) for the middle; also below zero, as Python's //. */
int sl_half(int a);

#endif
