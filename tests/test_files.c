/* test_files.c -- file lists, their labels and classes. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "data/files.h"
#include "data/labels.h"
#include "data/scan.h"
#include "files.h"
#include "support.h"

static int64_t live;
static char warned[1024];

static void remember(sl_log_level level, const char *line) {
  if (level <= SL_LOG_WARN) snprintf(warned, sizeof warned, "%s", line);
}

static void setup(void) {
  live = sl_alloc_live();
  warned[0] = 0;
  sl_log_set_sink(remember);
  t_folder_make();
}

static void teardown(void) {
  t_folder_remove();
  sl_log_set_sink(NULL);
  ck_assert_int_eq(sl_alloc_live(), live);
}

static void make(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s", t_path(name));
  for (char *p = path + strlen(t_path("")); (p = strchr(p, '/')); p++) {
    *p = 0;
    mkdir(path, 0777);
    *p = '/';
  }
  t_write(name, "x", 1);
}

/* The list without the folder, as "a b c". */
static const char *listed(const sl_files *f) {
  static char text[4096];
  size_t n = 0;
  text[0] = 0;
  for (int64_t i = 0; i < sl_files_count(f); i++) {
    char path[512];
    sl_files_path(f, i, path, sizeof path);
    n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? " " : "",
                          path + strlen(t_path("")));
  }
  return text;
}

static sl_files *new_files(void) {
  sl_files *f;
  ck_assert_int_eq(sl_files_new(&f), SL_OK);
  return f;
}

