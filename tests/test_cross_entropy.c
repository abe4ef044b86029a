/* test_cross_entropy.c -- gradients, extremes, errors. The numbers of PyTorch
 * and fastai are in lua/test_losses.lua. */
#include <math.h>

#include "base/threads.h"
#include "ops/cast.h"
#include "ops/cross_entropy.h"
#include "support.h"

static const int32_t labels[] = {1, 3, 2, 3};
static const float weights[] = {1, 2, 0.5f};

static const sl_cross_entropy_opts cases[] = {
    {0, SL_REDUCTION_MEAN},   {0, SL_REDUCTION_SUM},   {0, SL_REDUCTION_NONE},
    {0.1, SL_REDUCTION_MEAN}, {0.3, SL_REDUCTION_SUM}, {0.3, SL_REDUCTION_NONE},
    {1, SL_REDUCTION_MEAN},
};
enum { N_CASES = sizeof cases / sizeof *cases };

/* Each with class numbers and probabilities, without and with weights. */
START_TEST(gradients) {
  sl_tensor *z = t_random(1, -2, 2, 2, 4, 3), *w = t_f32(weights, 1, 3);
  sl_tensor *targets[] = {t_i32(labels, 1, 4), t_random(2, 0, 1, 2, 4, 3)};
  for (int soft = 0; soft < 2; soft++) {
    sl_tensor *in[] = {z, targets[soft], w};
    t_gradcheck(SL_OP_cross_entropy, in, 2, &cases[_i], 0, 1e-2, 1e-3);
    t_gradcheck(SL_OP_cross_entropy, in, 3, &cases[_i], 0, 1e-2, 1e-3);
  }
  sl_tensor_release(targets[0]);
  sl_tensor_release(targets[1]);
  sl_tensor_release(w);
  sl_tensor_release(z);
}
END_TEST

static double loss_of(const float *logits, int n, int k, const int32_t *label,
                      const sl_cross_entropy_opts *opts) {
  sl_tensor *z = t_f32(logits, 2, n, k), *y = t_i32(label, 1, n);
  sl_tensor *loss = t_run(SL_OP_cross_entropy, opts, 2, z, y);
  const double v = (double)*sl_f32(loss);
  sl_tensor_release(loss);
  sl_tensor_release(y);
  sl_tensor_release(z);
  return v;
}

START_TEST(extremes) {
  const float huge[] = {1e30f, -1e30f}, masked[] = {1, 2, -INFINITY};
  const sl_cross_entropy_opts smoothed = {0.1, SL_REDUCTION_MEAN};
  ck_assert_double_eq(loss_of(huge, 1, 2, (const int32_t[]){1}, NULL), 0);
  ck_assert_double_eq(loss_of(huge, 1, 2, (const int32_t[]){2}, NULL),
                      2 * (double)1e30f);
  ck_assert(isfinite(loss_of(huge, 1, 2, (const int32_t[]){2}, &smoothed)));
  ck_assert_double_eq_tol(loss_of(masked, 1, 3, (const int32_t[]){1}, NULL),
                          1.3132617, 1e-6); /* log(1 + e) */
  ck_assert_double_eq(loss_of(huge, 1, 1, (const int32_t[]){1}, NULL), 0);
  const float nan[] = {NAN, 1};
  ck_assert(isnan(loss_of(nan, 1, 2, (const int32_t[]){2}, NULL)));
}
END_TEST

/* A masked class has no gradient, and harms no other. */
START_TEST(gradient_at_extremes) {
  const float v[] = {1e30f, -1e30f, -INFINITY, 20000, 20000, -INFINITY};
  const float q[] = {0, 1, 0, 0.5f, 0.5f, 0};
  const float want[] = {1, -1, 0, 0, 0, 0};
  const sl_cross_entropy_opts sum = {0, SL_REDUCTION_SUM};
  sl_tensor *z = t_f32(v, 2, 2, 3), *y = t_f32(q, 2, 2, 3);
  ck_assert_int_eq(sl_require_grad(z, 1), SL_OK);
  sl_tensor *loss = t_run(SL_OP_cross_entropy, &sum, 2, z, y);
  ck_assert(isfinite(*sl_f32(loss)));
  ck_assert_int_eq(sl_backward(loss, NULL), SL_OK);
  t_close(sl_grad(z), want, 6, 1e-6);
  sl_tensor_release(loss);
  sl_tensor_release(y);
  sl_tensor_release(z);
}
END_TEST

START_TEST(no_items) {
  const sl_cross_entropy_opts sum = {0, SL_REDUCTION_SUM};
  const sl_cross_entropy_opts none = {0, SL_REDUCTION_NONE};
  sl_tensor *z = t_zeros(SL_F32, 2, 0, 3), *y = t_zeros(SL_I32, 1, 0);
  sl_tensor *a = t_run(SL_OP_cross_entropy, &sum, 2, z, y);
  sl_tensor *b = t_run(SL_OP_cross_entropy, &none, 2, z, y);
  t_close(a, (const float[]){0}, 1, 0);
  ck_assert_int_eq(sl_tensor_count(b), 0);
  t_fails("mean loss of no items", SL_OP_cross_entropy, NULL, 2, z, y);
  sl_tensor_release(a);
  sl_tensor_release(b);
  sl_tensor_release(y);
  sl_tensor_release(z);
}
END_TEST

