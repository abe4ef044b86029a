/* test_threads.c -- the compute pool: everyone works, barriers hold, work is
 * split without gaps, whatever the size. Also run under the thread sanitizer.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/threads.h"
#include "support.h"

enum { MOST = 8, PHASES = 200, ITEMS = 1000 };

typedef struct counts {
  atomic_int calls[MOST];
  atomic_int n_workers;
  int plain[MOST]; /* written by its worker, read by the others */
  atomic_int wrong;
} counts;

static void count(void *context, int worker, int n_workers) {
  counts *c = context;
  atomic_fetch_add(&c->calls[worker], 1);
  atomic_store(&c->n_workers, n_workers);
}

static void resize(int n) {
  ck_assert_int_eq(sl_pool_resize(n), SL_OK);
}

START_TEST(each_worker_runs_once) {
  for (int n = 1; n <= MOST; n++) {
    counts c = {0};
    resize(n);
    ck_assert_int_eq(sl_pool_size(), n);
    sl_parallel(count, &c);
    ck_assert_int_eq(c.n_workers, n);
    for (int i = 0; i < MOST; i++)
      ck_assert_int_eq(c.calls[i], i < n);
  }
}
END_TEST

START_TEST(many_jobs) {
  counts c = {0};
  resize(4);
  for (int i = 0; i < 5000; i++)
    sl_parallel(count, &c);
  for (int i = 0; i < 4; i++)
    ck_assert_int_eq(c.calls[i], 5000);
}
END_TEST

/* In each phase everyone writes its own number, then reads all. */
static void phases(void *context, int worker, int n_workers) {
  counts *c = context;
  for (int p = 1; p <= PHASES; p++) {
    c->plain[worker] = p;
    sl_pool_barrier();
    for (int i = 0; i < n_workers; i++)
      if (c->plain[i] != p) atomic_fetch_add(&c->wrong, 1);
    sl_pool_barrier();
  }
}

START_TEST(barrier_separates_phases) {
  for (int n = 1; n <= 5; n++) {
    counts c = {0};
    resize(n);
    for (int again = 0; again < 3; again++)
      sl_parallel(phases, &c);
    ck_assert_int_eq(c.wrong, 0);
  }
}
END_TEST

static void nested(void *context, int worker, int n_workers) {
  (void)worker, (void)n_workers;
  counts inner = {0};
  sl_parallel(phases, &inner); /* its barriers are this worker's own */
  sl_parallel(count, &inner);
  if (inner.n_workers != 1 || inner.calls[0] != 1 || inner.wrong)
    atomic_fetch_add(&((counts *)context)->wrong, 1);
  atomic_fetch_add(&((counts *)context)->calls[worker], 1);
}

START_TEST(nested_runs_in_place) {
  for (int n = 1; n <= 4; n++) {
    counts c = {0};
    resize(n);
    sl_parallel(nested, &c);
    ck_assert_int_eq(c.wrong, 0);
    for (int i = 0; i < n; i++)
      ck_assert_int_eq(c.calls[i], 1);
  }
}
END_TEST

START_TEST(stopped_pool_starts_again) {
  resize(3);
  for (int i = 0; i < 20; i++) {
    counts c = {0};
    sl_parallel(count, &c);
    ck_assert_int_eq(c.calls[2], 1);
    sl_pool_stop();
    sl_pool_stop(); /* twice is harmless */
  }
}
END_TEST

START_TEST(share_has_no_gaps) {
  const int64_t grains[] = {1, 2, 16, 1000, 4096};
  for (int g = 0; g < 5; g++) {
    for (int n = 1; n <= MOST; n++) {
      for (int64_t items = 0; items <= ITEMS; items += 37) {
        int64_t next = 0, begin, end, most = 0, least = INT64_MAX;
        for (int i = 0; i < n; i++) {
          sl_share(items, grains[g], i, n, &begin, &end);
          ck_assert_int_eq(begin, next);
          ck_assert(begin % grains[g] == 0 || begin == items);
          next = end;
          most = end - begin > most ? end - begin : most;
          least = end - begin < least ? end - begin : least;
        }
        ck_assert_int_eq(next, items);
        ck_assert_int_le(most - least, 2 * grains[g]);
      }
    }
  }
}
END_TEST

START_TEST(sizes_out_of_range) {
  ck_assert_int_eq(sl_pool_resize(-1), SL_EINVAL);
  ck_assert_ptr_nonnull(strstr(sl_error(), "not -1"));
  ck_assert_int_eq(sl_pool_resize(SL_MAX_THREADS + 1), SL_EINVAL);
  resize(0);
  ck_assert_int_eq(sl_pool_size(), sl_cores());
  ck_assert_int_ge(sl_cores(), 1);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("threads", &tc);
  tcase_add_test(tc, each_worker_runs_once);
  tcase_add_test(tc, many_jobs);
  tcase_add_test(tc, barrier_separates_phases);
  tcase_add_test(tc, nested_runs_in_place);
  tcase_add_test(tc, stopped_pool_starts_again);
  tcase_add_test(tc, share_has_no_gaps);
  tcase_add_test(tc, sizes_out_of_range);
  return t_main(s);
}
