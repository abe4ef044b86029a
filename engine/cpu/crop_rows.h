/* crop_rows.h -- the resized crop of an image that is never whole in memory.
 *
 * A crop's window comes row by row, sampled or as stored; where it becomes less
 * than half as large its rows are averaged first (fastai's rule), then they are
 * resized across and two of them blended. Each stage keeps the two rows that it
 * made last, so asked from top to bottom every row is made once, and all of
 * them stay in the first-level cache. Used by augment_images.c alone. */
#ifndef SL_CPU_CROP_ROWS_H
#define SL_CPU_CROP_ROWS_H

#include "cpu/pixels.h"

typedef struct sl_row_pair {
  float *row[2];
  int64_t at[2]; /* which rows they are; -1: none */
} sl_row_pair;

/* What a crop becomes: the same for all images of a batch. */
typedef struct sl_crop_plan {
  int64_t h, w;           /* of the window */
  int64_t mean_h, mean_w; /* after averaging; the window's, if none */
  int64_t out_h, out_w;
  sl_taps x, y; /* of the resize, one for each output column and row */
} sl_crop_plan;

/* Bytes of scratch for the taps of a plan; and filling it, from the sizes of
 * the window and of the result. */
size_t sl_crop_plan_scratch(int64_t out_h, int64_t out_w);
void sl_crop_plan_make(sl_crop_plan *p, sl_sample mode, void *scratch);

/* One worker's stages. */
typedef struct sl_crop_rows {
  const sl_crop_plan *plan;
  const sl_sampler *view; /* of the window; NULL: it is part of `image` */
  sl_pixels image;
  int64_t top, left; /* of the window, without a sampler */
  sl_row_pair window, mean, wide;
  float *sum;
} sl_crop_rows;

/* Bytes of scratch for the stages, and handing them out. */
size_t sl_crop_rows_scratch(const sl_crop_plan *p);
void sl_crop_rows_place(sl_crop_rows *c, const sl_crop_plan *p, void *scratch);

/* Forgets the rows of the image before. */
void sl_crop_rows_begin(sl_crop_rows *c);

/* Row y of the result; best from top to bottom. */
void sl_crop_row(sl_crop_rows *c, int64_t y, float *out);

#endif
