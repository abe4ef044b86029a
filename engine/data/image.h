/* image.h -- 8-bit RGB pixels in memory, in a buffer that is used again. */
#ifndef SL_DATA_IMAGE_H
#define SL_DATA_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Rows top to bottom, h * w * 3 bytes, no gaps. {0} is an empty image. */
typedef struct sl_image {
  int h, w;
  uint8_t *px;     /* by sl_alloc_data */
  size_t capacity; /* bytes behind px; grows, never shrinks */
} sl_image;

/* Makes room for h x w pixels and sets the size; the pixels are undefined. */
SL_MUST_USE sl_status sl_image_resize(sl_image *m, int h, int w);

void sl_image_clear(sl_image *m); /* frees the pixels; m is empty again */

#endif
