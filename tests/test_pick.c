/* test_pick.c -- sort, topk, cumsum, gather, index_select, one_hot, cat, stack,
 * flip: order on long lines, gradients that meet, errors. Values:
 * tests/lua/test_ops.lua. */
#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "ops/along.h"
#include "ops/flip.h"
#include "ops/index.h"
#include "ops/sort.h"
#include "support.h"

enum { LINES = 40, LONG = 1500 };

/* Each line in order; equal ones by position; positions name the values. */
static void check_order(const float *x, const float *v, const int32_t *at,
                        int descending) {
  for (int i = 0; i < LONG; i++) {
    ck_assert(at[i] >= 1 && at[i] <= LONG && x[at[i] - 1] == v[i]);
    if (i == 0) continue;
    if (v[i - 1] == v[i])
      ck_assert_int_lt(at[i - 1], at[i]);
    else
      ck_assert((v[i - 1] > v[i]) == descending);
  }
}

START_TEST(long_lines) {
  sl_tensor *x = t_random(6, -40, 40, 2, LINES, LONG), *in[] = {x};
  for (int64_t i = 0; i < LINES * LONG; i++)
    sl_f32(x)[i] = rintf(sl_f32(x)[i]) / 8; /* many are equal */
  ck_assert_int_eq(sl_pool_resize(3), SL_OK);
  const sl_sort_opts o = {.dim = -1, .descending = _i};
  sl_tensor *out[SL_OP_MAX_OUT] = {0};
  ck_assert_int_eq(sl_op_run(SL_OP_sort, in, 1, &o, out), SL_OK);
  for (int line = 0; line < LINES; line++)
    check_order(sl_f32(x) + line * LONG, sl_f32(out[0]) + line * LONG,
                sl_i32(out[1]) + line * LONG, _i);
  sl_tensor_release(out[0]);
  sl_tensor_release(out[1]);
  sl_tensor_release(x);
  sl_pool_stop();
}
END_TEST

/* The leading k of a topk are the leading k of a sort. */
START_TEST(topk_leads_a_sort) {
  sl_tensor *x = t_random(7, -1, 1, 2, 3, 200);
  const sl_sort_opts all = {.dim = 1, .descending = 1};
  const sl_sort_opts few = {.dim = 1, .k = 5, .largest = 1};
  sl_tensor *s = t_run(SL_OP_sort, &all, 1, x);
  sl_tensor *t = t_run(SL_OP_topk, &few, 1, x);
  for (int line = 0; line < 3; line++)
    ck_assert(memcmp(sl_f32(s) + 200 * line, sl_f32(t) + 5 * line,
                     5 * sizeof(float)) == 0);
  sl_tensor_release(s);
  sl_tensor_release(t);
  sl_tensor_release(x);
}
END_TEST

START_TEST(errors) {
  const int32_t numbers[] = {1, 4, 2}, zero[] = {0};
  sl_tensor *x = t_random(1, -1, 1, 2, 3, 2), *at = t_i32(numbers, 1, 3);
  sl_tensor *none = t_i32(zero, 1, 1), *one = t_random(1, 0, 1, 0);
  sl_tensor *whole = t_zeros(SL_I32, 2, 3, 2);
  t_fails("number 4 at position 2 of index is not in 1..3", SL_OP_index_select,
          NULL, 2, x, at);
  t_fails("number 0 at position 1 of index is not in 1..3", SL_OP_index_select,
          NULL, 2, x, none);
  t_fails("number 0 at position 1 of index is not in 1..3", SL_OP_gather, NULL,
          2, x, whole);
  t_fails("index must be i32", SL_OP_gather, NULL, 2, x, x);
  t_fails("must have the shape of x", SL_OP_gather, NULL, 2, x, at);
  t_fails("index must have rank 1", SL_OP_index_select, NULL, 2, x, whole);
  t_fails("a single number cannot be indexed", SL_OP_index_select, NULL, 2, one,
          at);
  const sl_one_hot_opts three = {3};
  t_fails("number 4 at position 2 of index is not in 1..3, the classes",
          SL_OP_one_hot, &three, 1, at);
  const sl_sort_opts too_many = {.dim = 1, .k = 3, .largest = 1};
  t_fails("k is 3, but dimension 2 has only 2 elements", SL_OP_topk, &too_many,
          1, x);
  t_fails("a single number has nothing to sort", SL_OP_sort, NULL, 1, one);
  t_fails("i32 (3, 2) but the first is f32 (3, 2)", SL_OP_cat, NULL, 2, x,
          whole);
  t_fails("tensor 2, f32 (), has not the shape of the first", SL_OP_stack, NULL,
          2, x, one);
  t_fails("no dimension to join along; use stack", SL_OP_cat, NULL, 1, one);
  t_fails("dims is empty", SL_OP_flip, NULL, 1, x);
  sl_tensor_release(x);
  sl_tensor_release(at);
  sl_tensor_release(none);
  sl_tensor_release(one);
  sl_tensor_release(whole);
}
END_TEST

