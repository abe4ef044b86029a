/* test_loader.c -- batches by threads, over real files and pipelines.
 *
 * The set: 23 pictures of 12 x 10 pixels; all red values of file i are
 * 10 * i, green and blue are a fixed pattern, so both the item and what its
 * transforms did can be read off its pixels. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "data/loader.h"
#include "data/sampler.h"
#include "files.h"
#include "support.h"

enum { N = 23, W = 12, H = 10, SIZE = 8 };

static int64_t live;
static char warned[1024];
static int n_warned;
static sl_files *files;
static sl_vocab *vocab;
static sl_item_pipeline *pipeline;

static void remember(sl_log_level level, const char *line) {
  if (level > SL_LOG_WARN) return;
  snprintf(warned, sizeof warned, "%s", line);
  n_warned++;
}

static void write_picture(int i) {
  char name[32], bytes[64 + W * H * 3];
  const int head = snprintf(bytes, 64, "P6\n%d %d\n255\n", W, H);
  for (int j = 0; j < W * H; j++) {
    bytes[head + 3 * j] = (char)(10 * i);
    bytes[head + 3 * j + 1] = (char)(j * 37);
    bytes[head + 3 * j + 2] = (char)(j * 11 + i);
  }
  snprintf(name, sizeof name, "%02d.ppm", i);
  const char *path = t_write(name, bytes, (size_t)head + W * H * 3);
  ck_assert_int_eq(sl_files_add(files, path), SL_OK);
}

static void make_pipeline(void) {
  sl_item_transform t[] = {
      sl_item_transform_make(&sl_transform_random_resized_crop),
      sl_item_transform_make(&sl_transform_flip_item)};
  t[0].opts.random_resized_crop.size = (sl_hw){SIZE, SIZE};
  ck_assert_int_eq(sl_item_pipeline_new(&pipeline, t, 2, NULL), SL_OK);
}

static void setup(void) {
  sl_item_scratch *warm_up; /* libvips keeps some memory from its first use */
  ck_assert_int_eq(sl_item_scratch_new(&warm_up), SL_OK);
  sl_item_scratch_free(warm_up);
  live = sl_alloc_live();
  n_warned = 0;
  sl_log_set_sink(remember);
  sl_interrupt_clear();
  t_folder_make();
  ck_assert_int_eq(sl_files_new(&files), SL_OK);
  for (int i = 0; i < N; i++) {
    write_picture(i);
    ck_assert_int_eq(sl_files_set_label(files, i, i % 3 ? "dog" : "cat"),
                     SL_OK);
  }
  ck_assert_int_eq(sl_vocab_from_rows(files, NULL, N, &vocab), SL_OK);
  make_pipeline();
}

static void teardown(void) {
  sl_files_release(files);
  sl_vocab_free(vocab);
  sl_item_pipeline_release(pipeline);
  t_folder_remove();
  sl_log_set_sink(NULL);
  sl_interrupt_clear();
  ck_assert_int_eq(sl_alloc_live(), live);
}

static sl_loader_config config(void) {
  return (sl_loader_config){.name = "training",
                            .files = files,
                            .vocab = vocab,
                            .pipeline = pipeline,
                            .train = 1,
                            .batch_size = 4,
                            .shuffle = 1,
                            .drop_last = 1,
                            .seed = 11,
                            .workers = 2};
}

static sl_loader *loader(const sl_loader_config *c) {
  sl_loader *l = NULL;
  ck_assert_msg(sl_loader_new(c, &l) == SL_OK, "%s", sl_error());
  return l;
}

static void start(sl_loader *l, uint32_t epoch, int64_t first) {
  ck_assert_int_eq(sl_loader_start(l, epoch, first), SL_OK);
}

static sl_batch next(sl_loader *l) {
  sl_batch b;
  ck_assert_msg(sl_loader_next(l, &b) == SL_OK, "%s", sl_error());
  return b;
}

static void fails_with(sl_status got, sl_status want, const char *text) {
  ck_assert_msg(got == want, "status %d, want %d: %s", got, want, sl_error());
  ck_assert_msg(strstr(sl_error(), text) != NULL, "'%s' not in '%s'", text,
                sl_error());
}

/* Everything that two epochs give, from batch first of epoch 1 on. */
typedef struct record {
  uint8_t pixels[2 * N * SIZE * SIZE * 3];
  int32_t labels[2 * N];
  int64_t rows[2 * N];
  int n, batches;
} record;

