/* test_linear.c -- linear against plain loops in double, and its gradients. */
#include "ops/cast.h"
#include "support.h"

START_TEST(values_and_gradients) {
  sl_tensor *in[] = {t_random(1, -1, 1, 3, 2, 3, 5),
                     t_random(2, -1, 1, 2, 4, 5), t_random(3, -1, 1, 1, 4)};
  for (int n_in = 2; n_in <= 3; n_in++) {
    sl_tensor *y = t_run_in(SL_OP_linear, NULL, in, n_in);
    ck_assert(y->rank == 3 && y->shape[0] == 2 && y->shape[1] == 3 &&
              y->shape[2] == 4);
    for (int i = 0; i < 24; i++) {
      double want = n_in == 3 ? (double)sl_f32(in[2])[i % 4] : 0;
      for (int k = 0; k < 5; k++)
        want += (double)sl_f32(in[0])[i / 4 * 5 + k] *
                (double)sl_f32(in[1])[i % 4 * 5 + k];
      ck_assert_double_eq_tol((double)sl_f32(y)[i], want, 1e-5);
    }
    sl_tensor_release(y);
    for (int i = 0; i < n_in; i++)
      t_gradcheck(SL_OP_linear, in, n_in, NULL, i, 1e-2, 1e-3);
  }
  for (int i = 0; i < 3; i++)
    sl_tensor_release(in[i]);
}
END_TEST

/* A second call adds to the gradients of the first. */
START_TEST(gradients_add_up) {
  sl_tensor *in[] = {t_random(1, -1, 1, 2, 3, 5), t_random(2, -1, 1, 2, 4, 5),
                     t_random(3, -1, 1, 1, 4)};
  sl_tensor *seed = t_random(4, -1, 1, 2, 3, 4), *once[3];
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq(sl_require_grad(in[i], 1), SL_OK);
  for (int call = 0; call < 2; call++) {
    sl_tensor *y = t_run_in(SL_OP_linear, NULL, in, 3);
    ck_assert_int_eq(sl_backward(y, seed), SL_OK);
    sl_tensor_release(y);
    for (int i = 0; i < 3 && call == 0; i++)
      ck_assert_int_eq(
          sl_tensor_copy(&once[i], sl_grad(in[i]), &sl_cpu, SL_F32), SL_OK);
  }
  for (int i = 0; i < 3; i++) {
    sl_tensor *twice = t_run(SL_OP_add, NULL, 2, once[i], once[i]);
    t_equal_tensors(sl_grad(in[i]), twice, 1e-5);
    sl_tensor_release(twice);
    sl_tensor_release(once[i]);
    sl_tensor_release(in[i]);
  }
  sl_tensor_release(seed);
}
END_TEST

/* bf16 in, bf16 out; the arithmetic is that of f32 on the rounded values. */
START_TEST(bf16) {
  sl_tensor *f[3] = {t_random(1, -1, 1, 2, 3, 50), t_random(2, -1, 1, 2, 4, 50),
                     t_random(3, -1, 1, 1, 4)};
  sl_tensor *h[3], *back[3], *seed = t_random(4, -1, 1, 2, 3, 4);
  for (int i = 0; i < 3; i++) {
    ck_assert_int_eq(sl_require_grad(f[i], 1), SL_OK);
    h[i] = t_run(SL_OP_cast, &(sl_cast_opts){SL_BF16}, 1, f[i]);
    ck_assert_int_eq(sl_tensor_copy(&back[i], h[i], &sl_cpu, SL_F32), SL_OK);
    ck_assert_int_eq(sl_require_grad(back[i], 1), SL_OK);
  }
  sl_tensor *y = t_run_in(SL_OP_linear, NULL, h, 3);
  sl_tensor *want = t_run_in(SL_OP_linear, NULL, back, 3);
  ck_assert_int_eq(y->dtype, SL_BF16);
  t_equal_tensors(y, want, 0.03);
  ck_assert_int_eq(sl_backward(y, seed), SL_OK);
  ck_assert_int_eq(sl_backward(want, seed), SL_OK);
  sl_tensor_release(y);
  sl_tensor_release(want);
  sl_tensor_release(seed);
  for (int i = 0; i < 3; i++) {
    t_equal_tensors(sl_grad(f[i]), sl_grad(back[i]), 0.03);
    sl_tensor_release(f[i]);
    sl_tensor_release(h[i]);
    sl_tensor_release(back[i]);
  }
}
END_TEST

START_TEST(no_rows) {
  sl_tensor *x = t_zeros(SL_F32, 2, 0, 3), *w = t_random(1, -1, 1, 2, 2, 3);
  sl_tensor *b = t_random(2, -1, 1, 1, 2), *seed = t_zeros(SL_F32, 2, 0, 2);
  ck_assert_int_eq(sl_require_grad(w, 1), SL_OK);
  ck_assert_int_eq(sl_require_grad(b, 1), SL_OK);
  sl_tensor *y = t_run(SL_OP_linear, NULL, 3, x, w, b);
  ck_assert(y->shape[0] == 0 && y->shape[1] == 2);
  ck_assert_int_eq(sl_backward(y, seed), SL_OK);
  t_close(sl_grad(w), (const float[6]){0}, 6, 0);
  t_close(sl_grad(b), (const float[2]){0}, 2, 0);
  sl_tensor *all[] = {x, w, b, y, seed};
  for (int i = 0; i < 5; i++)
    sl_tensor_release(all[i]);
}
END_TEST

START_TEST(errors) {
  sl_tensor *x = t_zeros(SL_F32, 2, 2, 3), *w = t_zeros(SL_F32, 2, 4, 5);
  sl_tensor *v = t_zeros(SL_F32, 2, 4, 3), *b = t_zeros(SL_F32, 1, 3);
  sl_tensor *i = t_zeros(SL_I32, 2, 2, 3), *s = t_zeros(SL_F32, 0);
  t_fails("x has 3 features but weight is for 5", SL_OP_linear, NULL, 2, x, w);
  t_fails("bias must be f32 or bf16 (4)", SL_OP_linear, NULL, 3, x, v, b);
  t_fails("x must be f32 or bf16 (.., I), not i32", SL_OP_linear, NULL, 2, i,
          v);
  t_fails("x must be", SL_OP_linear, NULL, 2, s, v);
  t_fails("weight must be f32 or bf16 (O, I)", SL_OP_linear, NULL, 2, x, b);
  sl_tensor *all[] = {x, w, v, b, i, s};
  for (int k = 0; k < 6; k++)
    sl_tensor_release(all[k]);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("linear", &tc);
  tcase_add_test(tc, values_and_gradients);
  tcase_add_test(tc, gradients_add_up);
  tcase_add_test(tc, bf16);
  tcase_add_test(tc, no_rows);
  tcase_add_test(tc, errors);
  return t_main(s);
}
