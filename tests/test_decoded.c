/* test_decoded.c -- decoded images that are kept: the budget, the same bits
 * with and without, and that files are truly not read again. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "data/decoded.h"
#include "data/loader.h"
#include "files.h"
#include "support.h"

enum { N = 9, W = 20, H = 14, SIZE = 6, BYTES = W * H * 3 };

static int64_t live;
static sl_files *files;
static sl_item_pipeline *pipeline;
static char *paths[N];

/* File i with picture k. */
static const char *write_picture_at(int i, int k) {
  char name[32], bytes[64 + BYTES];
  const int head = snprintf(bytes, 64, "P6\n%d %d\n255\n", W, H);
  for (int j = 0; j < BYTES; j++)
    bytes[head + j] = (char)(j * 37 + 11 * k);
  snprintf(name, sizeof name, "%02d.ppm", i);
  return t_write(name, bytes, (size_t)head + BYTES);
}

static void write_picture(int i) {
  paths[i] = strdup(write_picture_at(i, i));
  ck_assert_int_eq(sl_files_add(files, paths[i]), SL_OK);
}

static void setup(void) {
  sl_item_scratch *warm_up; /* libvips keeps some memory from its first use */
  ck_assert_int_eq(sl_item_scratch_new(&warm_up), SL_OK);
  sl_item_scratch_free(warm_up);
  live = sl_alloc_live();
  t_folder_make();
  ck_assert_int_eq(sl_files_new(&files), SL_OK);
  for (int i = 0; i < N; i++)
    write_picture(i);
  sl_item_transform t[] = {
      sl_item_transform_make(&sl_transform_random_resized_crop),
      sl_item_transform_make(&sl_transform_flip_item)};
  t[0].opts.random_resized_crop.size = (sl_hw){SIZE, SIZE};
  ck_assert_int_eq(sl_item_pipeline_new(&pipeline, t, 2, NULL), SL_OK);
}

static void teardown(void) {
  sl_files_release(files);
  sl_item_pipeline_release(pipeline);
  for (int i = 0; i < N; i++)
    free(paths[i]);
  t_folder_remove();
  ck_assert_int_eq(sl_alloc_live(), live);
}

static sl_decoded *decoded(int64_t budget) {
  sl_decoded *d;
  ck_assert_msg(sl_decoded_new(N, budget, &d) == SL_OK, "%s", sl_error());
  return d;
}

static sl_loader *loader(sl_decoded *d, int workers) {
  const sl_loader_config c = {.name = "training",
                              .files = files,
                              .pipeline = pipeline,
                              .decoded = d,
                              .train = 1,
                              .batch_size = 4,
                              .seed = 11,
                              .workers = workers};
  sl_loader *l;
  ck_assert_msg(sl_loader_new(&c, &l) == SL_OK, "%s", sl_error());
  return l;
}

typedef struct record {
  uint8_t pixels[N * SIZE * SIZE * 3];
} record;

static sl_status read_epoch(sl_loader *l, uint32_t epoch, record *r) {
  const size_t item = SIZE * SIZE * 3;
  size_t n = 0;
  sl_batch b;
  ck_assert_int_eq(sl_loader_start(l, epoch, 0), SL_OK);
  for (;;) {
    const sl_status status = sl_loader_next(l, &b);
    if (status != SL_OK || b.n == 0) return status;
    memcpy(r->pixels + n * item, b.pixels, (size_t)b.n * item);
    n += (size_t)b.n;
  }
}

static void remove_files(void) {
  for (int i = 0; i < N; i++)
    unlink(paths[i]);
}

/* Other bytes in the same file, as if it had not been touched. */
static void spoil_file(int i) {
  struct stat st;
  FILE *f = fopen(paths[i], "r+b");
  ck_assert_ptr_nonnull(f);
  ck_assert_int_eq(fstat(fileno(f), &st), 0);
  for (int j = 0; j < st.st_size; j++)
    fputc('x', f);
  fclose(f);
  const struct timespec times[2] = {st.st_atim, st.st_mtim};
  ck_assert_int_eq(utimensat(AT_FDCWD, paths[i], times, 0), 0);
}

static sl_file_id id_of(int i) {
  sl_file_id id;
  ck_assert_int_eq(sl_file_id_of(paths[i], &id), SL_OK);
  return id;
}

static const int workers[] = {0, 1, 3};

START_TEST(the_same_bits_from_memory) {
  record want[3], got[3];
  sl_loader *plain = loader(NULL, 0);
  for (uint32_t e = 0; e < 3; e++)
    ck_assert_int_eq(read_epoch(plain, e, &want[e]), SL_OK);
  sl_loader_free(plain);

  sl_decoded *d = decoded(N * BYTES);
  sl_loader *l = loader(d, workers[_i]);
  ck_assert_int_eq(read_epoch(l, 0, &got[0]), SL_OK);
  ck_assert_int_eq(sl_decoded_bytes(d), N * BYTES);
  for (int i = 0; i < N; i++)
    spoil_file(i);
  for (uint32_t e = 1; e < 3; e++)
    ck_assert_msg(read_epoch(l, e, &got[e]) == SL_OK, "%s", sl_error());
  ck_assert_mem_eq(got, want, sizeof want);
  ck_assert_mem_ne(&got[1], &got[2], sizeof got[1]);
  sl_decoded_release(d); /* the loader has its own reference */
  ck_assert_int_eq(read_epoch(l, 1, &got[0]), SL_OK);
  sl_loader_free(l);
}
END_TEST

