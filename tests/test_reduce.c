/* test_reduce.c -- sums, spreads and extrema: accuracy, threads, chunks,
 * empties, errors. Values: tests/lua/test_ops.lua. */
#include "ops/reduce.h"

#include <math.h>

#include "base/threads.h"
#include "ops/extremum.h"
#include "support.h"

static sl_reduce_opts over(int n, int64_t a, int64_t b) {
  return (sl_reduce_opts){.dims = {n, {a, b}}, .unbiased = 1};
}

static double number(sl_tensor *t) {
  float v;
  ck_assert_int_eq(sl_tensor_read(t, SL_F32, &v, 1), SL_OK);
  sl_tensor_release(t);
  return (double)v;
}

/* A running f32 sum of these is 2% off. */
START_TEST(long_sums_are_exact) {
  const int n = 3000000;
  sl_tensor *x = t_zeros(SL_F32, 1, n);
  for (int i = 0; i < n; i++)
    sl_f32(x)[i] = 0.1f;
  const double want = (double)0.1f * n;
  ck_assert_double_eq_tol(number(t_run(SL_OP_sum, NULL, 1, x)), want, 0.02);
  ck_assert_double_eq_tol(number(t_run(SL_OP_mean, NULL, 1, x)), (double)0.1f,
                          1e-8);
  ck_assert_double_eq_tol(number(t_run(SL_OP_var, NULL, 1, x)), 0, 1e-12);
  sl_tensor_release(x);
}
END_TEST

/* Far from 0 the difference of squares would have no digits left. */
START_TEST(variance_far_from_zero) {
  float v[1000];
  for (int i = 0; i < 1000; i++)
    v[i] = 1e6f + (float)(i % 10);
  sl_tensor *x = t_f32(v, 1, 1000);
  const double want = 8.25 * 1000 / 999;
  ck_assert_double_eq_tol(number(t_run(SL_OP_var, NULL, 1, x)), want, 1e-5);
  sl_reduce_opts o = over(0, 0, 0);
  o.unbiased = 0;
  ck_assert_double_eq_tol(number(t_run(SL_OP_std, &o, 1, x)), sqrt(8.25), 1e-5);
  sl_tensor_release(x);
}
END_TEST

enum { A = 7, B = 900, C = 11, D = 23 }; /* above the size of a task */

/* What is wanted of x (A, B, C, D) reduced over two dimensions, in double. */
static void naive(const float *x, int64_t p, int64_t q, double *sum,
                  double *best) {
  const int64_t size[] = {A, B, C, D};
  for (int64_t i = 0; i < (int64_t)A * B * C * D; i++) {
    int64_t rest = i, at = 0, index[4];
    for (int d = 3; d >= 0; d--) {
      index[d] = rest % size[d];
      rest /= size[d];
    }
    for (int d = 0; d < 4; d++)
      if (d != p && d != q) at = at * size[d] + index[d];
    sum[at] += (double)x[i];
    best[at] = fmax(best[at], (double)x[i]);
  }
}

static double sums[B * D], bests[B * D];

static const int64_t pairs[][2] = {{0, 1}, {0, 2}, {0, 3},
                                   {1, 2}, {1, 3}, {2, 3}};

/* Every way that dimensions can lie, on one thread and on three. */
START_TEST(any_dims_any_threads) {
  const int64_t p = pairs[_i][0], q = pairs[_i][1];
  const sl_reduce_opts o = over(2, p, q);
  const sl_extremum_opts e = {.dim = o.dims};
  sl_tensor *x = t_random(8, -1, 2, 4, A, B, C, D), *first = NULL;
  for (int i = 0; i < B * D; i++)
    sums[i] = 0, bests[i] = -HUGE_VAL;
  naive(sl_f32(x), p, q, sums, bests);
  for (int k = 0; k < 2; k++) {
    ck_assert_int_eq(sl_pool_resize(k ? 3 : 1), SL_OK);
    sl_tensor *sum = t_run(SL_OP_sum, &o, 1, x);
    sl_tensor *max = t_run(SL_OP_max, &e, 1, x);
    for (int64_t i = 0; i < sl_tensor_count(sum); i++) {
      ck_assert_double_eq_tol((double)sl_f32(sum)[i], sums[i],
                              1e-6 * fabs(sums[i]) + 1e-4);
      ck_assert((double)sl_f32(max)[i] == bests[i]);
    }
    if (first) t_equal_tensors(sum, first, 0);
    sl_tensor_release(max);
    sl_tensor_release(first);
    first = sum;
  }
  sl_tensor_release(first);
  sl_tensor_release(x);
  sl_pool_stop();
}
END_TEST