static void record_epoch(sl_loader *l, uint32_t epoch, int64_t first,
                         record *r) {
  const size_t item = SIZE * SIZE * 3;
  start(l, epoch, first);
  for (sl_batch b; (b = next(l)).n > 0; r->n += b.n, r->batches++) {
    ck_assert(b.h == SIZE && b.w == SIZE);
    memcpy(r->pixels + (size_t)r->n * item, b.pixels, (size_t)b.n * item);
    memcpy(r->labels + r->n, b.labels, (size_t)b.n * sizeof *b.labels);
    memcpy(r->rows + r->n, b.rows, (size_t)b.n * sizeof *b.rows);
  }
}

static record *record_all(const sl_loader_config *c) {
  record *r = calloc(1, sizeof *r);
  sl_loader *l = loader(c);
  record_epoch(l, 1, 0, r);
  record_epoch(l, 2, 0, r);
  sl_loader_free(l);
  return r;
}

START_TEST(items_arrive_as_they_are) {
  sl_loader_config c = config();
  c.drop_last = 0;
  record *r = record_all(&c);
  ck_assert_int_eq(r->n, 2 * N);
  ck_assert_int_eq(r->batches, 12);
  int seen[N] = {0};
  for (int i = 0; i < 2 * N; i++) {
    seen[r->rows[i]]++;
    ck_assert_int_eq(r->labels[i], r->rows[i] % 3 ? 2 : 1);
    for (int p = 0; p < SIZE * SIZE; p++)
      ck_assert_int_eq(r->pixels[(i * SIZE * SIZE + p) * 3], 10 * r->rows[i]);
  }
  for (int i = 0; i < N; i++)
    ck_assert_int_eq(seen[i], 2);
  ck_assert_mem_ne(r->rows, r->rows + N, N * sizeof *r->rows);
  free(r);
}
END_TEST

static const int worker_counts[] = {1, 2, 4, 16};

START_TEST(any_number_of_workers) {
  sl_loader_config c = config();
  c.drop_last = 0;
  c.workers = 0;
  record *want = record_all(&c);
  c.workers = worker_counts[_i];
  c.prefetch = 1 + _i;
  record *got = record_all(&c);
  ck_assert_mem_eq(got, want, sizeof *want);
  free(got);
  free(want);
}
END_TEST

/* Training pictures are cropped anew each epoch. */
START_TEST(epochs_draw_anew) {
  sl_loader_config c = config();
  c.shuffle = 0;
  record *r = record_all(&c);
  const size_t half = sizeof r->pixels / N / 2 * (size_t)(r->n / 2);
  ck_assert_mem_eq(r->rows, r->rows + r->n / 2, (size_t)r->n / 2 * 8);
  ck_assert_mem_ne(r->pixels, r->pixels + half, half);
  free(r);
}
END_TEST

START_TEST(resume_within_an_epoch) {
  const sl_loader_config c = config();
  record *whole = calloc(1, sizeof *whole), *rest = calloc(1, sizeof *rest);
  sl_loader *l = loader(&c);
  record_epoch(l, 3, 0, whole);
  record_epoch(l, 3, 2, rest);
  ck_assert_int_eq(rest->n, whole->n - 8);
  ck_assert_mem_eq(rest->rows, whole->rows + 8, (size_t)rest->n * 8);
  ck_assert_mem_eq(rest->pixels, whole->pixels + 8 * SIZE * SIZE * 3,
                   (size_t)rest->n * SIZE * SIZE * 3);
  start(l, 3, sl_loader_length(l));
  ck_assert_int_eq(next(l).n, 0);
  fails_with(sl_loader_start(l, 3, 6), SL_EINVAL, "cannot begin at batch 7");
  sl_loader_free(l);
  free(whole);
  free(rest);
}
END_TEST

START_TEST(validation_in_order) {
  static const int64_t rows[] = {5, 3, 20, 9, 1};
  sl_loader_config c = config();
  c.train = c.shuffle = c.drop_last = 0;
  c.rows = rows;
  c.n = 5;
  sl_loader *l = loader(&c);
  ck_assert_int_eq(sl_loader_length(l), 2);
  ck_assert_int_eq(sl_loader_items(l), 5);
  uint8_t before[SIZE * SIZE * 3];
  for (uint32_t epoch = 1; epoch < 3; epoch++) { /* no epoch changes it */
    start(l, epoch, 0);
    sl_batch b = next(l);
    ck_assert_int_eq(b.n, 4);
    ck_assert_mem_eq(b.rows, rows, sizeof *rows * 4);
    if (epoch > 1) ck_assert_mem_eq(before, b.pixels, sizeof before);
    memcpy(before, b.pixels, sizeof before);
    b = next(l);
    ck_assert(b.n == 1 && b.number == 1 && b.rows[0] == 1);
    ck_assert_int_eq(next(l).n, 0);
  }
  sl_loader_free(l);
}
END_TEST

