/* test_average.c -- running averages of many tensors. */
#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "support.h"
#include "train/average.h"

enum { N = 4 };
/* Less than a block, a block, one more, and several with a rest. */
static const int sizes[N] = {3, 4096, 4097, 30000};

typedef struct pairs {
  sl_tensor *a[N], *b[N];
} pairs;

static pairs new_pairs(void) {
  pairs p;
  for (int i = 0; i < N; i++) {
    p.a[i] = t_random(1, -1, 1, 1, sizes[i]);
    p.b[i] = t_random(2, -1, 1, 1, sizes[i]);
  }
  return p;
}

static void release(pairs *p) {
  for (int i = 0; i < N; i++) {
    sl_tensor_release(p->a[i]);
    sl_tensor_release(p->b[i]);
  }
}

/* In double precision, element by element. */
static void check_average(const pairs *p, const pairs *before, double keep) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < sizes[i]; j++) {
      const double a = (double)sl_f32(before->a[i])[j];
      const double b = (double)sl_f32(before->b[i])[j];
      ck_assert_double_eq_tol((double)sl_f32(p->a[i])[j],
                              keep * a + (1 - keep) * b, 1e-7);
      ck_assert(sl_f32(p->b[i])[j] == sl_f32(before->b[i])[j]);
    }
}

static const double shares[] = {0, 0.25, 0.9999, 1};

START_TEST(values_for_any_number_of_threads) {
  const int threads = sl_pool_size();
  for (int n = 1; n <= 3; n++) {
    pairs p = new_pairs(), before = new_pairs();
    ck_assert_int_eq(sl_pool_resize(n), SL_OK);
    ck_assert_int_eq(sl_average_tensors(p.a, p.b, N, shares[_i]), SL_OK);
    check_average(&p, &before, shares[_i]);
    release(&before);
    release(&p);
  }
  ck_assert_int_eq(sl_pool_resize(threads), SL_OK);
}
END_TEST

START_TEST(keep_nothing_forgets_what_is_no_number) {
  sl_tensor *a = t_f32((const float[]){NAN, INFINITY}, 1, 2);
  sl_tensor *b = t_f32((const float[]){1, 2}, 1, 2);
  ck_assert_int_eq(sl_average_tensors(&a, &b, 1, 0), SL_OK);
  t_close(a, (const float[]){1, 2}, 2, 0);
  sl_tensor_release(b);
  sl_tensor_release(a);
}
END_TEST

START_TEST(errors_change_nothing) {
  pairs p = new_pairs(), before = new_pairs();
  sl_tensor *right = p.b[N - 1], *wrong = t_zeros(SL_I32, 1, sizes[N - 1]);
  p.b[N - 1] = wrong;
  ck_assert_int_eq(sl_average_tensors(p.a, p.b, N, 0.5), SL_ESHAPE);
  p.b[N - 1] = p.b[0];
  ck_assert_int_eq(sl_average_tensors(p.a, p.b, N, 0.5), SL_ESHAPE);
  p.b[N - 1] = p.a[N - 1];
  ck_assert_int_eq(sl_average_tensors(p.a, p.b, N, 0.5), SL_EINVAL);
  p.b[N - 1] = right;
  ck_assert_int_eq(sl_average_tensors(p.a, p.b, N, (double)NAN), SL_EINVAL);
  ck_assert_int_eq(sl_average_tensors(p.a, p.b, N, 1.5), SL_EINVAL);
  sl_alloc_fail_at(1);
  ck_assert_int_eq(sl_average_tensors(p.a, p.b, N, 0.5), SL_ENOMEM);
  check_average(&p, &before, 1);
  ck_assert_int_eq(sl_average_tensors(p.a, p.b, 0, 0.5), SL_OK);
  sl_tensor_release(wrong);
  release(&before);
  release(&p);
}
END_TEST

START_TEST(the_random_sequence_can_be_put_back) {
  t_lua("local place = sota.random_state()\n"
        "local a = sota.uniform{4}:totable()\n"
        "sota.random_state(place)\n"
        "local b = sota.uniform{4}:totable()\n"
        "for i = 1, 4 do assert(a[i] == b[i]) end\n"
        "assert(sota.uniform{4}:totable()[1] ~= a[1])\n"
        "fails('number expected', sota.random_state, {})\n");
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("average", &tc);
  const int n_shares = sizeof shares / sizeof *shares;
  tcase_add_loop_test(tc, values_for_any_number_of_threads, 0, n_shares);
  tcase_add_test(tc, keep_nothing_forgets_what_is_no_number);
  tcase_add_test(tc, errors_change_nothing);
  tcase_add_test(tc, the_random_sequence_can_be_put_back);
  return t_main(s);
}
