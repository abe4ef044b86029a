/* test_histogram.c -- counts of values in equal parts; memory that is short. */
#include "tensor/histogram.h"

#include <math.h>

#include "base/alloc.h"
#include "support.h"

static void counts_are(sl_tensor *t, double low, double high, int64_t n,
                       const int64_t *want) {
  int64_t got[8];
  ck_assert_int_eq(sl_tensor_histogram(t, low, high, n, got), SL_OK);
  for (int64_t i = 0; i < n; i++)
    ck_assert_int_eq(got[i], want[i]);
}

START_TEST(parts_and_ends) {
  const float v[] = {0, 0.9f, 1, 2.5f, 4, 4.1f, -0.1f, NAN, INFINITY};
  sl_tensor *t = t_zeros(SL_F32, 1, 9);
  for (int i = 0; i < 9; i++)
    sl_f32(t)[i] = v[i];
  counts_are(t, 0, 4, 4, (int64_t[]){2, 1, 1, 1});
  counts_are(t, -1, 5, 1, (int64_t[]){7});
  counts_are(t, 10, 11, 2, (int64_t[]){0, 0});
  sl_tensor_release(t);
}
END_TEST

START_TEST(no_memory) {
  sl_tensor *t = t_zeros(SL_F32, 1, 3);
  int64_t counts[2];
  sl_alloc_fail_at(1);
  ck_assert_int_eq(sl_tensor_histogram(t, 0, 1, 2, counts), SL_ENOMEM);
  sl_alloc_fail_at(0);
  sl_tensor_release(t);
}
END_TEST

int main(void) {
  Suite *s = suite_create("histogram");
  TCase *tc = tcase_create("histogram");
  tcase_add_checked_fixture(tc, NULL, t_no_leaks);
  tcase_add_test(tc, parts_and_ends);
  tcase_add_test(tc, no_memory);
  suite_add_tcase(s, tc);
  return t_main(s);
}
