/* augments.h -- helpers for the suites of batch transforms. */
#ifndef SL_TESTS_AUGMENTS_H
#define SL_TESTS_AUGMENTS_H

#include "augment/draw.h"
#include "golden.h"
#include "ops/augment_images.h"

/* The options of augment_images with nothing switched on. */
sl_augment_images_opts t_pass_defaults(void);

/* Neutral rows of params for n images that look through `view`. */
sl_tensor *t_pass_params(int n, const sl_mat3 *view);

/* Runs augment_images on x with these params; releases the params. */
sl_tensor *t_pass(sl_tensor *x, sl_tensor *params,
                  const sl_augment_images_opts *o);

/* The vectors' hval(k, (1, C, h, w), 0.5) + 0.5 as f32 (1, h, w, 3), missing
 * channels 0. */
sl_tensor *t_hashed_images(uint32_t k, int channels, int h, int w);

/* t (1, h, w, 3) must be a vector [1][C][h][w]. */
void t_same_images(sl_tensor *t, json_t *want, double tol, const char *what);

#endif
