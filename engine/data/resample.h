/* resample.h -- Pillow's antialiased bilinear resize, to the byte.
 *
 * Per axis, n source pixels to m: scale = n/m, f = max(scale, 1); output i has
 * its centre at c = (i + .5) * scale and takes the pixels x of
 *   [max((int)(c - f + .5), 0), min((int)(c + f + .5), n))
 * with weights max(0, 1 - |x - c + .5| / f), normalised to sum 1 in double and
 * rounded to 22 bits. Two passes with bytes in between; Pillow 13's order:
 * vertical first if that leaves much less to do (semantics.md, 4.2). */
#ifndef SL_DATA_RESAMPLE_H
#define SL_DATA_RESAMPLE_H

#include "data/image.h"

/* Crop, then resize, then crop again; one read and one write of each pixel.
 * The box counts in the source after mirroring; pixels outside it are not
 * looked at, as if the crop had been made first. A box with fractions (of an
 * image that was shrunk on load) has its whole pixels' worth of rim. */
typedef struct sl_resize {
  int mirror;                     /* left and right of the source swapped */
  double x, y, w, h;              /* the box, inside the source */
  int to_h, to_w;                 /* the box becomes this size */
  int cut_y, cut_x, out_h, out_w; /* and this window of it is written */
} sl_resize;

typedef struct sl_resampler sl_resampler; /* buffers of one thread */

SL_MUST_USE sl_status sl_resampler_new(sl_resampler **out);
void sl_resampler_free(sl_resampler *s); /* NULL is allowed */

/* Writes out_h rows of out_w pixels, `stride` bytes from row to row. SL_EINVAL
 * when box or window reach outside; SL_ENOMEM. */
SL_MUST_USE sl_status sl_resample(sl_resampler *s, const sl_image *src,
                                  const sl_resize *r, uint8_t *dst,
                                  ptrdiff_t stride);

#endif
