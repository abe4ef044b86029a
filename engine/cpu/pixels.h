/* pixels.h -- images of four floats a pixel, and sampling them.
 *
 * The fourth float pads a pixel to one vector register; its value is never
 * looked at. Used by augment_images.c alone. */
#ifndef SL_CPU_PIXELS_H
#define SL_CPU_PIXELS_H

#include <stdint.h>

#include "ops/augment_images.h"

typedef float sl_pixel __attribute__((vector_size(16)));

typedef struct sl_pixels {
  sl_pixel *at; /* h * w, row by row */
  int64_t h, w;
} sl_pixels;

/* Row-major 3x3, acting on (x, y, 1). */
typedef struct sl_homography {
  double m[9];
} sl_homography;

int sl_homography_is_identity(const sl_homography *h);

/* How each output pixel is looked up, and with which weight. Along x an index
 * is a column, along y an offset of a row. */
typedef struct sl_taps {
  int32_t *i0, *i1;
  float *w0, *w1;
} sl_taps;

typedef struct sl_sampler {
  sl_pixels in;
  sl_homography map; /* output column, row -> input column, row */
  sl_sample mode;
  sl_pad_mode pad;
  int align_corners;
  int64_t width;  /* of an output row */
  float *px, *py; /* coordinates of one row: scratch, width floats each */
  sl_taps x, y;   /* scratch, width entries each */
} sl_sampler;

/* Bytes of scratch for rows of that width, and handing them to a sampler. */
size_t sl_sampler_scratch(int64_t width);
void sl_sampler_place(sl_sampler *s, int64_t width, void *scratch);

/* Sets the map for an output of oh x ow of which the part from (top, left) is
 * wanted. view is in normalised coordinates, output -> input. Set `in` and
 * align_corners before. */
void sl_sampler_aim(sl_sampler *s, const sl_homography *view, int64_t oh,
                    int64_t ow, int64_t top, int64_t left);

/* Samples row i of the output. */
void sl_sampler_row(const sl_sampler *s, int64_t i, sl_pixel *out);

/* h x w pixels from (top, left) of a packed RGB image `width` wide, of u8
 * (divided by 255) or f32. */
void sl_pixels_unpack(sl_pixels *out, const void *rgb, sl_dtype dtype,
                      int64_t width, int64_t top, int64_t left, int64_t h,
                      int64_t w);

/* out[i][j] = mean of in over [floor(i*h/oh), ceil((i+1)*h/oh)), likewise j:
 * torch's adaptive average. */
void sl_pixels_average(const sl_pixels *in, sl_pixels *out, int64_t oh,
                       int64_t ow);

#endif
