/* pixels.h -- images of packed RGB, and sampling them row by row.
 *
 * A row is packed RGB too, floats in the image's own unit: 0..255 for u8. It is
 * made with overlapping writes of four floats, the fourth of which is the next
 * pixel's first: rows and images have SL_PIXELS_SLACK bytes behind their end
 * that may be touched. Used by augment_images.c and crop_rows.c alone. */
#ifndef SL_CPU_PIXELS_H
#define SL_CPU_PIXELS_H

#include <stddef.h>
#include <stdint.h>

#include "ops/augment_images.h"
#include "ops/sampling_formulas.h"

enum { SL_PIXELS_SLACK = 16 };

typedef struct sl_pixels {
  const void *at; /* h * w * 3, row by row */
  sl_dtype dtype; /* u8 or f32 */
  int64_t h, w;
} sl_pixels;

/* How each output pixel is looked up along one axis: pixel i and the one after
 * it, with their weights. Both lie inside (the second is the first if the axis
 * has only that one); what lies outside has weight 0. */
typedef struct sl_taps {
  int32_t *i;
  float *w0, *w1;
} sl_taps;

typedef struct sl_sampler {
  sl_pixels in;
  sl_homography map; /* output column, row -> input column, row */
  sl_sample mode;
  sl_pad_mode pad;
  int align_corners;
  int64_t width; /* of an output row */
  sl_taps x, y;  /* scratch, width entries each */
} sl_sampler;

/* Bytes of scratch for rows of that width, and handing them to a sampler. */
size_t sl_sampler_scratch(int64_t width);
void sl_sampler_place(sl_sampler *s, int64_t width, void *scratch);

/* Sets the map for an output of oh x ow of which the part from (top, left) is
 * wanted. view is in normalised coordinates, output -> input. Set `in` (its
 * size at least) and align_corners before. */
void sl_sampler_aim(sl_sampler *s, const sl_homography *view, int64_t oh,
                    int64_t ow, int64_t top, int64_t left);

/* Samples row i of the output. */
void sl_sampler_row(const sl_sampler *s, int64_t i, float *out);

/* Only where row i of the output looks, into s->x and s->y. */
void sl_sampler_look(const sl_sampler *s, int64_t i);

/* Pixels left..left+n-1 of row y as they are. */
void sl_pixels_row(const sl_pixels *in, int64_t y, int64_t left, int64_t n,
                   float *out);

/* Adds that to n pixels. */
void sl_pixels_add_row(const sl_pixels *in, int64_t y, int64_t left, int64_t n,
                       float *sum);

/* out[j] = mean of sum[x] / rows over x in [floor(j*n/ow), ceil((j+1)*n/ow)):
 * a row of torch's adaptive average, from n pixels that sum `rows` rows. */
void sl_row_average(const float *sum, int64_t n, int64_t rows, int64_t ow,
                    float *out);

/* The same for a whole image; out has oh * ow * 3 floats and slack, sum a row
 * of scratch. */
void sl_pixels_average(const sl_pixels *in, int64_t oh, int64_t ow, float *sum,
                       float *out);

/* Row i of an adaptive average takes rows *begin..*end-1 of n. */
void sl_average_share(int64_t i, int64_t n, int64_t parts, int64_t *begin,
                      int64_t *end);

/* out[j] = in[x->i[j]] * w0 + (the pixel after it) * w1, for n pixels of a row
 * that is wide `width`. */
void sl_row_resize(const float *in, int64_t width, const sl_taps *x, int64_t n,
                   float *out);

/* sum += row, n floats. */
void sl_row_add(const float *row, int64_t n, float *sum);

/* out = a * wa + b * wb, for n floats. */
void sl_row_blend(const float *a, const float *b, float wa, float wb, int64_t n,
                  float *out);

#endif
