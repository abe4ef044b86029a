/* test_split.c -- splits and the order of an epoch. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "data/sampler.h"
#include "data/split.h"
#include "golden.h"
#include "support.h"

static int64_t live;

static void setup(void) {
  live = sl_alloc_live();
}

static void no_leaks(void) {
  ck_assert_int_eq(sl_alloc_live(), live);
}

static void fails_with(sl_status got, sl_status want, const char *text) {
  ck_assert_msg(got == want, "status %d, want %d: %s", got, want, sl_error());
  ck_assert_msg(strstr(sl_error(), text) != NULL, "'%s' not in '%s'", text,
                sl_error());
}

static void same(const int64_t *got, int64_t n, json_t *want) {
  ck_assert_int_eq(n, (int64_t)json_array_size(want));
  for (int64_t i = 0; i < n; i++)
    ck_assert_int_eq(got[i],
                     json_integer_value(json_array_get(want, (size_t)i)));
}

/* Of fastai 2.8: RandomSplitter(seed=42) on 13 items; on Imagenette's 13,394
 * the first validation rows are the first of torch.randperm. */
START_TEST(random_as_fastai) {
  json_t *golden = t_golden("randperm.json");
  json_t *want = t_member(golden, "random_splitter_seed42_n13");
  sl_split s;
  ck_assert_int_eq(sl_split_random(13, .2, 42, &s), SL_OK);
  same(s.train, s.n_train, t_member(want, "train"));
  same(s.valid, s.n_valid, t_member(want, "valid"));
  sl_split_close(&s);
  json_t *sizes = t_member(golden, "sizes");
  ck_assert_int_eq(sl_split_random(13394, .2, 7, &s), SL_OK);
  ck_assert_int_eq(s.n_valid, t_int(sizes, "default RandomSplitter valid"));
  ck_assert_int_eq(s.n_train, t_int(sizes, "train"));
  same(s.valid, 20, t_member(t_member(golden, "seed7_n13394"), "perm_first20"));
  sl_split_close(&s);
  json_decref(golden);
}
END_TEST

START_TEST(random_limits) {
  sl_split s;
  ck_assert_int_eq(sl_split_random(5, 0, 1, &s), SL_OK);
  ck_assert(s.n_train == 5 && s.n_valid == 0);
  sl_split_close(&s);
  fails_with(sl_split_random(5, 1, 1, &s), SL_EINVAL, "in [0, 1), not 1");
  fails_with(sl_split_random(5, -.1, 1, &s), SL_EINVAL, "valid_pct");
  fails_with(sl_split_random(0, .2, 1, &s), SL_EINVAL, "no items to train");
}
END_TEST

static sl_files *list(const char *const *paths, int n) {
  sl_files *f;
  ck_assert_int_eq(sl_files_new(&f), SL_OK);
  for (int i = 0; i < n; i++)
    ck_assert_int_eq(sl_files_add(f, paths[i]), SL_OK);
  return f;
}

START_TEST(grandparent) {
  static const char *const paths[] = {"d/train/a/1.jpg", "d/val/a/2.jpg",
                                      "d/test/a/3.jpg", "d/train/b/4.jpg",
                                      "d/val/b/5.jpg"};
  sl_files *f = list(paths, 5);
  sl_split s;
  ck_assert_int_eq(sl_split_grandparent(f, "train", "val", &s), SL_OK);
  ck_assert(s.n_train == 2 && s.train[0] == 0 && s.train[1] == 3);
  ck_assert(s.n_valid == 2 && s.valid[0] == 1 && s.valid[1] == 4);
  sl_split_close(&s);
  fails_with(sl_split_grandparent(f, "train", "valid", &s), SL_EINVAL,
             "named 'valid'; the folders there are 'train', 'val', 'test'");
  fails_with(sl_split_grandparent(f, "val", "val", &s), SL_EINVAL, "both");
  sl_files_release(f);
  static const char *const flat[] = {"1.jpg"};
  f = list(flat, 1);
  fails_with(sl_split_grandparent(f, "train", "val", &s), SL_EINVAL,
             "no named folder");
  sl_files_release(f);
}
END_TEST

