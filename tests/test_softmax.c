/* test_softmax.c -- softmax and log_softmax: values, strides, extremes. The
 * numbers of PyTorch are in lua/test_losses.lua. */
#include <math.h>

#include "ops/cast.h"
#include "ops/softmax.h"
#include "support.h"

static const sl_op_id both[] = {SL_OP_softmax, SL_OP_log_softmax};

/* By the formula, in double, along dimension dim of a (2, 3, 4) tensor. */
START_TEST(every_dimension) {
  sl_tensor *x = t_random(1, -3, 3, 3, 2, 3, 4);
  for (int dim = 0; dim < 3; dim++) {
    const sl_softmax_opts opts = {dim - 3};
    sl_tensor *y = t_run(SL_OP_softmax, &opts, 1, x);
    sl_tensor *l = t_run(SL_OP_log_softmax, &opts, 1, x);
    const int64_t stride = x->stride[dim], n = x->shape[dim];
    for (int64_t i = 0; i < 24; i++) {
      const int64_t first = i - i / stride % n * stride;
      double sum = 0;
      for (int64_t k = 0; k < n; k++)
        sum += exp((double)sl_f32(x)[first + k * stride]);
      const double p = exp((double)sl_f32(x)[i]) / sum;
      ck_assert_double_eq_tol((double)sl_f32(y)[i], p, 1e-6);
      ck_assert_double_eq_tol((double)sl_f32(l)[i], log(p), 2e-6);
    }
    sl_tensor_release(y);
    sl_tensor_release(l);
  }
  sl_tensor_release(x);
}
END_TEST

START_TEST(gradients) {
  sl_tensor *x = t_random(2, -2, 2, 3, 2, 3, 4);
  for (int op = 0; op < 2; op++)
    for (int dim = 0; dim < 3; dim++)
      t_gradcheck(both[op], &x, 1, &(sl_softmax_opts){dim}, 0, 1e-2, 1e-3);
  sl_tensor_release(x);
}
END_TEST

START_TEST(extremes) {
  const float v[] = {1e30f, -1e30f, 0, -INFINITY, 5, 5};
  sl_tensor *x = t_f32(v, 2, 2, 3);
  sl_tensor *y = t_run(SL_OP_softmax, NULL, 1, x);
  sl_tensor *l = t_run(SL_OP_log_softmax, NULL, 1, x);
  t_close(y, (const float[]){1, 0, 0, 0, 0.5f, 0.5f}, 6, 1e-7);
  t_close(l,
          (const float[]){0, -2e30f, -1e30f, -INFINITY, -0.693147f, -0.693147f},
          6, 1e-6);
  sl_tensor_release(l);
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

START_TEST(bf16) {
  sl_tensor *x = t_random(3, -3, 3, 2, 5, 7);
  sl_tensor *h = t_run(SL_OP_cast, &(sl_cast_opts){SL_BF16}, 1, x);
  sl_tensor *want = t_run(SL_OP_softmax, NULL, 1, x);
  sl_tensor *y = t_run(SL_OP_softmax, NULL, 1, h);
  ck_assert_int_eq(y->dtype, SL_BF16);
  t_equal_tensors(y, want, 0.02);
  sl_tensor_release(y);
  sl_tensor_release(want);
  sl_tensor_release(h);
  sl_tensor_release(x);
}
END_TEST

START_TEST(odd_shapes) {
  sl_tensor *none = t_zeros(SL_F32, 2, 0, 3), *empty = t_zeros(SL_F32, 2, 3, 0);
  sl_tensor *one = t_zeros(SL_F32, 1, 1), *many = t_zeros(SL_F32, 2, 9000, 7);
  sl_tensor *in[] = {none, empty, one, many};
  for (int i = 0; i < 4; i++) {
    sl_tensor *y = t_run(SL_OP_softmax, NULL, 1, in[i]);
    ck_assert(sl_tensor_same_shape(y, in[i]));
    for (int64_t j = 0; j < sl_tensor_count(y); j++)
      ck_assert_double_eq_tol((double)sl_f32(y)[j], i == 2 ? 1 : 1 / 7.0, 1e-7);
    sl_tensor_release(y);
    sl_tensor_release(in[i]);
  }
}
END_TEST

START_TEST(errors) {
  sl_tensor *x = t_zeros(SL_F32, 2, 2, 3), *i = t_zeros(SL_I32, 2, 2, 3);
  t_fails("x must be f32 or bf16, not i32 (2, 3)", SL_OP_softmax, NULL, 1, i);
  t_fails("x must be f32 or bf16", SL_OP_log_softmax, NULL, 1, i);
  t_fails("no dimension 3", SL_OP_softmax, &(sl_softmax_opts){2}, 1, x);
  sl_tensor_release(x);
  sl_tensor_release(i);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("softmax", &tc);
  tcase_add_test(tc, every_dimension);
  tcase_add_test(tc, gradients);
  tcase_add_test(tc, extremes);
  tcase_add_test(tc, bf16);
  tcase_add_test(tc, odd_shapes);
  tcase_add_test(tc, errors);
  return t_main(s);
}
