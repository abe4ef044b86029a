/* test_cifar.c -- CIFAR-10's binary files: pixels and labels where they
 * belong, and a sentence with the file's name for each way to be wrong. */
#include "data/cifar.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "data/item.h"
#include "files.h"
#include "support.h"

enum { EACH = 3 }; /* records of a file */

static int64_t live;
static sl_files *files;

static const char *const names[] = {
    "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
    "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin",
};

/* Value `c` (of a colour) at (y, x) of record r of file f. */
static uint8_t value(int f, int r, int c, int y, int x) {
  return (uint8_t)(31 * f + 7 * r + 85 * c + 5 * y + 3 * x);
}

static void fill(uint8_t *records, int f, int n) {
  for (int r = 0; r < n; r++) {
    *records++ = (uint8_t)((f + r) % 3);
    for (int c = 0; c < 3; c++)
      for (int y = 0; y < 32; y++)
        for (int x = 0; x < 32; x++)
          *records++ = value(f, r, c, y, x);
  }
}

static void write_file(int f, size_t bytes) {
  static uint8_t records[(EACH + 1) * SL_CIFAR_RECORD];
  fill(records, f, EACH + 1);
  t_write(names[f], records, bytes);
}

static void setup(void) {
  live = sl_alloc_live();
  t_folder_make();
  for (int f = 0; f < 6; f++)
    write_file(f, EACH * SL_CIFAR_RECORD);
  t_write("batches.meta.txt", "plane\ncar\r\nbird\n\n", 17);
  ck_assert_int_eq(sl_files_new(&files), SL_OK);
}

static void teardown(void) {
  sl_files_release(files);
  t_folder_remove();
  ck_assert_int_eq(sl_alloc_live(), live);
}

START_TEST(pixels_and_labels) {
  sl_cifar c;
  char path[4096];
  ck_assert_msg(sl_cifar_open(t_path("."), files, &c) == SL_OK, "%s",
                sl_error());
  ck_assert_int_eq(c.n_train, 5 * EACH);
  ck_assert_int_eq(sl_files_count(files), 6 * EACH);
  ck_assert_int_eq(c.n_classes, 3);
  ck_assert_str_eq(c.names[1], "car");
  for (int row = 0; row < 6 * EACH; row++) {
    const int f = row / EACH, r = row % EACH;
    const sl_kept *k = sl_decoded_own(c.images, row);
    ck_assert(k && k->h == 32 && k->w == 32 && k->shrink == 1);
    ck_assert_str_eq(sl_files_label(files, row, 0), c.names[(f + r) % 3]);
    for (int i = 0; i < 32 * 32 * 3; i++)
      ck_assert_int_eq(k->image.px[i], value(f, r, i % 3, i / 96, i / 3 % 32));
  }
  sl_files_path(files, EACH + 1, path, sizeof path);
  ck_assert_ptr_nonnull(strstr(path, "/data_batch_2.bin/00002"));
  sl_cifar_clear(&c);
  sl_cifar_clear(&c);
}
END_TEST

/* Opening must fail with these two texts in the message. */
static void fails(const char *folder, sl_status code, const char *file,
                  const char *want) {
  sl_cifar c;
  sl_files *fresh;
  ck_assert_int_eq(sl_files_new(&fresh), SL_OK);
  ck_assert_int_eq(sl_cifar_open(folder, fresh, &c), code);
  ck_assert_msg(strstr(sl_error(), file) && strstr(sl_error(), want), "%s",
                sl_error());
  ck_assert_ptr_null(c.images);
  sl_files_release(fresh);
}

START_TEST(what_is_missing) {
  const char *folder = t_path(".");
  fails(t_path("nowhere"), SL_EIO, "nowhere", "there is no such folder");
  fails(t_path("test_batch.bin"), SL_EIO, "test_batch.bin",
        "a folder is wanted");
  unlink(t_path("batches.meta.txt"));
  fails(folder, SL_EIO, "batches.meta.txt", "names of the classes");
  unlink(t_path("data_batch_3.bin"));
  fails(folder, SL_EIO, "data_batch_3.bin", "one of the six .bin files");
  t_write("data_batch_1", "x", 1);
  fails(folder, SL_EDATA, "version for Python", "the binary one is wanted");
}
END_TEST

START_TEST(sizes) {
  const char *folder = t_path(".");
  static const struct {
    size_t bytes;
    const char *want;
  } cases[] = {
      {EACH * SL_CIFAR_RECORD - 1, "its 9218 bytes are not a number of"},
      {EACH * (SL_CIFAR_RECORD + 1), "records of 3073 bytes"}, /* CIFAR-100 */
      {0, "its 0 bytes"},
      {(EACH - 1) * SL_CIFAR_RECORD, "2 records, where others"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_file(3, cases[i].bytes);
    fails(folder, SL_EDATA, "data_batch_4.bin", cases[i].want);
  }
  write_file(3, EACH * SL_CIFAR_RECORD);
  write_file(5, (EACH + 1) * SL_CIFAR_RECORD);
  fails(folder, SL_EDATA, "data_batch_1.bin", "3 records, where others");
}
END_TEST

START_TEST(classes) {
  const char *folder = t_path(".");
  char line[400];
  t_write("batches.meta.txt", "plane\ncar\n", 10);
  fails(folder, SL_EDATA, "data_batch_1.bin: record 3 is of class 2",
        "names only the classes 0 to 1");
  t_write("batches.meta.txt", "\n\n", 2);
  fails(folder, SL_EDATA, "batches.meta.txt", "no line with the name");
  t_write("batches.meta.txt", "car\nplane\ncar\n", 14);
  fails(folder, SL_EDATA, "batches.meta.txt", "two classes called car");
  memset(line, 'a', sizeof line);
  t_write("batches.meta.txt", line, sizeof line);
  fails(folder, SL_EDATA, "batches.meta.txt", "a line is longer");
}
END_TEST

START_TEST(a_list_that_is_not_empty) {
  sl_cifar c;
  ck_assert_int_eq(sl_files_add(files, "a.jpg"), SL_OK);
  ck_assert_int_eq(sl_cifar_open(t_path("."), files, &c), SL_EINVAL);
}
END_TEST

/* Whatever allocation fails, everything is given back. */
START_TEST(no_memory) {
  sl_status status = SL_ENOMEM;
  for (int fail = 1; status != SL_OK; fail++) {
    sl_cifar c;
    sl_files *fresh;
    ck_assert_int_eq(sl_files_new(&fresh), SL_OK);
    sl_alloc_fail_at(fail);
    status = sl_cifar_open(t_path("."), fresh, &c);
    sl_alloc_fail_at(0);
    ck_assert(status == SL_OK || (status == SL_ENOMEM && !c.images));
    sl_cifar_clear(&c);
    sl_files_release(fresh);
    ck_assert_int_lt(fail, 1000);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("cifar");
  TCase *tc = tcase_create("cifar");
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, pixels_and_labels);
  tcase_add_test(tc, what_is_missing);
  tcase_add_test(tc, sizes);
  tcase_add_test(tc, classes);
  tcase_add_test(tc, a_list_that_is_not_empty);
  tcase_add_test(tc, no_memory);
  suite_add_tcase(s, tc);
  return t_main(s);
}
