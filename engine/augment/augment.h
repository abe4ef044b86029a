/* augment.h -- batch transforms: from stored pixels to what a model sees.
 *
 * The folder: transforms.c has the transforms' names and options, draw.c their
 * geometry as pure functions; augment.c puts a list of them together,
 * augment_batch.c draws for a batch and runs the fused kernel
 * (ops/augment_images.h); statistics.c measures mean and deviation for
 * Normalize and undoes it for showing.
 *
 * Order is fastai's, whatever the list's: affine transforms together (their
 * matrices multiply in the order of the list, then perspective), the random
 * crop, light, saturation, hue, Normalize, RandomErasing. Validation takes
 * sizes, the middle of the crop, and Normalize. */
#ifndef SL_AUGMENT_AUGMENT_H
#define SL_AUGMENT_AUGMENT_H

#include "augment/transforms.h"
#include "tensor/tensor.h"

typedef struct sl_augment sl_augment;

/* Which batch it is: every draw is a function of this and of the transform's
 * place in the list, not of workers or of what was drawn before. */
typedef struct sl_augment_batch {
  uint64_t seed;
  uint32_t epoch, pass;  /* pass: of test-time augmentation; else 0 */
  const uint32_t *items; /* row of each image in its file list, from 0 */
  int train;             /* draw; else the validation form */
} sl_augment_batch;

SL_MUST_USE sl_status sl_augment_new(sl_augment **out);
void sl_augment_free(sl_augment *a); /* NULL is allowed */

/* Adds a transform; opts is its options struct (transforms.h). Fails when it
 * contradicts itself or those before it. */
SL_MUST_USE sl_status sl_augment_add(sl_augment *a, sl_batch_transform_id id,
                                     const void *opts);

/* Height and width of what comes of images h x w: the same for training and
 * validation. */
void sl_augment_size(const sl_augment *a, int64_t h, int64_t w, int64_t *oh,
                     int64_t *ow);

/* One line per transform; the text is freed by sl_free. NULL: no memory. */
char *sl_augment_text(const sl_augment *a);

/* x (N, H, W, 3), u8 or f32 in [0, 1] -> out (N, oh, ow, 3), f32 or bf16, on
 * x's backend. batch->items has N entries. */
SL_MUST_USE sl_status sl_augment_apply(const sl_augment *a, sl_tensor *x,
                                       const sl_augment_batch *batch,
                                       sl_dtype dtype, sl_tensor **out);

/* --- statistics (statistics.c) -------------------------------------------- */

/* A Normalize without statistics waits for them. */
int sl_augment_needs_statistics(const sl_augment *a);

/* Measures them on a batch that went through all other transforms but
 * RandomErasing: mean and unbiased deviation + 1e-7 of each channel. */
SL_MUST_USE sl_status sl_augment_measure(sl_augment *a, sl_tensor *x,
                                         const sl_augment_batch *batch);

/* mean and deviation of each channel; 0 when there is no Normalize or it
 * still waits. */
int sl_augment_statistics(const sl_augment *a, double mean[3], double std[3]);

/* Of float images (N, H, W, 3). */
SL_MUST_USE sl_status sl_image_statistics(sl_tensor *x, double mean[3],
                                          double std[3]);

/* For showing: x * std + mean, clipped to [0, 1], times 255, rounded: u8 on
 * the CPU. */
SL_MUST_USE sl_status sl_augment_decode(const sl_augment *a, sl_tensor *x,
                                        sl_tensor **out);

#endif