START_TEST(sizes_of_an_epoch) {
  sl_loader_config c = config();
  sl_loader *l = loader(&c);
  ck_assert_int_eq(sl_loader_length(l), 5);
  ck_assert_int_eq(sl_loader_items(l), 20);
  sl_loader_free(l);
  c.batch_size = 64;
  l = loader(&c);
  ck_assert_int_eq(sl_loader_length(l), 1);
  ck_assert_int_eq(sl_loader_batch_size(l), N);
  ck_assert_ptr_nonnull(strstr(warned, "batch size 64 is larger than the "
                                       "training set: using all its 23"));
  start(l, 1, 0);
  ck_assert_int_eq(next(l).n, N);
  sl_loader_free(l);
  c.drop_last = 0;
  l = loader(&c);
  ck_assert_int_eq(sl_loader_length(l), 1);
  ck_assert_int_eq(sl_loader_batch_size(l), 64);
  sl_loader_free(l);
}
END_TEST

START_TEST(config_errors) {
  static const int64_t rows[] = {N};
  sl_loader *l;
  sl_loader_config c = config();
  c.batch_size = 0;
  fails_with(sl_loader_new(&c, &l), SL_EINVAL, "must be 1 or more, not 0");
  c = config();
  c.rows = rows;
  fails_with(sl_loader_new(&c, &l), SL_EINVAL, "training set is empty");
  c.n = 1;
  fails_with(sl_loader_new(&c, &l), SL_EINVAL, "row 24 is not in a list of 23");
  c = config();
  c.workers = 1000;
  fails_with(sl_loader_new(&c, &l), SL_EINVAL, "workers must be");
  c = config();
  c.rank = 2;
  fails_with(sl_loader_new(&c, &l), SL_EINVAL, "rank 2 is not one of");
  static const char *const cats[] = {"cat"};
  sl_vocab *v;
  ck_assert_int_eq(sl_vocab_from_names(cats, 1, &v), SL_OK);
  c = config();
  c.vocab = v;
  fails_with(sl_loader_new(&c, &l), SL_EINVAL, "has class 'dog'");
  sl_vocab_free(v);
  c = config();
  l = loader(&c);
  sl_batch b;
  fails_with(sl_loader_next(l, &b), SL_EINVAL, "was not started");
  fails_with(sl_files_set_label(files, 0, "x"), SL_EINVAL, "feeds a loader");
  sl_loader_free(l);
}
END_TEST

START_TEST(multi_hot) {
  static const char *const both[] = {"cat", "dog"};
  ck_assert_int_eq(sl_files_set_labels(files, 4, both, 2), SL_OK);
  ck_assert_int_eq(sl_files_set_labels(files, 5, NULL, 0), SL_OK);
  sl_loader_config c = config();
  c.multi = 1;
  c.shuffle = 0;
  c.batch_size = 8;
  sl_loader *l = loader(&c);
  static const float want[] = {1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 1};
  for (uint32_t epoch = 1; epoch < 3; epoch++) {
    start(l, epoch, 0);
    const sl_batch b = next(l);
    ck_assert_ptr_null(b.labels);
    ck_assert_mem_eq(b.targets, want, sizeof want);
  }
  sl_loader_free(l);
}
END_TEST

START_TEST(without_labels) {
  sl_loader_config c = config();
  c.vocab = NULL;
  sl_loader *l = loader(&c);
  start(l, 1, 0);
  const sl_batch b = next(l);
  ck_assert(b.n == 4 && !b.labels && !b.targets);
  ck_assert_ptr_null(sl_loader_targets(l));
  sl_loader_free(l);
}
END_TEST

/* --- bad images ----------------------------------------------------------- */

static void spoil(int i) {
  char name[32];
  snprintf(name, sizeof name, "%02d.ppm", i);
  t_write(name, "P6\n12 10\n255\nshort", 18);
}

