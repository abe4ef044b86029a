/* draw.h -- the geometry of batch transforms, as pure functions of draws.
 *
 * Nothing here draws at random but the functions that take a stream. The
 * formulas are fastai's (fastai/vision/augment.py, 2.8). Coordinates: x to the
 * right, y down, the image spans [-1, 1]; a matrix takes a point of the output
 * to the point of the input that is seen there. */
#ifndef SL_AUGMENT_DRAW_H
#define SL_AUGMENT_DRAW_H

#include <stdint.h>

#include "augment/transforms.h"
#include "base/rng.h"

/* Row-major 3x3, acting on (x, y, 1). */
typedef struct sl_mat3 {
  double m[9];
} sl_mat3;

extern const sl_mat3 sl_mat3_identity;

sl_mat3 sl_mat3_mul(const sl_mat3 *a, const sl_mat3 *b);

/* k in 0..7: 0 as it is, 1 mirrored left and right, ... (fastai's order). */
sl_mat3 sl_mat3_dihedral(int k);

/* [[cos, sin], [-sin, cos]]. */
sl_mat3 sl_mat3_rotate(double degrees);

/* Scales by s = 1 / zoom about the place (col, row), both in [0, 1]: the
 * translation is (1 - s) (2 col - 1), likewise row. */
sl_mat3 sl_mat3_zoom(double zoom, double col, double row);

/* For an image h x w, where x and y have different units: m01 *= h / w and
 * m10 *= w / h. */
sl_mat3 sl_mat3_prepare(const sl_mat3 *a, int64_t h, int64_t w);

/* The perspective that takes the corners moved by mx and my, |mx| + |my| < 1,
 * back to the corners. */
sl_mat3 sl_mat3_warp(double mx, double my);

/* Largest minus smallest of all coordinates x and y of the grid oh x ow seen
 * through a, over both axes; widens *lo and *hi. */
void sl_mat3_extent(const sl_mat3 *a, int64_t oh, int64_t ow, int align_corners,
                    double *lo, double *hi);

typedef struct sl_box {
  int64_t top, left, h, w;
} sl_box;

/* RandomResizedCropGPU on an image h x w. try: 1 if a crop of the area and
 * shape that u_area and u_ratio in [0, 1) say fits: its size goes to h and w
 * of box. draw: ten tries, then the middle. valid: the validation form. */
int sl_crop_try(const sl_crop_opts *o, int64_t h, int64_t w, double u_area,
                double u_ratio, sl_box *box);
sl_box sl_crop_draw(const sl_crop_opts *o, int64_t h, int64_t w, sl_rng *r);
sl_box sl_crop_valid(const sl_crop_opts *o, int64_t h, int64_t w);

/* One of count boxes of RandomErasing on an image h x w, from four draws in
 * [0, 1). May be larger than the image; then it starts at its border. */
sl_box sl_erasing_box(const sl_erasing_opts *o, int64_t h, int64_t w,
                      int64_t count, double u_area, double u_aspect,
                      double u_top, double u_left);

/* Brightness b in (0, 1), neutral 0.5: what is added to logits. */
double sl_brightness_term(double b);

/* exp of a uniform draw between ln(1 - amount) and -ln(1 - amount). */
double sl_light_factor(double amount, double u);

#endif
