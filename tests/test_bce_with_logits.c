/* test_bce_with_logits.c -- gradients, weights, extremes, errors. The numbers
 * of PyTorch are in lua/test_losses.lua. */
#include <math.h>

#include "base/threads.h"
#include "ops/bce_with_logits.h"
#include "support.h"

START_TEST(gradients) {
  const sl_bce_with_logits_opts opts = {_i};
  const float p[] = {1, 3, 0.5f};
  sl_tensor *in[] = {t_random(1, -3, 3, 2, 4, 3), t_random(2, 0, 1, 2, 4, 3),
                     t_f32(p, 1, 3)};
  t_gradcheck(SL_OP_bce_with_logits, in, 2, &opts, 0, 1e-2, 1e-3);
  t_gradcheck(SL_OP_bce_with_logits, in, 3, &opts, 0, 1e-2, 1e-3);
  for (int i = 0; i < 3; i++)
    sl_tensor_release(in[i]);
}
END_TEST

/* -p y log(sigmoid(z)) - (1 - y) log(1 - sigmoid(z)), in double. */
START_TEST(positive_weights) {
  const sl_bce_with_logits_opts none = {SL_REDUCTION_NONE};
  const float p[] = {1, 3, 0.5f};
  sl_tensor *z = t_random(3, -3, 3, 3, 2, 2, 3);
  sl_tensor *y = t_random(4, 0, 1, 3, 2, 2, 3), *w = t_f32(p, 1, 3);
  sl_tensor *loss = t_run(SL_OP_bce_with_logits, &none, 3, z, y, w);
  ck_assert(sl_tensor_same_shape(loss, z));
  for (int i = 0; i < 12; i++) {
    const double s = 1 / (1 + exp(-(double)sl_f32(z)[i]));
    const double t = (double)sl_f32(y)[i];
    const double want = -(double)p[i % 3] * t * log(s) - (1 - t) * log(1 - s);
    ck_assert_double_eq_tol((double)sl_f32(loss)[i], want, 1e-6);
  }
  sl_tensor_release(loss);
  sl_tensor_release(w);
  sl_tensor_release(y);
  sl_tensor_release(z);
}
END_TEST

START_TEST(extremes) {
  const sl_bce_with_logits_opts none = {SL_REDUCTION_NONE};
  const float v[] = {1e30f, -1e30f, 1e30f, -1e30f}, t[] = {1, 0, 0, 1};
  sl_tensor *z = t_f32(v, 1, 4), *y = t_f32(t, 1, 4);
  ck_assert_int_eq(sl_require_grad(z, 1), SL_OK);
  sl_tensor *loss = t_run(SL_OP_bce_with_logits, &none, 2, z, y), *one = NULL;
  t_close(loss, (const float[]){0, 0, 1e30f, 1e30f}, 4, 0);
  one = t_f32((const float[]){1, 1, 1, 1}, 1, 4);
  ck_assert_int_eq(sl_backward(loss, one), SL_OK);
  t_close(sl_grad(z), (const float[]){0, 0, 1, -1}, 4, 0);
  sl_tensor_release(one);
  sl_tensor_release(loss);
  sl_tensor_release(y);
  sl_tensor_release(z);
}
END_TEST

START_TEST(any_number_of_threads) {
  sl_tensor *z = t_random(6, -3, 3, 2, 999, 41);
  sl_tensor *y = t_random(7, 0, 1, 2, 999, 41);
  float loss[2];
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(sl_pool_resize(i ? 3 : 1), SL_OK);
    sl_tensor *l = t_run(SL_OP_bce_with_logits, NULL, 2, z, y);
    loss[i] = *sl_f32(l);
    sl_tensor_release(l);
  }
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
  ck_assert(loss[0] == loss[1]);
  sl_tensor_release(z);
  sl_tensor_release(y);
}
END_TEST

START_TEST(errors) {
  const sl_op_id op = SL_OP_bce_with_logits;
  sl_tensor *z = t_zeros(SL_F32, 2, 2, 3), *y = t_zeros(SL_F32, 2, 3, 2);
  sl_tensor *i = t_zeros(SL_I32, 2, 2, 3), *w = t_zeros(SL_F32, 1, 2);
  sl_tensor *none = t_zeros(SL_F32, 2, 0, 3);
  t_fails("shaped as the logits: f32 (3, 2) for f32 (2, 3)", op, NULL, 2, z, y);
  t_fails("targets must be f32", op, NULL, 2, z, i);
  t_fails("logits must be f32 or bf16", op, NULL, 2, i, z);
  t_fails("pos_weight must be f32 (3)", op, NULL, 3, z, z, w);
  t_fails("mean loss of no elements", op, NULL, 2, none, none);
  sl_tensor *all[] = {z, y, i, w, none};
  for (int k = 0; k < 5; k++)
    sl_tensor_release(all[k]);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("bce_with_logits", &tc);
  tcase_add_loop_test(tc, gradients, SL_REDUCTION_MEAN, SL_REDUCTION_NONE + 1);
  tcase_add_test(tc, positive_weights);
  tcase_add_test(tc, extremes);
  tcase_add_test(tc, any_number_of_threads);
  tcase_add_test(tc, errors);
  return t_main(s);
}
