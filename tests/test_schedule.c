/* test_schedule.c -- against fastai's schedules (schedules.json). */
#include <math.h>
#include <string.h>

#include "golden.h"
#include "support.h"
#include "train/schedule.h"

static void same(double x, double want, const char *what, size_t i) {
  ck_assert_msg(fabs(x - want) <= 1e-12 * fabs(want),
                "%s, position %zu: %.17g, want %.17g", what, i, x, want);
}

START_TEST(curves) {
  static const struct {
    const char *key;
    sl_segment s;
  } cases[] = {
      {"cos_0.1_to_2", {SL_CURVE_COS, 0.1, 2, 0}},
      {"lin_0.1_to_2", {SL_CURVE_LIN, 0.1, 2, 0}},
      {"exp_0.1_to_2", {SL_CURVE_EXP, 0.1, 2, 0}},
      {"poly3_0.1_to_2", {SL_CURVE_POLY, 0.1, 2, 3}},
  };
  json_t *all = t_golden("schedules.json"), *pos = t_member(all, "pos");
  json_t *want = t_member(all, cases[_i].key);
  for (size_t i = 0; i < json_array_size(pos); i++)
    same(sl_segment_at(&cases[_i].s, t_at(pos, i)), t_at(want, i),
         cases[_i].key, i);
  json_decref(all);
}
END_TEST

/* Schedules of the learner's methods: start, middle and end of the rate (and
 * of the momentum, .95 .85 .95), at the positions listed. */
static const struct cycle {
  const char *key, *lr;
  double pct, start, middle, end;
  int mom;
} cycles[] = {
    {"one_cycle_lr3e-3_20steps_1epoch", "lr", 0.25, 3e-3 / 25, 3e-3, 3e-8, 1},
    {"one_cycle_lr3e-3_2epochs_x10", "lr", 0.25, 3e-3 / 25, 3e-3, 3e-8, 1},
    {"one_cycle_at_pct", "lr_max_3e-3", 0.25, 3e-3 / 25, 3e-3, 3e-3 / 1e5, 1},
    {"fine_tune_frozen_pct_start_0.99_lr1e-3_20steps", "lr", 0.99, 1e-3 / 25,
     1e-3, 1e-3 / 1e5, 1},
    {"fine_tune_unfrozen_pct_start_0.3_div5_lr5e-4_20steps", "lr", 0.3,
     5e-4 / 5, 5e-4, 5e-4 / 1e5, 1},
    {"flat_cos_lr8e-3", "lr", 0.75, 8e-3, 8e-3, 8e-3 / 1e5, 0},
};

static void check(json_t *run, const char *name, const sl_schedule *s) {
  json_t *pct = t_member(run, "pct"), *want = t_member(run, name);
  for (size_t i = 0; i < json_array_size(pct); i++)
    same(sl_schedule_at(s, t_at(pct, i)), t_at(want, i), name, i);
}

START_TEST(combined) {
  const struct cycle *c = &cycles[_i];
  json_t *all = t_golden("schedules.json"), *run = t_member(all, c->key);
  sl_schedule s;
  ck_assert_int_eq(
      sl_schedule_combined_cos(&s, c->pct, c->start, c->middle, c->end), SL_OK);
  check(run, c->lr, &s);
  ck_assert_int_eq(sl_schedule_combined_cos(&s, c->pct, .95, .85, .95), SL_OK);
  if (c->mom) check(run, "mom", &s);
  json_decref(all);
}
END_TEST

START_TEST(warm_restarts) {
  json_t *all = t_golden("schedules.json");
  sl_schedule s;
  ck_assert_int_eq(sl_schedule_sgdr(&s, 3, 1, 2, 1e-2), SL_OK);
  check(t_member(all, "sgdr_3cycles_len1_mult2_lr1e-2"), "lr", &s);
  json_decref(all);
}
END_TEST

START_TEST(rates_of_groups) {
  json_t *all = t_golden("schedules.json"), *c;
  size_t k;
  json_array_foreach(t_member(all, "even_mults"), k, c) {
    double v[8];
    const int n = (int)json_integer_value(t_member(c, "n"));
    json_t *want = t_member(c, "v");
    sl_even_mults(json_number_value(t_member(c, "start")),
                  json_number_value(t_member(c, "stop")), n, v);
    for (int i = 0; i < n; i++)
      same(v[i],
           json_is_array(want) ? t_at(want, (size_t)i)
                               : json_number_value(want),
           "even_mults", (size_t)i);
  }
  json_decref(all);
}
END_TEST

START_TEST(refusals) {
  const double half[] = {0.5, 0.4}, less[] = {-0.5, 1.5};
  const sl_segment two[2] = {{SL_CURVE_NO, 1, 1, 0}, {SL_CURVE_NO, 1, 1, 0}};
  sl_schedule s;
  ck_assert_int_eq(sl_schedule_combine(&s, 2, half, two), SL_EINVAL);
  ck_assert_ptr_nonnull(strstr(sl_error(), "add up to 0.9, not 1"));
  ck_assert_int_eq(sl_schedule_combine(&s, 2, less, two), SL_EINVAL);
  ck_assert_int_eq(sl_schedule_combine(&s, 0, half, two), SL_EINVAL);
  ck_assert_int_eq(sl_schedule_sgdr(&s, 99, 1, 2, 1e-2), SL_EINVAL);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("schedule", &tc);
  tcase_add_loop_test(tc, curves, 0, 4);
  tcase_add_loop_test(tc, combined, 0, sizeof cycles / sizeof *cycles);
  tcase_add_test(tc, warm_restarts);
  tcase_add_test(tc, rates_of_groups);
  tcase_add_test(tc, refusals);
  return t_main(s);
}