/* Another picture of the same size in place of the first. */
START_TEST(a_changed_file_is_read_again) {
  record want, got;
  sl_decoded *d = decoded(N * BYTES);
  sl_loader *l = loader(d, 0), *plain = loader(NULL, 0);
  ck_assert_int_eq(read_epoch(l, 1, &got), SL_OK);
  for (int i = 0; i < N; i++) {
    ck_assert_int_eq(rename(paths[i], t_path("moved")), 0);
    write_picture_at(i, i + 5);
  }
  ck_assert_int_eq(read_epoch(plain, 1, &want), SL_OK);
  ck_assert_mem_ne(&got, &want, sizeof got);
  for (int again = 0; again < 2; again++) {
    ck_assert_int_eq(read_epoch(l, 1, &got), SL_OK);
    ck_assert_mem_eq(&got, &want, sizeof got);
  }
  sl_loader_free(plain);
  sl_loader_free(l);
  sl_decoded_release(d);
}
END_TEST

START_TEST(the_budget_holds) {
  record r;
  sl_decoded *d = decoded(3 * BYTES + BYTES / 2);
  sl_loader *l = loader(d, 3);
  ck_assert_int_eq(read_epoch(l, 1, &r), SL_OK);
  ck_assert_int_eq(sl_decoded_bytes(d), 3 * BYTES);
  int kept = 0;
  for (int i = 0; i < N; i++) {
    const sl_file_id id = id_of(i);
    kept += sl_decoded_get(d, i, &id, NULL) != NULL;
  }
  ck_assert_int_eq(kept, 3);
  remove_files();
  ck_assert_int_eq(read_epoch(l, 2, &r), SL_EIO);
  sl_loader_free(l);
  sl_decoded_release(d);
}
END_TEST

static sl_kept small(uint8_t *px) {
  return (sl_kept){.id = {1, 2, 3},
                   .h = 2,
                   .w = 4,
                   .can_shrink = 1,
                   .shrink = 2,
                   .image = {.h = 1, .w = 2, .px = px}};
}

START_TEST(put_and_get) {
  uint8_t px[6] = {1, 2, 3, 4, 5, 6};
  const sl_kept what = small(px);
  sl_decoded *d = decoded(100);
  sl_decoded_put(d, 1, &what);
  px[0] = 9;
  const sl_kept *k = sl_decoded_get(d, 1, &what.id, NULL);
  ck_assert_ptr_nonnull(k);
  ck_assert(k->h == 2 && k->w == 4 && k->shrink == 2 && k->can_shrink);
  ck_assert_int_eq(k->image.px[0], 1); /* a copy */
  sl_decoded_put(d, 1, &what);         /* the first one stays */
  ck_assert_ptr_eq(sl_decoded_get(d, 1, &what.id, NULL), k);
  ck_assert_int_eq(sl_decoded_bytes(d), 6);
  sl_decoded_put(d, N, &what);
  sl_decoded_put(d, -1, &what);
  ck_assert_ptr_null(sl_decoded_get(d, N, &what.id, NULL));
  ck_assert_ptr_null(sl_decoded_get(d, 0, &what.id, NULL));
  ck_assert_int_eq(sl_decoded_bytes(d), 6);
  sl_decoded_release(d);
}
END_TEST

START_TEST(no_memory_is_no_error) {
  uint8_t px[6] = {0};
  const sl_kept what = small(px);
  sl_decoded *d = decoded(100), *none;
  for (int fail = 1; fail <= 2; fail++) {
    sl_alloc_fail_at(fail);
    sl_decoded_put(d, 0, &what);
    sl_alloc_fail_at(0);
    ck_assert_ptr_null(sl_decoded_get(d, 0, &what.id, NULL));
    ck_assert_int_eq(sl_decoded_bytes(d), 0);
    sl_alloc_fail_at(fail);
    ck_assert_int_eq(sl_decoded_new(N, 1, &none), SL_ENOMEM);
    sl_alloc_fail_at(0);
  }
  ck_assert_int_eq(sl_decoded_new(N, -1, &none), SL_EINVAL);
  ck_assert_ptr_nonnull(strstr(sl_error(), "must be 0 bytes or more, not -1"));
  sl_decoded_release(d);
  sl_decoded_release(NULL);
}
END_TEST

int main(void) {
  Suite *s = suite_create("decoded");
  TCase *tc = tcase_create("decoded");
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_loop_test(tc, the_same_bits_from_memory, 0,
                      (int)(sizeof workers / sizeof *workers));
  tcase_add_test(tc, a_changed_file_is_read_again);
  tcase_add_test(tc, the_budget_holds);
  tcase_add_test(tc, put_and_get);
  tcase_add_test(tc, no_memory_is_no_error);
  suite_add_tcase(s, tc);
  return t_main(s);
}
