/* test_random.c -- the random operations: streams, distributions, errors. */
#include "ops/random.h"

#include <math.h>

#include "base/threads.h"
#include "support.h"

static sl_random_opts opts_of(sl_op_id id, int64_t n) {
  sl_random_opts o;
  sl_op_defaults(sl_op_get(id), &o);
  o.shape = (sl_ints){1, {n}};
  return o;
}

static sl_tensor *draw(sl_op_id id, const sl_random_opts *o) {
  return t_run(id, o, 0);
}

/* The known answer of Random123 for counter 0 and key 0. */
START_TEST(first_block_of_seed_0) {
  static const uint32_t words[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c,
                                   0x9b00dbd8};
  float want[4];
  for (int i = 0; i < 4; i++)
    want[i] = -1 + 3 * (float)((double)(words[i] >> 8) / 16777216.0);
  sl_random_opts o = opts_of(SL_OP_uniform, 4);
  o.low = -1;
  o.high = 2;
  sl_seed(0);
  sl_tensor *t = draw(SL_OP_uniform, &o);
  t_close(t, want, 4, 1e-6);
  sl_tensor_release(t);
}
END_TEST

static const sl_op_id all[] = {SL_OP_uniform, SL_OP_normal,  SL_OP_bernoulli,
                               SL_OP_beta,    SL_OP_randint, SL_OP_permutation};

static sl_random_opts any_opts(sl_op_id id, int64_t n) {
  sl_random_opts o = opts_of(id, n);
  o.n = n;
  o.from = -5;
  o.to = 1000;
  return o;
}

/* Same seed and call: same bits, whatever the number of threads; a beginning
 * of a longer result is the shorter result. */
START_TEST(same_for_any_threads) {
  const sl_op_id id = all[_i];
  sl_random_opts o = any_opts(id, 100001);
  sl_tensor *t[2];
  for (int k = 0; k < 2; k++) {
    ck_assert_int_eq(sl_pool_resize(k ? 3 : 1), SL_OK);
    sl_seed(11);
    t[k] = draw(id, &o);
  }
  t_equal_tensors(t[0], t[1], 0);
  if (id != SL_OP_permutation) {
    o.shape.v[0] = 7;
    sl_seed(11);
    sl_tensor *few = draw(id, &o);
    float want[7];
    ck_assert_int_eq(sl_tensor_read(few, SL_F32, want, 7), SL_OK);
    for (int i = 0; i < 7; i++)
      ck_assert(sl_tensor_count(t[0]) > 7 &&
                (t[0]->dtype == SL_F32 ? sl_f32(t[0])[i] == want[i]
                                       : (float)sl_i32(t[0])[i] == want[i]));
    sl_tensor_release(few);
  }
  sl_tensor_release(t[0]);
  sl_tensor_release(t[1]);
  sl_pool_stop();
}
END_TEST

static int same(sl_tensor *a, sl_tensor *b) {
  int n = 0;
  for (int i = 0; i < 64; i++)
    n += sl_f32(a)[i] == sl_f32(b)[i];
  return n;
}

START_TEST(calls_differ_and_state_returns) {
  const sl_random_opts o = opts_of(SL_OP_normal, 64);
  sl_seed(3);
  ck_assert_int_eq(sl_seed_get(), 3);
  sl_tensor *a = draw(SL_OP_normal, &o);
  const sl_random_state state = sl_random_save();
  ck_assert_int_eq(state.call, 1);
  sl_tensor *b = draw(SL_OP_normal, &o);
  sl_random_restore(state);
  sl_tensor *again = draw(SL_OP_normal, &o);
  sl_seed(4);
  sl_tensor *other = draw(SL_OP_normal, &o);
  ck_assert_int_lt(same(a, b), 2);
  ck_assert_int_eq(same(b, again), 64);
  ck_assert_int_lt(same(a, other), 2);
  sl_tensor_release(a);
  sl_tensor_release(b);
  sl_tensor_release(again);
  sl_tensor_release(other);
}
END_TEST

enum { MANY = 200000 };

/* A failed call must not use up a number: what follows would change. */
START_TEST(errors_draw_nothing) {
  sl_random_opts o = opts_of(SL_OP_uniform, 4);
  o.low = 2;
  sl_seed(5);
  t_fails("low is 2, above high, 1", SL_OP_uniform, &o, 0);
  o = opts_of(SL_OP_randint, 4);
  o.from = 5;
  o.to = 4;
  t_fails("from is 5, above to, 4", SL_OP_randint, &o, 0);
  ck_assert_int_eq(sl_random_save().call, 0);
}
END_TEST

