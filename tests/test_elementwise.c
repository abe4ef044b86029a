/* test_elementwise.c -- unary, binary, comparisons, where, clamp: dtypes,
 * strides, threads, extreme values, errors. Values: tests/lua/test_ops.lua. */
#include <math.h>

#include "base/threads.h"
#include "support.h"

static sl_tensor *cast(sl_tensor *t, sl_dtype d) {
  sl_tensor *out = NULL;
  ck_assert_int_eq(sl_tensor_copy(&out, t, &sl_cpu, d), SL_OK);
  return out;
}

/* a + b and b / a; with scalar_b, b has rank 0. */
static const struct {
  sl_dtype a, b, add, div;
  int scalar_b;
} promotions[] = {
    {SL_F32, SL_F32, SL_F32, SL_F32, 0},
    {SL_F32, SL_BF16, SL_F32, SL_F32, 0},
    {SL_BF16, SL_BF16, SL_BF16, SL_BF16, 0},
    {SL_BF16, SL_F32, SL_BF16, SL_BF16, 1},
    {SL_BF16, SL_I32, SL_BF16, SL_BF16, 0},
    {SL_I32, SL_F32, SL_F32, SL_F32, 1},
    {SL_I32, SL_I32, SL_I32, SL_F32, 0},
    {SL_U8, SL_U8, SL_I32, SL_F32, 0},
    {SL_U8, SL_I32, SL_I32, SL_F32, 0},
    {SL_U8, SL_F32, SL_F32, SL_F32, 0},
};

START_TEST(promotion) {
  sl_tensor *a = t_zeros(promotions[_i].a, 1, 3), *sum, *ratio;
  sl_tensor *b = promotions[_i].scalar_b ? t_zeros(promotions[_i].b, 0)
                                         : t_zeros(promotions[_i].b, 1, 3);
  sum = t_run(SL_OP_add, NULL, 2, a, b);
  ratio = t_run(SL_OP_div, NULL, 2, b, a);
  ck_assert_int_eq(sum->dtype, promotions[_i].add);
  ck_assert_int_eq(ratio->dtype, promotions[_i].div);
  sl_tensor_release(a);
  sl_tensor_release(b);
  sl_tensor_release(sum);
  sl_tensor_release(ratio);
}
END_TEST

/* A view with other strides gives what its dense copy gives. */
START_TEST(strided_inputs) {
  static const int64_t shape[] = {5, 3, 40}, stride[] = {1, 240, 5};
  sl_tensor *base = t_random(3, 0.1f, 2, 2, 3, 240), *view = NULL;
  ck_assert_int_eq(sl_tensor_view(&view, base, 3, shape, stride, 0), SL_OK);
  sl_tensor *dense = cast(view, SL_F32), *row = t_random(4, 1, 2, 2, 3, 1);
  static const sl_op_id ids[] = {SL_OP_exp, SL_OP_neg};
  for (int i = 0; i < 2; i++) {
    sl_tensor *a = t_run(ids[i], NULL, 1, view);
    sl_tensor *b = t_run(ids[i], NULL, 1, dense);
    t_equal_tensors(a, b, 0);
    sl_tensor_release(a);
    sl_tensor_release(b);
  }
  static const sl_op_id pairs[] = {SL_OP_sub, SL_OP_pow, SL_OP_lt};
  for (int i = 0; i < 3; i++) {
    sl_tensor *a = t_run(pairs[i], NULL, 2, view, row);
    sl_tensor *b = t_run(pairs[i], NULL, 2, dense, row);
    t_equal_tensors(a, b, 0);
    sl_tensor_release(a);
    sl_tensor_release(b);
  }
  sl_tensor *in[] = {view, row};
  t_gradcheck(SL_OP_mul, in, 2, NULL, 1, 1e-2, 5e-3);
  sl_tensor_release(base);
  sl_tensor_release(view);
  sl_tensor_release(dense);
  sl_tensor_release(row);
}
END_TEST

/* The gradient of sum(x * row * x) on a size that all workers share. */
static void large(sl_tensor *x, sl_tensor *row, float *dx, float *drow) {
  ck_assert_int_eq(sl_require_grad(x, 1), SL_OK);
  ck_assert_int_eq(sl_require_grad(row, 1), SL_OK);
  sl_grad_clear(x);
  sl_grad_clear(row);
  sl_tensor *a = t_run(SL_OP_mul, NULL, 2, x, row);
  sl_tensor *b = t_run(SL_OP_mul, NULL, 2, a, x);
  sl_tensor *sum = t_run(SL_OP_sum, NULL, 1, b);
  ck_assert_int_eq(sl_backward(sum, NULL), SL_OK);
  ck_assert_int_eq(sl_tensor_read(sl_grad(x), SL_F32, dx, sl_tensor_count(x)),
                   SL_OK);
  ck_assert_int_eq(
      sl_tensor_read(sl_grad(row), SL_F32, drow, sl_tensor_count(row)), SL_OK);
  sl_tensor_release(a);
  sl_tensor_release(b);
  sl_tensor_release(sum);
}

enum { ROWS = 3001, COLUMNS = 37 };
static float dx[2][ROWS * COLUMNS], drow[2][COLUMNS];

