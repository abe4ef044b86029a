/* augments.c -- see augments.h. */
#include "augments.h"

#include <math.h>
#include <string.h>

#include "support.h"

enum { PARAMS = SL_AUGMENT_PARAMS };

sl_augment_images_opts t_pass_defaults(void) {
  sl_augment_images_opts o;
  sl_op_defaults(sl_op_get(SL_OP_augment_images), &o);
  return o;
}

/* Neutral rows of params for n images that look through `view`. */
sl_tensor *t_pass_params(int n, const sl_mat3 *view) {
  sl_tensor *t = t_zeros(SL_F32, 2, n, PARAMS);
  for (int i = 0; i < n; i++) {
    float *p = sl_f32(t) + i * PARAMS;
    for (int k = 0; k < 9; k++)
      p[k] = (float)view->m[k];
    p[SL_AUGMENT_MUL] = p[SL_AUGMENT_SATURATION] = 1;
  }
  return t;
}

/* Runs the op on x with these params; releases the params. */
sl_tensor *t_pass(sl_tensor *x, sl_tensor *params,
                  const sl_augment_images_opts *o) {
  sl_tensor *out = t_run(SL_OP_augment_images, o, 2, x, params);
  sl_tensor_release(params);
  return out;
}

/* hval(k, (1, C, h, w), 0.5) + 0.5 as (1, h, w, 3), missing channels 0. */
sl_tensor *t_hashed_images(uint32_t k, int channels, int h, int w) {
  sl_tensor *t = t_zeros(SL_F32, 4, 1, h, w, 3);
  for (int c = 0; c < channels; c++)
    for (int i = 0; i < h * w; i++)
      sl_f32(t)[3 * i + c] =
          (float)((2 * t_hash(k, (uint32_t)(c * h * w + i)) - 1) * 0.5) + 0.5f;
  return t;
}

/* t (1, h, w, 3) against a vector [1][C][h][w]. */
void t_same_images(sl_tensor *t, json_t *want, double tol, const char *what) {
  json_t *channels = json_array_get(want, 0);
  for (size_t c = 0; c < json_array_size(channels); c++) {
    json_t *rows = json_array_get(channels, c);
    ck_assert_int_eq(t->shape[1], (int64_t)json_array_size(rows));
    for (size_t y = 0; y < json_array_size(rows); y++) {
      json_t *row = json_array_get(rows, y);
      ck_assert_int_eq(t->shape[2], (int64_t)json_array_size(row));
      for (size_t x = 0; x < json_array_size(row); x++) {
        const float got = sl_f32(t)[(y * (size_t)t->shape[2] + x) * 3 + c];
        ck_assert_msg(fabs((double)got - t_at(row, x)) <= tol,
                      "%s: [%zu][%zu][%zu] is %.9g, want %.9g", what, c, y, x,
                      (double)got, t_at(row, x));
      }
    }
  }
}