START_TEST(cat_needs_equal_sizes) {
  sl_tensor *a = t_zeros(SL_F32, 2, 2, 3), *b = t_zeros(SL_F32, 2, 2, 4);
  t_fails("tensor 2, f32 (2, 4), does not fit the first, f32 (2, 3), in all "
          "dimensions but 1",
          SL_OP_cat, NULL, 2, a, b);
  const sl_along_opts o = {.dim = -1};
  sl_tensor *both = t_run(SL_OP_cat, &o, 2, a, b);
  ck_assert_int_eq(both->shape[1], 7);
  sl_tensor_release(both);
  sl_tensor_release(a);
  sl_tensor_release(b);
}
END_TEST

/* The same tensor several times in one list: its gradients add up. */
START_TEST(same_tensor_twice) {
  const float v[] = {1, 2}, w[] = {1, 10, 100, 1000};
  sl_tensor *x = t_f32(v, 1, 2), *seed = t_f32(w, 1, 4);
  ck_assert_int_eq(sl_require_grad(x, 1), SL_OK);
  sl_tensor *both = t_run(SL_OP_cat, NULL, 2, x, x);
  ck_assert_int_eq(sl_backward(both, seed), SL_OK);
  t_close(sl_grad(x), (const float[]){101, 1010}, 2, 0);
  sl_tensor_release(both);
  sl_tensor_release(seed);
  sl_tensor_release(x);
}
END_TEST

/* Strided inputs: cat takes them as they lie, the others through a copy. */
START_TEST(views) {
  t_lua("local x = sota.arange(6):reshape(2, 3):permute(2, 1)\n" /* 3 x 2 */
        "local y = sota.cat({x, x}, {dim = 2}):totable()\n"
        "assert(y[2][1] == 2 and y[2][2] == 5 and y[3][3] == 3)\n"
        "assert(sota.stack({x, x}):totable()[2][1][2] == 4)\n"
        "assert(x:flip{dims = 1}:totable()[1][2] == 6)\n"
        "assert(x:cumsum{dim = 1}:totable()[3][1] == 6)\n"
        "local v, at = x:sort{dim = 1, descending = true}\n"
        "assert(v:totable()[1][1] == 3 and at:totable()[1][1] == 3)\n"
        "local i = sota.tensor({3}, {dtype = 'i32'})\n"
        "assert(x:index_select(i):totable()[1][2] == 6)\n"
        "local b = x:cast('bf16'):index_select(i)\n"
        "assert(b:dtype() == 'bf16' and b:totable()[1][1] == 3)\n");
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("pick", &tc);
  tcase_add_loop_test(tc, long_lines, 0, 2);
  tcase_add_test(tc, topk_leads_a_sort);
  tcase_add_test(tc, errors);
  tcase_add_test(tc, cat_needs_equal_sizes);
  tcase_add_test(tc, same_tensor_twice);
  tcase_add_test(tc, views);
  return t_main(s);
}