START_TEST(threads_do_not_change_bits) {
  sl_tensor *x = t_random(1, -1, 1, 2, ROWS, COLUMNS);
  sl_tensor *row = t_random(2, -1, 1, 1, COLUMNS);
  for (int k = 0; k < 2; k++) {
    ck_assert_int_eq(sl_pool_resize(k ? 3 : 1), SL_OK);
    large(x, row, dx[k], drow[k]);
  }
  for (int i = 0; i < ROWS * COLUMNS; i++) {
    ck_assert(dx[0][i] == dx[1][i]);
    const float want = 2 * sl_f32(x)[i] * sl_f32(row)[i % COLUMNS];
    ck_assert(fabsf(dx[0][i] - want) < 1e-5f);
  }
  for (int c = 0; c < COLUMNS; c++) {
    double want = 0;
    for (int r = 0; r < ROWS; r++)
      want += pow((double)sl_f32(x)[r * COLUMNS + c], 2);
    ck_assert(drow[0][c] == drow[1][c]);
    ck_assert_double_eq_tol((double)drow[0][c], want, 1e-3);
  }
  sl_tensor_release(x);
  sl_tensor_release(row);
  sl_pool_stop();
}
END_TEST

START_TEST(activations_at_extremes) {
  static const sl_op_id ids[] = {SL_OP_silu,    SL_OP_mish, SL_OP_gelu,
                                 SL_OP_sigmoid, SL_OP_tanh, SL_OP_relu};
  static const float v[] = {-1e30f, -1e4f, -88.5f, 0, 88.5f, 1e4f, 1e30f};
  for (int k = 0; k < 6; k++) {
    sl_tensor *x = t_f32(v, 1, 7),
              *seed = t_f32((float[]){1, 1, 1, 1, 1, 1, 1}, 1, 7);
    ck_assert_int_eq(sl_require_grad(x, 1), SL_OK);
    sl_tensor *y = t_run(ids[k], NULL, 1, x);
    ck_assert_int_eq(sl_backward(y, seed), SL_OK);
    for (int i = 0; i < 7; i++) {
      ck_assert(isfinite(sl_f32(y)[i]));
      ck_assert_msg(isfinite(sl_f32(sl_grad(x))[i]), "%s at %g",
                    sl_op_get(ids[k])->name, (double)v[i]);
    }
    ck_assert(sl_f32(y)[6] ==
              (ids[k] == SL_OP_sigmoid || ids[k] == SL_OP_tanh ? 1 : v[6]));
    sl_tensor_release(x);
    sl_tensor_release(y);
    sl_tensor_release(seed);
  }
}
END_TEST

/* bf16 in and out: the gradient is the f32 one, rounded. */
START_TEST(bf16_gradients) {
  sl_tensor *x = t_random(5, -2, 2, 2, 3, 5), *h = cast(x, SL_BF16);
  sl_tensor *exact = cast(h, SL_F32), *seed = t_zeros(SL_F32, 2, 3, 5);
  for (int i = 0; i < 15; i++)
    sl_f32(seed)[i] = 1;
  sl_tensor *leaf[] = {h, exact};
  for (int k = 0; k < 2; k++) {
    ck_assert_int_eq(sl_require_grad(leaf[k], 1), SL_OK);
    sl_tensor *a = t_run(SL_OP_silu, NULL, 1, leaf[k]);
    sl_tensor *b = t_run(SL_OP_mul, NULL, 2, a, leaf[k]);
    ck_assert_int_eq(b->dtype, leaf[k]->dtype);
    ck_assert_int_eq(sl_backward(b, seed), SL_OK);
    sl_tensor_release(a);
    sl_tensor_release(b);
  }
  t_equal_tensors(sl_grad(h), sl_grad(exact), 0.05);
  sl_tensor_release(x);
  sl_tensor_release(h);
  sl_tensor_release(exact);
  sl_tensor_release(seed);
}
END_TEST

START_TEST(lua_face) {
  t_lua(
      "local x = sota.tensor{{1, 2}, {3, 4}}\n"
      "assert((x + 1):totable()[2][2] == 5 and (2 ^ x):totable()[1][2] == 4)\n"
      "assert((-x):sum():item() == -10 and (1 / x):totable()[1][2] == 0.5)\n"
      "assert(x:gt(2):sum():item() == 2 and x:gt(2):dtype() == 'u8')\n"
      "assert(sota.where(x:gt(2), x, 0):sum():item() == 7)\n"
      "fails('do not broadcast', sota.add, x, sota.tensor{1, 2, 3})\n"
      "fails('must be u8 or i32', sota.where, x, x, x)\n"
      "fails('min is 2, above max, 1', sota.clamp, x, {min = 2, max = 1})\n"
      "fails(\"did you mean 'max'\", sota.clamp, x, {maxx = 2})\n");
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("elementwise", &tc);
  tcase_add_loop_test(tc, promotion, 0, sizeof promotions / sizeof *promotions);
  tcase_add_test(tc, strided_inputs);
  tcase_add_test(tc, threads_do_not_change_bits);
  tcase_add_test(tc, activations_at_extremes);
  tcase_add_test(tc, bf16_gradients);
  tcase_add_test(tc, lua_face);
  return t_main(s);
}