START_TEST(bad_image_is_an_error) {
  sl_loader_config c = config();
  c.shuffle = 0;
  c.workers = _i;
  spoil(6);
  spoil(7);
  sl_loader *l = loader(&c);
  start(l, 1, 0);
  ck_assert_int_eq(next(l).n, 4);
  sl_batch b;
  const sl_status status = sl_loader_next(l, &b);
  ck_assert(status == SL_EDATA || status == SL_EIO);
  ck_assert_msg(strstr(sl_error(), "06.ppm") != NULL, "%s", sl_error());
  fails_with(sl_loader_next(l, &b), SL_EINVAL, "was not started");
  start(l, 2, 0);
  ck_assert_int_eq(next(l).n, 4);
  sl_loader_free(l);
}
END_TEST

START_TEST(bad_images_are_skipped) {
  sl_loader_config c = config();
  c.shuffle = c.drop_last = 0;
  c.on_bad = SL_BAD_SKIP;
  c.workers = _i;
  spoil(1);
  ck_assert_int_eq(unlink(t_path("02.ppm")), 0);
  for (int i = 8; i < 12; i++)
    spoil(i);
  sl_loader *l = loader(&c);
  for (uint32_t epoch = 1; epoch < 3; epoch++) {
    start(l, epoch, 0);
    sl_batch b = next(l);
    ck_assert(b.n == 2 && b.n_bad == 2 && b.rows[0] == 0 && b.rows[1] == 3);
    ck_assert(b.labels[0] == 1 && b.labels[1] == 1);
    ck_assert_int_eq(b.pixels[SIZE * SIZE * 3], 30);
    ck_assert_int_eq(next(l).n, 4);
    b = next(l); /* batch 2 (rows 8..11) is passed over */
    ck_assert(b.n == 4 && b.number == 3 && b.rows[0] == 12);
    ck_assert_int_eq(next(l).n, 4);
    ck_assert_int_eq(next(l).n, 3);
    ck_assert_int_eq(next(l).n, 0);
  }
  ck_assert_int_eq(sl_loader_bad_count(l), 6);
  ck_assert_int_eq(n_warned, 6);
  int64_t row;
  const char *reason;
  sl_loader_bad(l, 1, &row, &reason);
  ck_assert_int_eq(row, 2);
  ck_assert_msg(strstr(reason, "02.ppm") != NULL, "%s", reason);
  sl_loader_free(l);
}
END_TEST

START_TEST(too_many_bad_images) {
  sl_loader_config c = config();
  c.on_bad = SL_BAD_SKIP;
  c.batch_size = N;
  for (int i = 0; i < 11; i++)
    spoil(2 * i);
  sl_loader *l = loader(&c);
  start(l, 1, 0);
  sl_batch b;
  fails_with(sl_loader_next(l, &b), SL_EDATA, "11 of the first ");
  ck_assert_ptr_nonnull(strstr(sl_error(), ".ppm"));
  sl_loader_free(l);
}
END_TEST

/* --- ends ----------------------------------------------------------------- */

START_TEST(stop_at_any_point) {
  const sl_loader_config c = config();
  sl_loader *l = loader(&c);
  for (int stop_after = 0; stop_after < 6; stop_after++) {
    start(l, 1, 0);
    for (int i = 0; i < stop_after; i++)
      ck_assert_int_eq(next(l).n, i < 5 ? 4 : 0);
    if (stop_after % 2) sl_loader_release(l);
    if (stop_after % 3) sl_loader_stop(l); /* else the next start does */
  }
  start(l, 2, 0);
  sl_loader_free(l);
}
END_TEST

/* The batch in use is not touched while others are made. */
START_TEST(borrowed_memory_stays) {
  sl_loader_config c = config();
  c.workers = 4;
  c.batch_size = 2;
  sl_loader *l = loader(&c);
  start(l, 1, 0);
  const sl_batch b = next(l);
  uint8_t copy[2 * SIZE * SIZE * 3];
  memcpy(copy, b.pixels, sizeof copy);
  nanosleep(&(struct timespec){0, 50000000}, NULL);
  ck_assert_mem_eq(copy, b.pixels, sizeof copy);
  sl_loader_free(l);
}
END_TEST

START_TEST(ctrl_c_while_waiting) {
  sl_loader_config c = config();
  c.workers = 0;
  sl_loader *l = loader(&c);
  start(l, 1, 0);
  sl_interrupt_request();
  ck_assert_int_eq(sl_interrupt_pending(), 1);
  sl_batch b;
  fails_with(sl_loader_next(l, &b), SL_EINTERRUPT, "interrupted");
  sl_interrupt_clear();
  ck_assert_int_eq(next(l).n, 4); /* goes on where it was */
  sl_loader_free(l);
}
END_TEST