START_TEST(rows_and_mask) {
  static const int64_t valid[] = {3, 1}, twice[] = {1, 1}, out[] = {4};
  static const uint8_t mask[] = {0, 1, 0, 1};
  sl_split s;
  ck_assert_int_eq(sl_split_rows(4, valid, 2, &s), SL_OK);
  ck_assert(s.n_valid == 2 && s.valid[0] == 3 && s.valid[1] == 1);
  ck_assert(s.n_train == 2 && s.train[0] == 0 && s.train[1] == 2);
  sl_split_close(&s);
  ck_assert_int_eq(sl_split_mask(4, mask, &s), SL_OK);
  ck_assert(s.n_valid == 2 && s.valid[0] == 1 && s.valid[1] == 3);
  sl_split_close(&s);
  fails_with(sl_split_rows(4, twice, 2, &s), SL_EINVAL, "row 2 is in the");
  fails_with(sl_split_rows(4, out, 1, &s), SL_EINVAL, "row 5 is not in");
  fails_with(sl_split_mask(1, mask + 1, &s), SL_EINVAL, "no items to train");
}
END_TEST

START_TEST(allocations_fail) {
  static const int64_t valid[] = {3, 1};
  for (int n = 1; n <= 3; n++) {
    sl_split s;
    sl_alloc_fail_at(n);
    fails_with(sl_split_random(10, .5, 1, &s), SL_ENOMEM, "no memory");
    sl_alloc_fail_at(n);
    fails_with(sl_split_rows(4, valid, 2, &s), SL_ENOMEM, "no memory");
  }
  sl_alloc_fail_at(0);
}
END_TEST

/* --- sampler -------------------------------------------------------------- */

enum { N = 101 };

static int64_t order_of(const sl_sampler *s, uint32_t epoch, int64_t *order) {
  ck_assert_int_eq(sl_sampler_order(s, epoch, order), SL_OK);
  return sl_sampler_count(s);
}

START_TEST(epochs_differ_and_repeat) {
  const sl_sampler s = {.n = N, .shuffle = 1, .seed = 7};
  int64_t a[N], b[N], again[N];
  char seen[N] = {0};
  ck_assert_int_eq(order_of(&s, 1, a), N);
  order_of(&s, 2, b);
  order_of(&s, 1, again);
  ck_assert_mem_eq(a, again, sizeof a);
  ck_assert_mem_ne(a, b, sizeof a);
  for (int i = 0; i < N; i++)
    seen[a[i]]++;
  for (int i = 0; i < N; i++)
    ck_assert_int_eq(seen[i], 1);
}
END_TEST

START_TEST(in_order_without_shuffle) {
  const sl_sampler s = {.n = N};
  int64_t a[N];
  ck_assert_int_eq(order_of(&s, 5, a), N);
  for (int i = 0; i < N; i++)
    ck_assert_int_eq(a[i], i);
}
END_TEST

/* Validation: every item once, over all ranks. */
START_TEST(ranks_share_without_repeats) {
  int64_t a[N], total = 0;
  char seen[N] = {0};
  for (int rank = 0; rank < 4; rank++) {
    const sl_sampler s = {.n = N, .rank = rank, .world = 4};
    const int64_t n = order_of(&s, 0, a);
    for (int64_t i = 0; i < n; i++)
      seen[a[i]]++;
    total += n;
  }
  ck_assert_int_eq(total, N);
  for (int i = 0; i < N; i++)
    ck_assert_int_eq(seen[i], 1);
}
END_TEST

/* Training: each rank equally many; together the permutation of one process. */
START_TEST(ranks_train_evenly) {
  int64_t whole[N], a[N];
  const sl_sampler one = {.n = N, .shuffle = 1, .seed = 3};
  order_of(&one, 4, whole);
  for (int drop = 0; drop < 2; drop++) {
    for (int rank = 0; rank < 4; rank++) {
      const sl_sampler s = {.n = N,
                            .shuffle = 1,
                            .seed = 3,
                            .rank = rank,
                            .world = 4,
                            .even = 1,
                            .drop_last = drop};
      const int64_t n = order_of(&s, 4, a);
      ck_assert_int_eq(n, drop ? 25 : 26);
      for (int64_t i = 0; i < n; i++)
        ck_assert_int_eq(a[i], whole[(rank + 4 * i) % N]);
    }
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("split");
  TCase *tc = tcase_create("split");
  tcase_add_checked_fixture(tc, setup, no_leaks);
  tcase_add_test(tc, random_as_fastai);
  tcase_add_test(tc, random_limits);
  tcase_add_test(tc, grandparent);
  tcase_add_test(tc, rows_and_mask);
  tcase_add_test(tc, allocations_fail);
  tcase_add_test(tc, epochs_differ_and_repeat);
  tcase_add_test(tc, in_order_without_shuffle);
  tcase_add_test(tc, ranks_share_without_repeats);
  tcase_add_test(tc, ranks_train_evenly);
  suite_add_tcase(s, tc);
  return t_main(s);
}