/* bf16 logits: the loss in f32, the gradient in bf16, of the rounded logits. */
START_TEST(bf16) {
  sl_tensor *z = t_random(5, -2, 2, 2, 4, 3), *y = t_i32(labels, 1, 4);
  sl_tensor *h = t_run(SL_OP_cast, &(sl_cast_opts){SL_BF16}, 1, z);
  sl_tensor *back = t_run(SL_OP_cast, &(sl_cast_opts){SL_F32}, 1, h);
  sl_tensor *a = t_run(SL_OP_cross_entropy, NULL, 2, h, y);
  sl_tensor *b = t_run(SL_OP_cross_entropy, NULL, 2, back, y);
  ck_assert_int_eq(a->dtype, SL_F32);
  t_equal_tensors(a, b, 1e-7);
  sl_tensor_release(a);
  sl_tensor_release(b);
  ck_assert_int_eq(sl_require_grad(z, 1), SL_OK); /* through the cast */
  sl_tensor_release(h);
  h = t_run(SL_OP_cast, &(sl_cast_opts){SL_BF16}, 1, z);
  ck_assert_int_eq(sl_require_grad(back, 1), SL_OK);
  a = t_run(SL_OP_cross_entropy, NULL, 2, h, y);
  b = t_run(SL_OP_cross_entropy, NULL, 2, back, y);
  ck_assert_int_eq(sl_backward(a, NULL), SL_OK);
  ck_assert_int_eq(sl_backward(b, NULL), SL_OK);
  t_equal_tensors(sl_grad(z), sl_grad(back), 2e-3);
  sl_tensor *all[] = {a, b, back, h, y, z};
  for (int i = 0; i < 6; i++)
    sl_tensor_release(all[i]);
}
END_TEST

/* Enough items to wake the workers: the same bits for one and for four. */
START_TEST(any_number_of_threads) {
  sl_tensor *z = t_random(6, -3, 3, 2, 700, 64), *y = t_zeros(SL_I32, 1, 700);
  float loss[2], slope[2];
  for (int i = 0; i < 700; i++)
    sl_i32(y)[i] = 1 + i * 37 % 64;
  ck_assert_int_eq(sl_require_grad(z, 1), SL_OK);
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(sl_pool_resize(i ? 4 : 1), SL_OK);
    sl_grad_clear(z);
    sl_tensor *l = t_run(SL_OP_cross_entropy, &cases[3], 2, z, y);
    loss[i] = *sl_f32(l);
    ck_assert_int_eq(sl_backward(l, NULL), SL_OK);
    slope[i] = sl_f32(sl_grad(z))[699 * 64 + 5];
    sl_tensor_release(l);
  }
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
  ck_assert(loss[0] == loss[1] && slope[0] == slope[1]);
  sl_tensor_release(z);
  sl_tensor_release(y);
}
END_TEST

START_TEST(errors) {
  const int32_t zero[] = {1, 0}, high[] = {4, 1};
  const sl_op_id op = SL_OP_cross_entropy;
  sl_tensor *z = t_zeros(SL_F32, 2, 2, 3), *f = t_zeros(SL_F32, 1, 2);
  sl_tensor *i = t_zeros(SL_I32, 2, 2, 3), *none = t_zeros(SL_F32, 2, 2, 0);
  sl_tensor *a = t_i32(zero, 1, 2), *b = t_i32(high, 1, 2);
  sl_tensor *few = t_i32(labels, 1, 1), *wide = t_zeros(SL_F32, 2, 2, 4);
  t_fails("label 0 of sample 2 is not a class number: 1..3", op, NULL, 2, z, a);
  t_fails("label 4 of sample 1 is not a class number: 1..3", op, NULL, 2, z, b);
  t_fails("logits must be f32 or bf16 (N, K), not i32", op, NULL, 2, i, a);
  t_fails("target must be class numbers", op, NULL, 2, z, f);
  t_fails("2 rows of logits but 1 targets", op, NULL, 2, z, few);
  t_fails("logits of 3 classes but targets of 4", op, NULL, 2, z, wide);
  t_fails("logits of no classes", op, NULL, 2, none, a);
  t_fails("class_weight must be f32 (3), not f32 (2)", op, NULL, 3, z, a, f);
  sl_tensor *all[] = {z, f, i, none, a, b, few, wide};
  for (int k = 0; k < 8; k++)
    sl_tensor_release(all[k]);
}
END_TEST

START_TEST(lua_face) {
  t_lua(
      "local x = sota.tensor{{1, 2, 3}, {0, -1, 4}}\n"
      "local y = sota.tensor({1, 3}, {dtype = 'i32'})\n"
      "local loss = x:cross_entropy(y, {label_smoothing = 0.1})\n"
      "assert(math.abs(loss:item() - 1.3161754) < 1e-6)\n"
      "fails('label_smoothing', x.cross_entropy, x, y, {label_smothing = 1})\n"
      "fails('label_smoothing', x.cross_entropy, x, y, {label_smoothing = "
      "2})\n"
      "fails('mean', x.cross_entropy, x, y, {reduction = 'average'})\n");
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("cross_entropy", &tc);
  tcase_add_loop_test(tc, gradients, 0, N_CASES);
  tcase_add_test(tc, extremes);
  tcase_add_test(tc, gradient_at_extremes);
  tcase_add_test(tc, no_items);
  tcase_add_test(tc, bf16);
  tcase_add_test(tc, any_number_of_threads);
  tcase_add_test(tc, errors);
  tcase_add_test(tc, lua_face);
  return t_main(s);
}