/* An empty pipe: the worker waits in read(), as on a dead disk. */
static void *break_pipe(void *fd) {
  nanosleep(&(struct timespec){0, 300000000}, NULL);
  unlink(t_path("00.ppm"));
  close(*(int *)fd);
  return NULL;
}

static void *press_ctrl_c(void *unused) {
  (void)unused;
  nanosleep(&(struct timespec){0, 100000000}, NULL);
  sl_interrupt_request();
  return NULL;
}

START_TEST(ctrl_c_while_a_worker_hangs) {
  sl_loader_config c = config();
  c.shuffle = 0;
  unlink(t_path("00.ppm"));
  ck_assert_int_eq(mkfifo(t_path("00.ppm"), 0666), 0);
  int fd = open(t_path("00.ppm"), O_RDWR);
  sl_loader *l = loader(&c);
  pthread_t key, pen;
  pthread_create(&key, NULL, press_ctrl_c, NULL);
  pthread_create(&pen, NULL, break_pipe, &fd);
  start(l, 1, 0);
  sl_batch b;
  const double begin = sl_clock();
  fails_with(sl_loader_next(l, &b), SL_EINTERRUPT, "interrupted");
  ck_assert_double_lt(sl_clock() - begin, .28);
  ck_assert_double_gt(sl_loader_waited(l), .04);
  pthread_join(key, NULL);
  pthread_join(pen, NULL);
  sl_loader_free(l);
}
END_TEST

START_TEST(processes_share_an_epoch) {
  int seen[N] = {0};
  for (int rank = 0; rank < 2; rank++) {
    sl_loader_config c = config();
    c.rank = rank;
    c.world = 2;
    sl_loader *l = loader(&c);
    ck_assert_int_eq(sl_loader_length(l), 2); /* 11 items each, by fours */
    start(l, 1, 0);
    for (sl_batch b; (b = next(l)).n > 0;)
      for (int i = 0; i < b.n; i++)
        seen[b.rows[i]]++;
    sl_loader_free(l);
  }
  int total = 0;
  for (int i = 0; i < N; i++) {
    ck_assert_int_le(seen[i], 1);
    total += seen[i];
  }
  ck_assert_int_eq(total, 16);
}
END_TEST

START_TEST(each_allocation_may_fail) {
  sl_loader_config c = config();
  c.workers = 0;
  c.multi = _i;
  int n = 1;
  for (;; n++) {
    sl_loader *l = NULL;
    sl_batch b;
    sl_alloc_fail_at(n);
    sl_status status = sl_loader_new(&c, &l);
    if (status == SL_OK) status = sl_loader_start(l, 1, 0);
    if (status == SL_OK) status = sl_loader_next(l, &b);
    sl_alloc_fail_at(0);
    sl_loader_free(status == SL_OK || l ? l : NULL);
    if (status == SL_OK) break;
    ck_assert_msg(status == SL_ENOMEM, "%d: %s", status, sl_error());
  }
  ck_assert_int_gt(n, 12);
}
END_TEST

int main(void) {
  Suite *s = suite_create("loader");
  TCase *tc = tcase_create("loader");
  tcase_set_timeout(tc, 60);
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, items_arrive_as_they_are);
  tcase_add_loop_test(tc, any_number_of_workers, 0,
                      sizeof worker_counts / sizeof *worker_counts);
  tcase_add_test(tc, epochs_draw_anew);
  tcase_add_test(tc, resume_within_an_epoch);
  tcase_add_test(tc, validation_in_order);
  tcase_add_test(tc, sizes_of_an_epoch);
  tcase_add_test(tc, config_errors);
  tcase_add_test(tc, multi_hot);
  tcase_add_test(tc, without_labels);
  tcase_add_loop_test(tc, bad_image_is_an_error, 0, 4);
  tcase_add_loop_test(tc, bad_images_are_skipped, 0, 4);
  tcase_add_test(tc, too_many_bad_images);
  tcase_add_test(tc, stop_at_any_point);
  tcase_add_test(tc, borrowed_memory_stays);
  tcase_add_test(tc, ctrl_c_while_waiting);
  tcase_add_test(tc, ctrl_c_while_a_worker_hangs);
  tcase_add_test(tc, processes_share_an_epoch);
  tcase_add_loop_test(tc, each_allocation_may_fail, 0, 2);
  suite_add_tcase(s, tc);
  return t_main(s);
}
