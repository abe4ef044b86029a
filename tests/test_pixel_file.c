/* test_pixel_file.c -- decoded images on disk: what comes back, what does not
 * any more, damage, two processes, budgets. */
#include "data/pixel_file.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utime.h>

#include "base/alloc.h"
#include "data/decoded.h"
#include "files.h"
#include "support.h"

enum { N = 6, W = 5, H = 3, BYTES = W * H * 3, HEAD = 32, RECORD = 72 };
#define FOLDER t_path("cache/decoded")

static int64_t live;
static sl_files *files;
static sl_kept room;

static void setup(void) {
  live = sl_alloc_live();
  t_folder_make();
  ck_assert_int_eq(sl_files_new(&files), SL_OK);
  for (int i = 0; i < N; i++) {
    char name[32];
    snprintf(name, sizeof name, "/nowhere/%d.jpg", i);
    ck_assert_int_eq(sl_files_add(files, name), SL_OK);
  }
}

static void teardown(void) {
  sl_image_clear(&room.image);
  sl_files_release(files);
  t_folder_remove();
  ck_assert_int_eq(sl_alloc_live(), live);
}

static sl_pixel_file *opened(int64_t budget) {
  sl_pixel_file *f;
  ck_assert_msg(sl_pixel_file_open(FOLDER, files, budget, &f) == SL_OK, "%s",
                sl_error());
  return f;
}

static sl_file_id id_of(int row) {
  return (sl_file_id){.bytes = 100 + row, .mtime = 7, .inode = 9};
}

static void put(sl_pixel_file *f, int row, int value) {
  uint8_t px[BYTES];
  memset(px, value, sizeof px);
  const sl_kept k = {.id = id_of(row),
                     .h = 2 * H,
                     .w = 2 * W,
                     .can_shrink = 1,
                     .shrink = 2,
                     .image = {.h = H, .w = W, .px = px}};
  sl_pixel_file_put(f, row, &k);
}

/* The value of its pixels; -1: it is not there. */
static int get(sl_pixel_file *f, int row) {
  const sl_file_id id = id_of(row);
  if (!sl_pixel_file_get(f, row, &id, &room)) return -1;
  ck_assert(room.h == 2 * H && room.w == 2 * W && room.can_shrink);
  ck_assert(room.shrink == 2 && room.image.h == H && room.image.w == W);
  for (int i = 1; i < BYTES; i++)
    ck_assert_int_eq(room.image.px[i], room.image.px[0]);
  return room.image.px[0];
}

static void fill(int n) {
  sl_pixel_file *f = opened(1 << 20);
  for (int i = 0; i < n; i++)
    put(f, i, i + 1);
  sl_pixel_file_close(f);
}

static const char *the_file(void) {
  static char path[4096];
  char command[4096];
  snprintf(command, sizeof command, "ls %s/*.pixels", FOLDER);
  FILE *p = popen(command, "r");
  ck_assert_ptr_nonnull(fgets(path, sizeof path, p));
  ck_assert_int_eq(pclose(p), 0);
  path[strcspn(path, "\n")] = 0;
  return path;
}

static void spoil(long at) {
  FILE *f = fopen(the_file(), "r+b");
  fseek(f, at, SEEK_SET);
  const int c = fgetc(f);
  fseek(f, at, SEEK_SET);
  fputc(c ^ 1, f);
  fclose(f);
}

START_TEST(comes_back) {
  sl_pixel_file *f = opened(1 << 20);
  ck_assert_int_eq(get(f, 0), -1);
  put(f, 0, 1);
  put(f, 4, 5);
  put(f, N, 9);
  put(f, -1, 9);
  ck_assert(get(f, 0) == 1 && get(f, 4) == 5 && get(f, 1) == -1);
  ck_assert(get(f, N) == -1 && get(f, -1) == -1);
  sl_pixel_file_close(f);
  f = opened(1 << 20); /* the next run */
  ck_assert(get(f, 0) == 1 && get(f, 4) == 5 && get(f, 1) == -1);
  put(f, 1, 2);
  ck_assert_int_eq(sl_pixel_file_bytes(f), HEAD + 3 * (RECORD + BYTES));
  sl_pixel_file_close(f);
  f = opened(1 << 20);
  ck_assert(get(f, 0) == 1 && get(f, 4) == 5 && get(f, 1) == 2);
  sl_pixel_file_close(f);
}
END_TEST

