/* pixels.h -- rows of any pixel format to RGB, and turning images upright. */
#ifndef SL_DATA_PIXELS_H
#define SL_DATA_PIXELS_H

#include "data/image.h"

/* n pixels of `bands` samples each at `in` to n RGB triples at out. Bands
 * beyond those that are needed (alpha) are passed over. */
typedef void sl_to_rgb(const void *in, int n, int bands, uint8_t *out);

sl_to_rgb sl_rgb_from_grey8, sl_rgb_from_grey16; /* 16 bits: the upper 8 */
sl_to_rgb sl_rgb_from_rgb8, sl_rgb_from_rgb16;

/* Pillow's cmyk2rgb: (255 - C) * (255 - K) / 255, rounded; 0 is no ink. */
sl_to_rgb sl_rgb_from_cmyk;

/* Turns src as EXIF orientation 1..8 asks and writes it to dst. */
SL_MUST_USE sl_status sl_image_orient(const sl_image *src, int orientation,
                                      sl_image *dst);

#endif
