/* jpeg.h -- plain JPEGs straight from libjpeg: the same pixels as by way of
 * libvips, whose objects cost more than decoding a small picture.
 *
 * Plain is: grey or YCbCr or RGB, no EXIF data, nothing to complain about. All
 * else is libvips's: whatever goes wrong here, it is to try again and to say
 * what is the matter. Without libjpeg no file is plain. */
#ifndef SL_DATA_JPEG_H
#define SL_DATA_JPEG_H

#include "data/image.h"

typedef struct sl_jpeg sl_jpeg;

/* Reads the file and its header; *out is NULL when it is not plain. SL_EIO when
 * it cannot be opened or read, SL_ENOMEM. */
SL_MUST_USE sl_status sl_jpeg_open(const char *path, sl_jpeg **out);
void sl_jpeg_close(sl_jpeg *j); /* NULL is allowed */

void sl_jpeg_size(const sl_jpeg *j, int *h, int *w);

/* Decodes all pixels, once; shrink 1, 2, 4 or 8 as in decode.h. *ok is 0 when
 * it is not plain after all. SL_ENOMEM. */
SL_MUST_USE sl_status sl_jpeg_read(sl_jpeg *j, int shrink, sl_image *out,
                                   int *ok);

#endif
