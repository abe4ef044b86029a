/* test_dropout.c -- dropout: shares, scale, the mask's definition, gradient. */
#include <math.h>

#include "base/rng.h"
#include "base/threads.h"
#include "ops/cast.h"
#include "ops/dropout.h"
#include "support.h"

enum { N = 40003 }; /* several workers' ranges, and no multiple of 4 */

static sl_tensor *ones(void) {
  sl_tensor *x = t_zeros(SL_F32, 1, N);
  for (int i = 0; i < N; i++)
    sl_f32(x)[i] = 1;
  return x;
}

/* The first element of each stream by hand, and the share of zeros. */
START_TEST(mask_is_as_documented) {
  const sl_dropout_opts opts = {.p = 0.3, .training = 1};
  const uint64_t seed = 0x123456789abcdefu;
  sl_tensor *x = ones();
  sl_seed(seed);
  for (uint32_t call = 0; call < 3; call++) {
    sl_tensor *y = t_run(SL_OP_dropout, &opts, 1, x);
    int zeros = 0;
    for (int i = 0; i < N; i++) {
      const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
      const uint32_t counter[4] = {(uint32_t)i / 4, SL_RNG_OP, 0, call};
      uint32_t word[4];
      sl_philox(key, counter, word);
      const int kept = (double)(word[i % 4] >> 8) * 0x1p-24 >= 0.3 - 1e-7;
      ck_assert_double_eq_tol((double)sl_f32(y)[i], kept / 0.7, 1e-6);
      zeros += !kept;
    }
    ck_assert_double_eq_tol(zeros / (double)N, 0.3, 0.01);
    sl_tensor_release(y);
  }
  sl_tensor_release(x);
}
END_TEST

START_TEST(any_number_of_threads) {
  sl_tensor *x = ones(), *y[2];
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(sl_pool_resize(i ? 3 : 1), SL_OK);
    sl_seed(7);
    y[i] = t_run(SL_OP_dropout, NULL, 1, x);
  }
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
  t_equal_tensors(y[0], y[1], 0);
  sl_tensor_release(y[0]);
  sl_tensor_release(y[1]);
  sl_tensor_release(x);
}
END_TEST

/* Of the sum of y: what was kept, scaled; twice when asked twice. */
START_TEST(gradient_has_the_same_mask) {
  sl_tensor *x = ones(), *seed = ones();
  ck_assert_int_eq(sl_require_grad(x, 1), SL_OK);
  sl_tensor *y = t_run(SL_OP_dropout, NULL, 1, x);
  sl_tensor *later = t_run(SL_OP_dropout, NULL, 1, x);
  ck_assert_int_eq(sl_backward(y, seed), SL_OK);
  t_equal_tensors(sl_grad(x), y, 0);
  ck_assert_int_eq(sl_backward(later, seed), SL_OK);
  sl_tensor *sum = t_run(SL_OP_add, NULL, 2, y, later);
  t_equal_tensors(sl_grad(x), sum, 0);
  sl_tensor *all[] = {x, seed, y, later, sum};
  for (int i = 0; i < 5; i++)
    sl_tensor_release(all[i]);
}
END_TEST

/* p = 0, p = 1, and evaluation; the first and last take no random call. */
START_TEST(edges) {
  const sl_dropout_opts none = {.p = 0, .training = 1};
  const sl_dropout_opts every = {.p = 1, .training = 1};
  const sl_dropout_opts eval = {.p = 0.9, .training = 0};
  const float v[] = {1, INFINITY, NAN, -2, 5}, zero[5] = {0};
  sl_tensor *x = t_f32(v, 1, 5);
  ck_assert_int_eq(sl_require_grad(x, 1), SL_OK);
  sl_seed(3);
  sl_tensor *a = t_run(SL_OP_dropout, &none, 1, x);
  sl_tensor *b = t_run(SL_OP_dropout, &eval, 1, x);
  ck_assert_int_eq(sl_random_save().call, 0);
  sl_tensor *c = t_run(SL_OP_dropout, &every, 1, x);
  ck_assert_int_eq(sl_random_save().call, 1);
  t_close(a, v, 5, 0);
  t_close(b, v, 5, 0);
  t_close(c, zero, 5, 0);
  ck_assert_int_eq(sl_backward(c, x), SL_OK);
  t_close(sl_grad(x), zero, 5, 0);
  sl_tensor_release(a);
  sl_tensor_release(b);
  sl_tensor_release(c);
  sl_tensor_release(x);
}
END_TEST

START_TEST(bf16) {
  sl_tensor *x = ones();
  sl_tensor *h = t_run(SL_OP_cast, &(sl_cast_opts){SL_BF16}, 1, x);
  sl_seed(1);
  sl_tensor *y = t_run(SL_OP_dropout, NULL, 1, h);
  sl_seed(1);
  sl_tensor *want = t_run(SL_OP_dropout, NULL, 1, x);
  ck_assert_int_eq(y->dtype, SL_BF16);
  t_equal_tensors(y, want, 0);
  sl_tensor_release(y);
  sl_tensor_release(want);
  sl_tensor_release(h);
  sl_tensor_release(x);
}
END_TEST

START_TEST(errors) {
  sl_tensor *i = t_zeros(SL_I32, 1, 3), *none = t_zeros(SL_F32, 1, 0);
  t_fails("x must be f32 or bf16, not i32 (3)", SL_OP_dropout, NULL, 1, i);
  sl_tensor *y = t_run(SL_OP_dropout, NULL, 1, none);
  ck_assert_int_eq(sl_tensor_count(y), 0);
  sl_tensor_release(y);
  sl_tensor_release(i);
  sl_tensor_release(none);
  t_lua("fails('p', sota.dropout, sota.ones(2), {p = 1.5})\n"
        "fails('training', sota.dropout, sota.ones(2), {train = true})\n");
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("dropout", &tc);
  tcase_add_test(tc, mask_is_as_documented);
  tcase_add_test(tc, any_number_of_threads);
  tcase_add_test(tc, gradient_has_the_same_mask);
  tcase_add_test(tc, edges);
  tcase_add_test(tc, bf16);
  tcase_add_test(tc, errors);
  return t_main(s);
}
