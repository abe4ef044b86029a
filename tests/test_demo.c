/* test_demo.c -- the demo data set: whole or not there, the same every time. */
#include "data/demo.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "data/decode.h"
#include "data/demo_scene.h"
#include "files.h"
#include "support.h"

static int64_t live;

static void setup(void) {
  t_folder_make();
  live = sl_alloc_live();
}

static void teardown(void) {
  ck_assert_int_eq(sl_alloc_live(), live);
  t_folder_remove();
}

static void write_demo(const char *dir, uint64_t seed) {
  ck_assert_msg(sl_demo_write(dir, 30, 20, seed, NULL, NULL) == SL_OK, "%s",
                sl_error());
}

static sl_image read_back(const char *dir, const char *part, int c, int i) {
  char path[4096];
  sl_image m = {0};
  snprintf(path, sizeof path, "%s/%s/%s/%04d.jpg", dir, part,
           sl_demo_classes[c].name, i);
  ck_assert_msg(sl_decode(path, &m) == SL_OK, "%s", sl_error());
  return m;
}

START_TEST(files_are_images) {
  const char *dir = t_path("new/folders/demo");
  write_demo(dir, 1);
  ck_assert_int_eq(t_count_files(), 50);
  for (int c = 0; c < SL_DEMO_CLASSES; c++)
    for (int i = 1; i <= 5; i++) {
      sl_image m = i <= 3 ? read_back(dir, "train", c, i)
                          : read_back(dir, "val", c, i - 3);
      const int side = m.h < m.w ? m.h : m.w;
      ck_assert(side >= 96 && side <= 160 && m.h <= 224 && m.w <= 224);
      sl_image_clear(&m);
    }
}
END_TEST

static int same(sl_image a, sl_image b) {
  const int equal = a.h == b.h && a.w == b.w &&
                    memcmp(a.px, b.px, (size_t)a.h * (size_t)a.w * 3) == 0;
  sl_image_clear(&a);
  sl_image_clear(&b);
  return equal;
}

START_TEST(seed_decides) {
  const char *a = t_path("a"), *b = t_path("b"), *other = t_path("other");
  write_demo(a, 5);
  write_demo(b, 5);
  write_demo(other, 6);
  for (int c = 0; c < SL_DEMO_CLASSES; c++) {
    ck_assert(same(read_back(a, "train", c, 2), read_back(b, "train", c, 2)));
    ck_assert(same(read_back(a, "val", c, 1), read_back(b, "val", c, 1)));
    ck_assert(
        !same(read_back(a, "train", c, 2), read_back(other, "train", c, 2)));
    ck_assert(!same(read_back(a, "train", c, 1), read_back(a, "val", c, 1)));
  }
}
END_TEST

START_TEST(left_as_it_is) {
  const char *dir = t_path("demo");
  write_demo(dir, 1);
  ck_assert_int_eq(sl_demo_write(dir, 10, 10, 2, NULL, NULL), SL_OK);
  ck_assert_int_eq(t_count_files(), 50);
}
END_TEST

static int seen, last_done;

static int stop_at_ten(void *context, int done, int total) {
  ck_assert_int_eq(total, 50);
  ck_assert_int_ge(done, last_done);
  last_done = done;
  seen++;
  return done >= *(const int *)context;
}

START_TEST(interrupted) {
  int limit = 10;
  const char *dir = t_path("demo");
  last_done = 0;
  ck_assert_int_eq(sl_demo_write(dir, 30, 20, 1, stop_at_ten, &limit),
                   SL_EINTERRUPT);
  ck_assert_str_eq(sl_error(), "the demo data set was not finished");
  ck_assert_int_eq(t_count_files(), 0);
  ck_assert_int_ne(access(dir, F_OK), 0);
  limit = 1000;
  seen = last_done = 0;
  ck_assert_int_eq(sl_demo_write(dir, 30, 20, 1, stop_at_ten, &limit), SL_OK);
  ck_assert_int_gt(seen, 1);
  ck_assert_int_eq(last_done, 50);
}
END_TEST

START_TEST(mistakes) {
  t_write("file", "x", 1);
  ck_assert_int_eq(sl_demo_write(t_path("file/demo"), 1, 1, 1, NULL, NULL),
                   SL_EIO);
  ck_assert(strstr(sl_error(), "file/demo"));
  ck_assert_int_eq(sl_demo_write(t_path("d"), -1, 1, 1, NULL, NULL), SL_EINVAL);
  sl_alloc_fail_at(2);
  ck_assert_int_eq(sl_demo_write(t_path("d"), 30, 20, 1, NULL, NULL),
                   SL_ENOMEM);
  sl_alloc_fail_at(0);
  ck_assert_int_eq(t_count_files(), 1);
}
END_TEST

/* Each form covers a fair part of its circle and stays near it. */
START_TEST(forms) {
  const sl_demo_class *class = &sl_demo_classes[_i];
  for (int lot = 0; lot < 8; lot++) {
    const sl_demo_form form = {(float)(lot & 1), (float)(lot >> 1 & 1),
                               (float)(lot >> 2)};
    int inside = 0;
    for (int i = -80; i < 80; i++)
      for (int j = -80; j < 80; j++) {
        const float x = (float)j / 50, y = (float)i / 50;
        const int in = class->distance(&form, x, y) < 0;
        inside += in;
        ck_assert_msg(!in || hypotf(x, y) < 1.4f, "%s is at %g, %g",
                      class->name, (double)x, (double)y);
      }
    ck_assert_int_gt(inside, 900); /* of 7854 in the circle */
    ck_assert_int_lt(inside, 7000);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("demo");
  TCase *tc = tcase_create("demo");
  tcase_set_timeout(tc, 60);
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, files_are_images);
  tcase_add_test(tc, seed_decides);
  tcase_add_test(tc, left_as_it_is);
  tcase_add_test(tc, interrupted);
  tcase_add_test(tc, mistakes);
  tcase_add_loop_test(tc, forms, 0, SL_DEMO_CLASSES);
  suite_add_tcase(s, tc);
  return t_main(s);
}