static void make_tree(void) {
  static const char *const names[] = {
      "train/cat/b.JPG",   "train/cat/a.jpeg", "train/dog/1.png",
      "train/dog/.x.jpg",  "valid/cat/9.webp", "valid/dog/8.tif",
      "valid/.hid/8.jpg",  "train/readme.txt", "train/cat/noext",
      "train/cat.jpg",     "top.bmp",          "train/dog/a.jpg.part",
      "train/cat-2/z.gif",
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    make(names[i]);
}

static void fails_with(sl_status got, sl_status want, const char *text) {
  ck_assert_msg(got == want, "status %d, want %d: %s", got, want, sl_error());
  ck_assert_msg(strstr(sl_error(), text) != NULL, "'%s' not in '%s'", text,
                sl_error());
}

START_TEST(sorted_by_component) {
  sl_files *f = new_files();
  sl_scan_seen seen;
  make_tree();
  ck_assert_int_eq(sl_scan(t_path(""), NULL, f, &seen), SL_OK);
  ck_assert_str_eq(listed(f),
                   "top.bmp train/cat/a.jpeg train/cat/b.JPG train/cat-2/z.gif "
                   "train/cat.jpg train/dog/1.png valid/cat/9.webp "
                   "valid/dog/8.tif");
  ck_assert_int_eq(seen.files, 8);
  ck_assert_int_eq(seen.others, 3);
  ck_assert_int_eq(seen.hidden, 2);
  sl_files_release(f);
}
END_TEST

START_TEST(only_what_was_asked_for) {
  static const char *const folders[] = {"valid"}, *const no[] = {"vallid"},
                           *const text[] = {"TXT", NULL};
  make_tree();
  sl_files *f = new_files();
  ck_assert_int_eq(sl_scan(t_path(""),
                           &(sl_scan_opts){.folders = folders, .n_folders = 1},
                           f, NULL),
                   SL_OK);
  ck_assert_str_eq(listed(f), "valid/cat/9.webp valid/dog/8.tif");
  fails_with(sl_scan(t_path(""), &(sl_scan_opts){.folders = no, .n_folders = 1},
                     f, NULL),
             SL_EIO, "has no folder 'vallid'");
  sl_files_release(f);
  f = new_files();
  ck_assert_int_eq(sl_scan(t_path("."), &(sl_scan_opts){.flat = 1}, f, NULL),
                   SL_OK);
  ck_assert_str_eq(listed(f), "./top.bmp");
  sl_files_release(f);
  f = new_files();
  ck_assert_int_eq(
      sl_scan(t_path(""), &(sl_scan_opts){.extensions = text}, f, NULL), SL_OK);
  ck_assert_str_eq(listed(f), "train/readme.txt");
  sl_files_release(f);
}
END_TEST

START_TEST(links_and_loops) {
  make("real/cat/1.jpg");
  make("set/dog/2.jpg");
  ck_assert_int_eq(symlink("../real/cat", t_path("set/cat")), 0);
  ck_assert_int_eq(symlink("..", t_path("set/dog/up")), 0);
  ck_assert_int_eq(symlink("2.jpg", t_path("set/dog/3.jpg")), 0);
  ck_assert_int_eq(symlink("nowhere", t_path("set/dog/4.jpg")), 0);
  ck_assert_int_eq(mkfifo(t_path("set/5.jpg"), 0666), 0);
  sl_files *f = new_files();
  ck_assert_int_eq(sl_scan(t_path("set"), NULL, f, NULL), SL_OK);
  ck_assert_str_eq(listed(f), "set/cat/1.jpg set/dog/2.jpg set/dog/3.jpg");
  sl_files_release(f);
}
END_TEST

START_TEST(unreadable_folder) {
  make("a/1.jpg");
  make("b/2.jpg");
  ck_assert_int_eq(chmod(t_path("a"), 0), 0);
  const int as_root = access(t_path("a/1.jpg"), F_OK) == 0; /* reads all */
  sl_files *f = new_files();
  sl_scan_seen seen;
  ck_assert_int_eq(sl_scan(t_path(""), NULL, f, &seen), SL_OK);
  if (!as_root) {
    ck_assert_str_eq(listed(f), "b/2.jpg");
    ck_assert_int_eq(seen.unreadable, 1);
    ck_assert_ptr_nonnull(strstr(warned, "its files are left out"));
  }
  chmod(t_path("a"), 0777);
  sl_files_release(f);
}
END_TEST

START_TEST(scan_errors) {
  sl_files *f = new_files();
  make("a/readme.txt");
  make("a/b/x.jpg");
  fails_with(sl_scan(t_path("missing"), NULL, f, NULL), SL_EIO,
             "missing: No such file");
  fails_with(sl_scan(t_path("a/readme.txt"), NULL, f, NULL), SL_EIO,
             "is a file, not a folder");
  fails_with(sl_scan(t_path("a"), &(sl_scan_opts){.flat = 1}, f, NULL),
             SL_EDATA, "(its subfolders were not searched): looked for .jpg");
  ck_assert_ptr_nonnull(strstr(sl_error(), "found 1 files of other types"));
  fails_with(sl_files_add(f, "a/"), SL_EINVAL, "not the path of a file");
  sl_files_release(f);
}
END_TEST

static const struct {
  const char *path;
  int up;
  const char *want; /* NULL: an error */
} folders[] = {
    {"/d/train/cat/1.jpg", 1, "cat"},
    {"/d/train/cat/1.jpg", 2, "train"},
    {"/d/train/cat/1.jpg", 3, "d"},
    {"/d/train/cat/1.jpg", 4, NULL},
    {"train//cat/./1.jpg", 2, "train"},
    {"1.jpg", 1, NULL},
    {"../1.jpg", 1, NULL},
    {"./1.jpg", 1, NULL},
    {"a b/..c/1.jpg", 1, "..c"},
    {"/1.jpg", 1, NULL},
};

START_TEST(folder_of_a_path) {
  const char *name = NULL;
  size_t len = 0;
  const sl_status status =
      sl_path_folder(folders[_i].path, folders[_i].up, &name, &len);
  if (!folders[_i].want) {
    fails_with(status, SL_EINVAL, "has no named folder");
    return;
  }
  ck_assert_int_eq(status, SL_OK);
  ck_assert_uint_eq(len, strlen(folders[_i].want));
  ck_assert_int_eq(strncmp(name, folders[_i].want, len), 0);
}
END_TEST

static sl_files *animals(void) {
  static const char *const paths[] = {"d/train/dog/1.jpg", "d/train/cat/2.jpg",
                                      "d/train/ant/3.jpg", "d/train/cat/4.jpg",
                                      "d/valid/cat/5.jpg", "d/valid/yak/6.jpg"};
  sl_files *f = new_files();
  for (int i = 0; i < 6; i++)
    ck_assert_int_eq(sl_files_add(f, paths[i]), SL_OK);
  return f;
}

START_TEST(classes_of_the_training_rows) {
  static const int64_t train[] = {0, 1, 2, 3}, cat[] = {4}, valid[] = {4, 5};
  sl_files *f = animals();
  sl_vocab *v;
  sl_targets t;
  int64_t counts[3];
  ck_assert_int_eq(sl_files_label_count(f, 0), -1);
  fails_with(sl_vocab_from_rows(f, train, 4, &v), SL_EINVAL,
             "d/train/dog/1.jpg has no label");
  ck_assert_int_eq(sl_files_label_by_folder(f, 1), SL_OK);
  ck_assert_str_eq(sl_files_label(f, 5, 0), "yak");
  ck_assert_int_eq(sl_vocab_from_rows(f, train, 4, &v), SL_OK);
  ck_assert_int_eq(sl_vocab_size(v), 3);
  ck_assert_str_eq(sl_vocab_name(v, 1), "ant");
  ck_assert_str_eq(sl_vocab_name(v, 3), "dog");
  ck_assert_int_eq(sl_vocab_find(v, "cat"), 2);
  ck_assert_int_eq(sl_vocab_find(v, "ca"), 0);
  ck_assert_int_eq(sl_targets_init(&t, v, f, train, 4, 0, "training"), SL_OK);
  static const int32_t want[] = {3, 2, 1, 2};
  ck_assert_mem_eq(t.classes, want, sizeof want);
  sl_targets_count(&t, counts);
  ck_assert(counts[0] == 1 && counts[1] == 2 && counts[2] == 1);
  sl_targets_close(&t);
  ck_assert_int_eq(sl_targets_init(&t, v, f, cat, 1, 0, "validation"), SL_OK);
  sl_targets_close(&t);
  fails_with(sl_targets_init(&t, v, f, valid, 2, 0, "validation"), SL_EINVAL,
             "validation item d/valid/yak/6.jpg has class 'yak'");
  ck_assert_ptr_nonnull(strstr(sl_error(), "ant, cat, dog"));
  sl_vocab_free(v);
  sl_files_release(f);
}
END_TEST

START_TEST(several_labels) {
  static const char *const two[] = {"small", "black"}, *const bad[] = {"a", ""};
  sl_files *f = animals();
  sl_vocab *v;
  sl_targets t;
  for (int64_t i = 0; i < 5; i++)
    ck_assert_int_eq(sl_files_set_label(f, i, i % 2 ? "black" : "white"),
                     SL_OK);
  ck_assert_int_eq(sl_files_set_labels(f, 2, two, 2), SL_OK);
  ck_assert_int_eq(sl_files_set_labels(f, 5, NULL, 0), SL_OK);
  ck_assert_int_eq(sl_files_label_count(f, 5), 0);
  fails_with(sl_files_set_labels(f, 5, bad, 2), SL_EINVAL, "is no label");
  fails_with(sl_files_set_label(f, 6, "x"), SL_EINVAL, "row 7 is not in");
  ck_assert_int_eq(sl_files_label_count(f, 5), 0);
  ck_assert_int_eq(sl_vocab_from_rows(f, NULL, 6, &v), SL_OK);
  ck_assert_int_eq(sl_vocab_size(v), 3);
  fails_with(sl_targets_init(&t, v, f, NULL, 6, 0, "training"), SL_EINVAL,
             "d/train/ant/3.jpg has 2 labels where one class is wanted");
  ck_assert_int_eq(sl_targets_init(&t, v, f, NULL, 6, 1, "training"), SL_OK);
  static const int64_t at[] = {0, 1, 2, 4, 5, 6, 6};
  static const int32_t classes[] = {3, 1, 2, 1, 1, 3};
  ck_assert_mem_eq(t.at, at, sizeof at);
  ck_assert_mem_eq(t.classes, classes, sizeof classes);
  sl_targets_close(&t);
  sl_vocab_free(v);
  sl_files_release(f);
}
END_TEST

START_TEST(a_given_class_list) {
  static const char *const names[] = {"zebra", "ant"}, *const twice[] = {"a",
                                                                         "a"};
  sl_vocab *v;
  ck_assert_int_eq(sl_vocab_from_names(names, 2, &v), SL_OK);
  ck_assert_int_eq(sl_vocab_find(v, "zebra"), 1);
  sl_vocab_free(v);
  fails_with(sl_vocab_from_names(twice, 2, &v), SL_EINVAL,
             "'a' is in the class list twice");
  fails_with(sl_vocab_from_names(NULL, 0, &v), SL_EINVAL, "no labels");
}
END_TEST

START_TEST(frozen) {
  sl_files *f = animals();
  sl_files_freeze(f);
  fails_with(sl_files_set_label(f, 0, "x"), SL_EINVAL, "feeds a loader");
  fails_with(sl_files_add(f, "x.jpg"), SL_EINVAL, "make a new one");
  fails_with(sl_files_label_by_folder(f, 1), SL_EINVAL, "feeds a loader");
  sl_files_release(f);
}
END_TEST

/* 100,000 files of 100 folders cost little more than their names. */
START_TEST(small_and_quick) {
  sl_files *f = new_files();
  char path[128];
  for (int i = 0; i < 100000; i++) {
    snprintf(path, sizeof path, "/data/set/train/class%02d/%08d.JPEG", i % 100,
             i);
    ck_assert_int_eq(sl_files_add(f, path), SL_OK);
  }
  ck_assert_int_eq(sl_files_label_by_folder(f, 1), SL_OK);
  ck_assert_int_eq(sl_files_label_names(f), 100);
  ck_assert_uint_eq(sl_files_path(f, 99999, path, sizeof path), 37);
  ck_assert_str_eq(path, "/data/set/train/class99/00099999.JPEG");
  ck_assert_str_eq(sl_files_label(f, 99999, 0), "class99");
  sl_files_release(f);
}
END_TEST

static sl_status everything(void) {
  sl_files *f = NULL;
  sl_vocab *v = NULL;
  sl_targets t = {0};
  sl_status status = sl_files_new(&f);
  if (status == SL_OK) status = sl_scan(t_path(""), NULL, f, NULL);
  if (status == SL_OK) status = sl_files_label_by_folder(f, 1);
  if (status == SL_OK)
    status = sl_vocab_from_rows(f, NULL, sl_files_count(f), &v);
  if (status == SL_OK)
    status = sl_targets_init(&t, v, f, NULL, sl_files_count(f), 1, "training");
  sl_targets_close(&t);
  sl_vocab_free(v);
  sl_files_release(f);
  return status;
}

static void note_found(void *context, int64_t files) {
  int64_t *told = context;
  told[0]++;
  ck_assert_int_ge(files, told[1]);
  told[1] = files;
}

START_TEST(tells_how_far_it_is) {
  int64_t told[2] = {0};
  char name[32];
  sl_files *f = new_files();
  for (int i = 0; i < 1001; i++) {
    snprintf(name, sizeof name, "many/%d.jpg", i);
    make(name);
  }
  const sl_scan_opts o = {.progress = note_found, .context = told};
  ck_assert_int_eq(sl_scan(t_path(""), &o, f, NULL), SL_OK);
  ck_assert_int_eq(told[0], 3); /* two folders, a thousand files */
  ck_assert_int_eq(told[1], 1000);
  sl_files_release(f);
}
END_TEST

START_TEST(each_allocation_may_fail) {
  int n = 1;
  make_tree();
  for (;; n++) {
    sl_alloc_fail_at(n);
    const sl_status status = everything();
    sl_alloc_fail_at(0);
    ck_assert_int_eq(sl_alloc_live(), live);
    if (status == SL_OK) break;
    ck_assert_int_eq(status, SL_ENOMEM);
    ck_assert_ptr_nonnull(strstr(sl_error(), "no memory"));
  }
  ck_assert_int_gt(n, 20);
}
END_TEST

int main(void) {
  Suite *s = suite_create("files");
  TCase *tc = tcase_create("files");
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, sorted_by_component);
  tcase_add_test(tc, only_what_was_asked_for);
  tcase_add_test(tc, links_and_loops);
  tcase_add_test(tc, unreadable_folder);
  tcase_add_test(tc, scan_errors);
  tcase_add_loop_test(tc, folder_of_a_path, 0,
                      sizeof folders / sizeof *folders);
  tcase_add_test(tc, classes_of_the_training_rows);
  tcase_add_test(tc, several_labels);
  tcase_add_test(tc, a_given_class_list);
  tcase_add_test(tc, frozen);
  tcase_add_test(tc, small_and_quick);
  tcase_add_test(tc, tells_how_far_it_is);
  tcase_add_test(tc, each_allocation_may_fail);
  suite_add_tcase(s, tc);
  return t_main(s);
}