/* The first of equals, over all chunks; a NaN at the end is not missed. */
START_TEST(first_of_equals) {
  const int n = 200000;
  sl_tensor *x = t_zeros(SL_F32, 1, n);
  sl_f32(x)[150000] = sl_f32(x)[70000] = 5;
  ck_assert_int_eq((int)number(t_run(SL_OP_argmax, NULL, 1, x)), 70001);
  ck_assert_int_eq((int)number(t_run(SL_OP_argmin, NULL, 1, x)), 1);
  sl_f32(x)[n - 1] = NAN;
  ck_assert_int_eq((int)number(t_run(SL_OP_argmax, NULL, 1, x)), n);
  ck_assert(isnan(number(t_run(SL_OP_min, NULL, 1, x))));
  sl_tensor_release(x);
}
END_TEST

START_TEST(empties) {
  sl_tensor *x = t_zeros(SL_F32, 2, 0, 3), *y = t_zeros(SL_F32, 2, 3, 0);
  sl_reduce_opts o = over(1, 0, 0);
  sl_tensor *sum = t_run(SL_OP_sum, &o, 1, x);
  t_close(sum, (const float[]){0, 0, 0}, 3, 0);
  sl_tensor_release(sum);
  ck_assert(isnan(number(t_run(SL_OP_mean, NULL, 1, x))));
  sum = t_run(SL_OP_sum, &o, 1, y); /* no columns: no results */
  ck_assert_int_eq(sl_tensor_count(sum), 0);
  sl_tensor_release(sum);
  t_fails("f32 (0, 3) has no elements to choose from", SL_OP_max, NULL, 1, x);
  t_fails("has no elements", SL_OP_argmin, NULL, 1, y);
  const sl_extremum_opts e = {.dim = {1, {0}}}; /* 0 results of 3 each */
  sl_tensor *none = t_run(SL_OP_max, &e, 1, y);
  ck_assert_int_eq(sl_tensor_count(none), 0);
  sl_tensor_release(none);
  sl_tensor_release(x);
  sl_tensor_release(y);
}
END_TEST

START_TEST(errors) {
  sl_tensor *x = t_zeros(SL_F32, 2, 2, 3), *big = t_zeros(SL_I32, 1, 2);
  sl_reduce_opts o = over(1, 2, 0);
  t_fails("there is no dimension 3 in a tensor of 2", SL_OP_sum, &o, 1, x);
  o = over(2, 1, -1);
  t_fails("dimension 2 is given twice", SL_OP_var, &o, 1, x);
  const sl_extremum_opts e = {.dim = {2, {0, 1}}};
  t_fails("dim must be one dimension", SL_OP_argmax, &e, 1, x);
  sl_i32(big)[0] = sl_i32(big)[1] = 2000000000;
  t_fails("the sum 4000000000 does not fit into i32", SL_OP_sum, NULL, 1, big);
  sl_tensor_release(x);
  sl_tensor_release(big);
}
END_TEST

START_TEST(lua_face) {
  t_lua("local x = sota.tensor{{1, 5, 2}, {7, 0, 3}}\n"
        "local v, at = x:max{dim = 2}\n"
        "assert(v:totable()[2] == 7 and at:totable()[1] == 2)\n"
        "assert(select('#', x:max()) == 1 and x:max():item() == 7)\n"
        "assert(select('#', x:max{dim = {1, 2}}) == 1)\n"
        "assert(x:argmin():item() == 5)\n"
        "assert(x:sum{dims = -1}:totable()[1] == 8)\n"
        "assert(x:mean{dims = {1, 2}}:item() == 3)\n"
        "assert(x:sum{dims = 1, keepdim = true}:dim() == 2)\n"
        "fails(\"did you mean 'dims'\", x.sum, x, {dim = 1})\n"
        "fails(\"did you mean 'dim'\", x.max, x, {dims = 1})\n"
        "fails('there is no dimension 3', x.sum, x, {dims = 3})\n");
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("reduce", &tc);
  tcase_add_test(tc, long_sums_are_exact);
  tcase_add_test(tc, variance_far_from_zero);
  tcase_add_loop_test(tc, any_dims_any_threads, 0, 6);
  tcase_add_test(tc, first_of_equals);
  tcase_add_test(tc, empties);
  tcase_add_test(tc, errors);
  tcase_add_test(tc, lua_face);
  return t_main(s);
}