START_TEST(another_state_of_the_file) {
  fill(2);
  sl_pixel_file *f = opened(1 << 20);
  const sl_file_id same = id_of(1);
  sl_file_id others[] = {same, same, same};
  others[0].bytes++;
  others[1].mtime++;
  others[2].inode++;
  for (int i = 0; i < 3; i++)
    ck_assert(!sl_pixel_file_get(f, 1, &others[i], &room));
  ck_assert(sl_pixel_file_get(f, 1, &same, &room));
  sl_pixel_file_close(f);
}
END_TEST

START_TEST(another_list) {
  fill(2);
  ck_assert_int_eq(sl_files_add(files, "/nowhere/more.jpg"), SL_OK);
  sl_pixel_file *f = opened(1 << 20);
  ck_assert_int_eq(get(f, 0), -1);
  sl_pixel_file_close(f);
  ck_assert_int_eq(t_count_files(), 2);
}
END_TEST

/* Byte by byte of the second of three: it alone is lost, or it and what stands
 * behind it; never is a wrong pixel given out. */
START_TEST(damage) {
  for (int at = 0; at < RECORD + BYTES; at += 3) {
    fill(3);
    spoil(HEAD + RECORD + BYTES + at);
    sl_pixel_file *f = opened(1 << 20);
    ck_assert_int_eq(get(f, 0), 1);
    ck_assert_int_eq(get(f, 1), -1);
    const int third = get(f, 2);
    ck_assert(third == (at < RECORD ? -1 : 3));
    put(f, 1, 2); /* and it is made good */
    put(f, 2, 3);
    ck_assert(get(f, 1) == 2 && get(f, 2) == 3);
    sl_pixel_file_close(f);
    f = opened(1 << 20);
    ck_assert(get(f, 0) == 1 && get(f, 1) == 2 && get(f, 2) == 3);
    sl_pixel_file_close(f);
    unlink(the_file());
  }
}
END_TEST

START_TEST(damaged_head) {
  for (int at = 0; at < HEAD; at += 7) {
    fill(2);
    spoil(at);
    sl_pixel_file *f = opened(1 << 20);
    ck_assert_int_eq(get(f, 0), -1);
    put(f, 0, 8);
    ck_assert_int_eq(get(f, 0), 8);
    sl_pixel_file_close(f);
    ck_assert_int_eq(t_count_files(), 1); /* replaced */
    unlink(the_file());
  }
}
END_TEST

START_TEST(cut_off) {
  for (int left = 0; left < HEAD + 2 * (RECORD + BYTES); left += 5) {
    fill(2);
    ck_assert_int_eq(truncate(the_file(), left), 0);
    sl_pixel_file *f = opened(1 << 20);
    ck_assert_int_eq(get(f, 0), left >= HEAD + RECORD + BYTES ? 1 : -1);
    ck_assert_int_eq(get(f, 1), -1);
    put(f, 1, 2);
    ck_assert_int_eq(get(f, 1), 2);
    sl_pixel_file_close(f);
    unlink(the_file());
  }
}
END_TEST

/* Two that have it open: one writes, the other reads what it found. A file that
 * is replaced stays with its reader. */
START_TEST(two_at_once) {
  fill(2);
  sl_pixel_file *first = opened(1 << 20), *second = opened(1 << 20);
  put(second, 2, 9);
  ck_assert_int_eq(get(second, 2), -1);
  put(first, 2, 3);
  ck_assert(get(first, 2) == 3 && get(second, 1) == 2);
  ck_assert_int_eq(get(second, 2), -1);
  sl_pixel_file_close(first);
  for (int i = 0; i < 6; i++) {
    first = opened(1 << 20); /* more and more of it is stale */
    put(first, 0, 10 + i);
    sl_pixel_file_close(first);
  }
  ck_assert(get(second, 0) == 1 && get(second, 1) == 2);
  sl_pixel_file_close(second);
  first = opened(1 << 20);
  ck_assert_int_eq(get(first, 0), 15);
  ck_assert_int_eq(get(first, 1), -1); /* it began anew */
  sl_pixel_file_close(first);
  ck_assert_int_eq(t_count_files(), 1);
}
END_TEST

START_TEST(budget) {
  sl_pixel_file *f = opened(HEAD + 2 * (RECORD + BYTES) + 10);
  for (int i = 0; i < 4; i++)
    put(f, i, i + 1);
  ck_assert(get(f, 0) == 1 && get(f, 1) == 2);
  ck_assert(get(f, 2) == -1 && get(f, 3) == -1);
  ck_assert_int_eq(sl_pixel_file_bytes(f), HEAD + 2 * (RECORD + BYTES));
  sl_pixel_file_close(f);
}
END_TEST

