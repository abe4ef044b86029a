/* augment_images.h -- one fused pass from stored pixels to network input.
 *
 *   out = augment_images(x, params [, stats, boxes, items])
 *
 * x (N, H, W, 3) is u8, or f32 in [0, 1]. Each image goes through:
 *   1. x / 255, if u8
 *   2. sampling at `size` by its homography (out of params), if it is not the
 *      identity or if the size changes
 *   3. the window `crop` of that, sampled at `crop_size`
 *   4. light, y = sigmoid(L), L = mul * logit(x) + add, then, over channels,
 *      L = L * saturation + grey(L) * (1 - saturation); then hue
 *   5. (y - mean) / std
 *   6. N(0, 1) noise inside boxes
 * Steps that would change nothing are left out.
 *
 * Coordinates are those of torch.nn.functional.grid_sample: x to the right,
 * y down, -1 and 1 the centres of the outer pixels (align_corners) or their
 * outer edges. The homography takes a point of the output to the point of the
 * input that is seen there.
 *
 * Before sampling down by more than two the input is averaged over areas, to
 * sl_prefilter_size (fastai's rule); for step 2 only where `prefilter` says
 * so, since that depends on the whole batch. */
#ifndef SL_OPS_AUGMENT_IMAGES_H
#define SL_OPS_AUGMENT_IMAGES_H

#include "ops/op.h"
#include "ops/sample_modes.h"

extern const char *const sl_sample_names[]; /* of sl_sample */
extern const char *const sl_pad_names[];    /* of sl_pad_mode */

typedef struct sl_augment_images_opts {
  sl_ints size;             /* (h, w) of step 2; n = 0: x's */
  sl_ints crop;             /* top, left, height, width; n = 0: no step 3 */
  sl_ints crop_size;        /* (h, w) of step 3; n = 0: the crop's */
  int64_t seed, epoch, use; /* the noise: stream (seed, epoch, items[i], use) */
  int mode, crop_mode;      /* sl_sample */
  int pad_mode;             /* sl_pad_mode, of step 2 */
  int align_corners;        /* of step 2; step 3 always does */
  int prefilter;            /* step 2 may average areas first */
  int dtype;                /* of out: f32 or bf16 */
} sl_augment_images_opts;

/* fastai's rule for averaging before an image h x w is sampled ow wide:
 *   d = min(h / ow, w / 2) / 2,  sizes trunc(h / d), trunc(w / d)
 * when d > 1. Meant was min(h / oh, w / ow): fastai takes the last two sizes
 * of its grid, (N, oh, ow, 2). For squares it is the same; the numbers of
 * others follow it, and so do we. Returns d; gives h and w if d <= 1. */
double sl_prefilter_size(int64_t h, int64_t w, int64_t ow, int64_t *ph,
                         int64_t *pw);

#endif
