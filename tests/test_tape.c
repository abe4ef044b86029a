/* test_tape.c -- recording, backward, views, lazy tensors, the Lua face. */
#include <math.h>

#include "base/alloc.h"
#include "support.h"

static sl_tensor *leaf(const float *v, int n) {
  sl_tensor *t = t_f32(v, 1, n);
  ck_assert_int_eq(sl_require_grad(t, 1), SL_OK);
  return t;
}

START_TEST(chain_rule) {
  const float v[] = {1, -2, 3};
  sl_tensor *x = leaf(v, 3);
  sl_tensor *square = t_run(SL_OP_mul, NULL, 2, x, x);
  sl_tensor *y = t_run(SL_OP_add, NULL, 2, square, x),
            *seed = t_zeros(SL_F32, 1, 3);
  for (int i = 0; i < 3; i++)
    sl_f32(seed)[i] = 1;
  ck_assert_int_eq(sl_backward(y, seed), SL_OK);
  t_close(sl_grad(x), (const float[]){3, -3, 7}, 3, 1e-6); /* 2x + 1 */
  ck_assert_int_eq(sl_backward(y, seed), SL_EINVAL);       /* consumed */
  sl_tensor_release(seed);
  sl_tensor_release(y);
  sl_tensor_release(square);
  sl_tensor_release(x);
}
END_TEST

START_TEST(gradients_add_up_until_cleared) {
  const float v[] = {2};
  sl_tensor *x = leaf(v, 1);
  for (int i = 1; i <= 2; i++) {
    sl_tensor *y = t_run(SL_OP_mul, NULL, 2, x, x);
    ck_assert_int_eq(sl_backward(y, NULL), SL_OK);
    ck_assert_double_eq_tol((double)sl_f32(sl_grad(x))[0], 4.0 * i, 1e-6);
    sl_tensor_release(y);
  }
  sl_grad_clear(x);
  ck_assert(sl_grad(x) == NULL);
  sl_tensor_release(x);
}
END_TEST

START_TEST(broadcast_gradients_are_summed) {
  const float m[] = {1, 2, 3, 4, 5, 6}, r[] = {10, 20, 30};
  sl_tensor *a = t_f32(m, 2, 2, 3), *b = leaf(r, 3);
  sl_tensor *in[] = {a, b};
  t_gradcheck(SL_OP_mul, in, 2, NULL, 0, 1e-2, 1e-3);
  t_gradcheck(SL_OP_mul, in, 2, NULL, 1, 1e-2, 1e-3);
  sl_tensor_release(a);
  sl_tensor_release(b);
}
END_TEST

/* A graph of a million nodes is freed without recursion. */
START_TEST(long_chains) {
  const float v[] = {1};
  sl_tensor *x = leaf(v, 1), *y = sl_tensor_retain(x);
  for (int i = 0; i < 200000; i++) {
    sl_tensor *next = t_run(SL_OP_neg, NULL, 1, y);
    sl_tensor_release(y);
    y = next;
  }
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

START_TEST(lazy_is_materialised_when_read) {
  const float v[] = {1, -1, 2, -2}, scale[] = {2, 3}, shift[] = {0, 1};
  sl_tensor *y = t_f32(v, 2, 2, 2), *a = t_f32(scale, 1, 2),
            *b = t_f32(shift, 1, 2), *lazy = NULL;
  ck_assert_int_eq(sl_tensor_lazy(&lazy, y, a, b, SL_ACT_RELU), SL_OK);
  ck_assert(lazy->lazy && !lazy->storage);
  sl_tensor *n = t_run(SL_OP_neg, NULL, 1, lazy);
  t_close(n, (const float[]){-2, 0, -4, 0}, 4, 0);
  ck_assert(!lazy->lazy && lazy->storage);
  sl_tensor_release(n);
  sl_tensor_release(lazy);
  sl_tensor_release(y);
  sl_tensor_release(a);
  sl_tensor_release(b);
}
END_TEST

START_TEST(lua_face) {
  t_lua(
      "local x = sota.tensor({{1, 2, 3}, {4, 5, 6}}, {requires_grad = true})\n"
      "local y = x:permute(2, 1):slice{first = 2, last = 3}\n"
      "assert(y:shape(1) == 2 and y:shape(2) == 2)\n"
      "assert(y:totable()[1][2] == 5 and y[2][1] == 3)\n"
      "y:backward(sota.ones(2, 2))\n"
      "local g = x:grad():totable()\n"
      "assert(g[1][1] == 0 and g[1][2] == 1 and g[2][3] == 1)\n"
      "assert((x + 1)[1][1] == 2 and (2 * x)[2][3] == 12 and (-x)[1][1] == "
      "-1)\n"
      "assert(#x == 2 and x:reshape(-1)[6] == 6)\n"
      "x[1] = 0\n"
      "assert(x[1][2] == 0)\n"
      "fails('row 3 of a tensor with 2 rows', function() return x[3] end)\n"
      "fails(\"did you mean 'first'\", x.slice, x, {frist = 1})\n"
      "fails('do not broadcast', function() return x + sota.ones(2, 4) end)\n"
      "fails('does not divide', x.reshape, x, 4, -1)\n"
      "fails('rows of different lengths', sota.tensor, {{1, 2}, {3}})\n"
      "fails('not a number', sota.tensor, {1, 'a'})\n"
      "fails('does not fit', sota.tensor, {300}, {dtype = 'u8'})\n"
      "fails('nothing to differentiate', x.backward, sota.ones(1))\n"
      "x:close()\n"
      "fails('has been closed', x.shape, x)\n");
}
END_TEST

START_TEST(scopes_close_what_was_made_inside) {
  t_lua("local inside, kept\n"
        "local y = sota.scope(function(n)\n"
        "  inside = sota.ones(n)\n"
        "  kept = sota.ones(n):keep()\n"
        "  return inside + 1\n"
        "end, 3)\n"
        "assert(y[1] == 2 and kept[1] == 1 and not inside:is_open())\n"
        "local ok = pcall(sota.scope, function()\n"
        "  inside = sota.ones(1); error 'x' end)\n"
        "assert(not ok and not inside:is_open())\n");
}
END_TEST

START_TEST(memory_runs_out_at_every_allocation) {
  for (int n = 1; n < 40; n++) {
    sl_alloc_fail_at(n);
    const float v[] = {1, 2};
    const int64_t shape = 2;
    sl_tensor *x = NULL, *y = NULL;
    sl_status s = sl_tensor_from(&x, &sl_cpu, SL_F32, 1, &shape, v);
    if (s == SL_OK) s = sl_require_grad(x, 1);
    sl_tensor *in[] = {x, x};
    if (s == SL_OK) s = sl_op_run(SL_OP_mul, in, 2, NULL, &y);
    if (s == SL_OK) s = sl_backward(y, x);
    ck_assert(s == SL_OK || s == SL_ENOMEM);
    sl_tensor_release(y);
    sl_tensor_release(x);
    ck_assert_int_eq(sl_tensor_live(), 0);
  }
  sl_alloc_fail_at(0);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("tape", &tc);
  tcase_add_test(tc, chain_rule);
  tcase_add_test(tc, gradients_add_up_until_cleared);
  tcase_add_test(tc, broadcast_gradients_are_summed);
  tcase_add_test(tc, long_chains);
  tcase_add_test(tc, lazy_is_materialised_when_read);
  tcase_add_test(tc, lua_face);
  tcase_add_test(tc, scopes_close_what_was_made_inside);
  tcase_add_test(tc, memory_runs_out_at_every_allocation);
  return t_main(s);
}