/* Mean and variance, five standard errors wide. */
static void moments(sl_tensor *t, double mean, double var, double fourth) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < MANY; i++) {
    const double d =
        (t->dtype == SL_F32 ? (double)sl_f32(t)[i] : sl_i32(t)[i]) - mean;
    sum += d;
    squares += d * d;
  }
  ck_assert_double_eq_tol(sum / MANY, 0, 5 * sqrt(var / MANY));
  ck_assert_double_eq_tol(squares / MANY, var, 5 * sqrt(fourth / MANY) + 1e-12);
  sl_tensor_release(t);
}

START_TEST(distributions) {
  sl_seed(2024);
  sl_random_opts o = opts_of(SL_OP_uniform, MANY);
  moments(draw(SL_OP_uniform, &o), 0.5, 1 / 12.0, 1 / 80.0);
  o = opts_of(SL_OP_normal, MANY);
  o.mean = 3;
  o.std = 2;
  moments(draw(SL_OP_normal, &o), 3, 4, 48);
  o = opts_of(SL_OP_bernoulli, MANY);
  o.p = 0.25;
  moments(draw(SL_OP_bernoulli, &o), 0.25, 0.1875, 0.1875);
  o = opts_of(SL_OP_beta, MANY);
  o.a = 0.4;
  o.b = 0.6; /* mean a/(a+b), variance ab/(a+b)^2/(a+b+1) */
  moments(draw(SL_OP_beta, &o), 0.4, 0.12, 0.12);
  o.a = 2;
  o.b = 3;
  moments(draw(SL_OP_beta, &o), 0.4, 0.04, 0.04);
  o = opts_of(SL_OP_randint, MANY);
  o.to = 6;
  moments(draw(SL_OP_randint, &o), 3.5, 35 / 12.0, 15);
}
END_TEST

/* Each face and each quarter of the words turns up: nothing is cut off. */
START_TEST(randint_reaches_both_ends) {
  sl_random_opts o = opts_of(SL_OP_randint, 6000);
  o.from = -1;
  o.to = 1;
  sl_tensor *t = draw(SL_OP_randint, &o);
  int count[3] = {0};
  for (int i = 0; i < 6000; i++) {
    ck_assert(sl_i32(t)[i] >= -1 && sl_i32(t)[i] <= 1);
    count[sl_i32(t)[i] + 1]++;
  }
  for (int k = 0; k < 3; k++)
    ck_assert(count[k] > 1800 && count[k] < 2200);
  sl_tensor_release(t);
  o.from = INT32_MIN;
  o.to = INT32_MAX;
  t = draw(SL_OP_randint, &o);
  int negative = 0;
  for (int i = 0; i < 6000; i++)
    negative += sl_i32(t)[i] < 0;
  ck_assert(negative > 2800 && negative < 3200);
  sl_tensor_release(t);
}
END_TEST

START_TEST(permutation_has_each_once) {
  sl_random_opts o = {.n = 1000};
  sl_tensor *t = draw(SL_OP_permutation, &o);
  char seen[1001] = {0};
  int fixed = 0;
  for (int i = 0; i < 1000; i++) {
    const int v = sl_i32(t)[i];
    ck_assert(v >= 1 && v <= 1000 && !seen[v]);
    seen[v] = 1;
    fixed += v == i + 1;
  }
  ck_assert_int_lt(fixed, 10);
  sl_tensor_release(t);
  o.n = 0;
  t = draw(SL_OP_permutation, &o);
  ck_assert_int_eq(sl_tensor_count(t), 0);
  sl_tensor_release(t);
}
END_TEST

START_TEST(lua_face) {
  t_lua("local u = sota.uniform{2, 3}\n"
        "assert(u:shape(1) == 2 and u:shape(2) == 3)\n"
        "assert(sota.permutation(4):shape(1) == 4)\n"
        "fails('from 0 to 1', sota.bernoulli, {3, p = 1.5})\n"
        "fails('did you mean', sota.normal, {3, mea = 1})\n"
        "fails('shape', sota.uniform)\n");
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("random", &tc);
  tcase_add_test(tc, first_block_of_seed_0);
  tcase_add_loop_test(tc, same_for_any_threads, 0, 6);
  tcase_add_test(tc, calls_differ_and_state_returns);
  tcase_add_test(tc, errors_draw_nothing);
  tcase_add_test(tc, distributions);
  tcase_add_test(tc, randint_reaches_both_ends);
  tcase_add_test(tc, permutation_has_each_once);
  tcase_add_test(tc, lua_face);
  return t_main(s);
}