/* A full disk, as a limit on the size of files. */
START_TEST(disk_full) {
  struct rlimit before, limit;
  signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &before);
  limit = before;
  limit.rlim_cur = HEAD + RECORD + BYTES + 20;
  sl_pixel_file *f = opened(1 << 20);
  setrlimit(RLIMIT_FSIZE, &limit);
  put(f, 0, 1);
  put(f, 1, 2);
  put(f, 2, 3);
  setrlimit(RLIMIT_FSIZE, &before);
  ck_assert(get(f, 0) == 1 && get(f, 1) == -1 && get(f, 2) == -1);
  sl_pixel_file_close(f);
  f = opened(1 << 20);
  ck_assert(get(f, 0) == 1 && get(f, 1) == -1);
  sl_pixel_file_close(f);
}
END_TEST

/* What was used last is kept; strangers in the folder are left alone. */
START_TEST(old_ones_go) {
  char bytes[1000] = {0};
  fill(1);
  t_write("cache/decoded/a.pixels", bytes, sizeof bytes);
  t_write("cache/decoded/b.pixels", bytes, sizeof bytes);
  t_write("cache/decoded/strange.txt", bytes, sizeof bytes);
  const struct utimbuf old = {.actime = 1000, .modtime = 1000};
  ck_assert_int_eq(utime(t_path("cache/decoded/a.pixels"), &old), 0);
  sl_pixel_file_close(opened(2500));
  ck_assert_int_ne(access(t_path("cache/decoded/a.pixels"), F_OK), 0);
  ck_assert_int_eq(access(t_path("cache/decoded/b.pixels"), F_OK), 0);
  ck_assert_int_eq(access(t_path("cache/decoded/strange.txt"), F_OK), 0);
  sl_pixel_file *f = opened(2500);
  ck_assert_int_eq(get(f, 0), 1);
  sl_pixel_file_close(f);
}
END_TEST

START_TEST(errors) {
  sl_pixel_file *f;
  t_write("file", "x", 1);
  ck_assert_int_eq(sl_pixel_file_open(t_path("file"), files, 1, &f), SL_EIO);
  ck_assert_ptr_null(f);
  for (int fail = 1; fail <= 2; fail++) {
    sl_alloc_fail_at(fail);
    ck_assert_int_eq(sl_pixel_file_open(FOLDER, files, 1, &f), SL_ENOMEM);
    sl_alloc_fail_at(0);
  }
  sl_file_id id;
  ck_assert_int_eq(sl_file_id_of("/nowhere/0.jpg", &id), SL_EIO);
  ck_assert_ptr_nonnull(strstr(sl_error(), "/nowhere/0.jpg: cannot open"));
  sl_pixel_file_close(NULL);
}
END_TEST

/* Memory for two images, the others in the file. */
START_TEST(memory_first) {
  sl_decoded *d;
  uint8_t px[BYTES];
  ck_assert_int_eq(sl_decoded_new(N, 2 * BYTES, &d), SL_OK);
  sl_decoded_set_file(d, opened(1 << 20));
  for (int i = 0; i < N; i++) {
    memset(px, i, sizeof px);
    const sl_kept k = {.id = id_of(i),
                       .h = H,
                       .w = W,
                       .shrink = 1,
                       .image = {.h = H, .w = W, .px = px}};
    sl_decoded_put(d, i, &k);
  }
  ck_assert_int_eq(sl_decoded_bytes(d), 2 * BYTES);
  ck_assert_int_eq(sl_decoded_file_bytes(d), HEAD + 4 * (RECORD + BYTES));
  for (int i = 0; i < N; i++) {
    const sl_file_id id = id_of(i), other = id_of(i + 1);
    const sl_kept *k = sl_decoded_get(d, i, &id, &room);
    ck_assert_ptr_nonnull(k);
    ck_assert_int_eq(k == &room, i >= 2);
    ck_assert_int_eq(k->image.px[BYTES - 1], i);
    ck_assert_ptr_null(sl_decoded_get(d, i, &other, &room));
  }
  sl_decoded_release(d);
}
END_TEST

int main(void) {
  Suite *s = suite_create("pixel_file");
  TCase *tc = tcase_create("pixel_file");
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, comes_back);
  tcase_add_test(tc, another_state_of_the_file);
  tcase_add_test(tc, another_list);
  tcase_add_test(tc, damage);
  tcase_add_test(tc, damaged_head);
  tcase_add_test(tc, cut_off);
  tcase_add_test(tc, two_at_once);
  tcase_add_test(tc, budget);
  tcase_add_test(tc, disk_full);
  tcase_add_test(tc, old_ones_go);
  tcase_add_test(tc, errors);
  tcase_add_test(tc, memory_first);
  suite_add_tcase(s, tc);
  return t_main(s);
}
