/* test_decode.c -- every kind of file gives Pillow's pixels; bad ones are
 * named. */
#include "data/decode.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/log.h"
#include "files.h"
#include "golden.h"
#include "support.h"

static json_t *vectors;
static int64_t live;

static void setup(void) {
  t_folder_make();
  vectors = t_golden("images.json");
  live = sl_alloc_live();
}

static void teardown(void) {
  ck_assert_int_eq(sl_alloc_live(), live);
  json_decref(vectors);
  t_folder_remove();
}

/* Writes a golden file, or its first bytes. */
static const char *fixture(const char *name, double share) {
  json_t *file;
  size_t i, n;
  json_array_foreach(t_member(vectors, "files"), i, file) {
    if (strcmp(json_string_value(t_member(file, "name")), name) != 0) continue;
    uint8_t *bytes = t_base64(file, "file", &n);
    const char *path = t_write(name, bytes, (size_t)((double)n * share));
    free(bytes);
    return path;
  }
  ck_abort_msg("no golden file %s", name);
  return NULL;
}

START_TEST(pillow) {
  json_t *v = json_array_get(t_member(vectors, "files"), (size_t)_i);
  const char *name = json_string_value(t_member(v, "name"));
  const char *path = fixture(name, 1);
  sl_image m = {0};
  int h = 0, w = 0;
  ck_assert_msg(sl_decode(path, &m) == SL_OK, "%s", sl_error());
  ck_assert_msg(m.h == t_int(v, "h") && m.w == t_int(v, "w"), "%s: %d x %d",
                name, m.w, m.h);
  t_same_bytes(m.px, t_member(v, "out"), t_int(v, "tolerance"), name);
  ck_assert_int_eq(sl_decode_size(path, &h, &w), SL_OK);
  ck_assert(h == m.h && w == m.w);
  sl_image_clear(&m);
}
END_TEST

/* The file's name says nothing, not even to ImageMagick or libvips. */
START_TEST(name_does_not_matter) {
  static const char *const names[] = {"a[0].png", "png:x.jpg", "a[shrink=2]",
                                      "%d.bmp", "ohne Endung \xc3\xa4"};
  static const char *const kinds[] = {"rgb.jpg", "rgb.bmp", "rgb.png"};
  for (size_t k = 0; k < 3; k++)
    for (size_t i = 0; i < 5; i++) {
      const char *to = t_path(names[i]);
      ck_assert_int_eq(rename(fixture(kinds[k], 1), to), 0);
      sl_image m = {0};
      ck_assert_msg(sl_decode(to, &m) == SL_OK, "%s", sl_error());
      ck_assert(m.h == 10 && m.w == 13);
      sl_image_clear(&m);
    }
}
END_TEST

static void fails(const char *path, sl_status code, const char *why) {
  sl_image m = {0};
  const sl_status status = sl_decode(path, &m);
  ck_assert_msg(status == code, "%s: status %d, not %d (%s)", path, status,
                code, sl_error());
  ck_assert_msg(strncmp(sl_error(), path, strlen(path)) == 0, "no path: %s",
                sl_error());
  ck_assert_msg(strstr(sl_error(), why) != NULL, "not \"%s\": %s", why,
                sl_error());
  ck_assert_msg(!strchr(sl_error(), '\n'), "two lines: %s", sl_error());
  sl_image_clear(&m);
}

START_TEST(bad_files) {
  fails(t_path("none.jpg"), SL_EIO, "cannot open: No such file");
  fails(t_write("zero.jpg", "", 0), SL_EDATA, "the file is empty");
  fails(t_write("text.jpg", "hello, world", 12), SL_EDATA, "not an image");
  fails(t_write("jpeg.jpg", "\xff\xd8\xff\xe0garbage", 11), SL_EDATA, ": ");
  fails(t_write("png.png", "\x89PNG\r\n\x1a\n", 8), SL_EDATA, ": ");
  ck_assert_int_eq(mkdir(t_path("folder.jpg"), 0700), 0);
  fails(t_path("folder.jpg"), SL_EIO, "cannot read: Is a directory");
}
END_TEST

static const char *const kinds[] = {
    "rgb.jpg", "progressive.jpg", "grey.jpg",      "cmyk.jpg",   "exif6.jpg",
    "rgb.png", "palette.png",     "rgb.webp",      "grey16.png", "rgb.bmp",
    "rgb.ppm", "rgb.tif",         "two_frames.gif"};

START_TEST(blocked) {
  sl_image image = {0};
  static const struct {
    const char *name, *content, *want;
  } cases[] = {
      {"a.ppm", "P6\n1 1\n255\nabc", "PNM"},
      {"a.jpg", "BMxxxxxxxxxxxxxx", "BMP"},
      {"a.png", "\0\0\0\x0cjP  \r\n", "JPEG 2000"},
  };
  const size_t lengths[] = {14, 16, 10};
  sl_decode_allow_untrusted(0);
  for (int i = 0; i < 3; i++) {
    const char *path = t_path(cases[i].name);
    FILE *f = fopen(path, "wb");
    fwrite(cases[i].content, 1, lengths[i], f);
    fclose(f);
    ck_assert_int_eq(sl_decode(path, &image), SL_EDATA);
    ck_assert_msg(strstr(sl_error(), cases[i].want) &&
                      strstr(sl_error(), "--allow-untrusted-images") &&
                      strstr(sl_error(), cases[i].name),
                  "%s", sl_error());
  }
  sl_decode_allow_untrusted(1);
  ck_assert_int_eq(sl_decode(t_path("a.ppm"), &image), SL_OK);
  sl_image_clear(&image);
}
END_TEST

START_TEST(truncated) {
  const int two = strcmp(kinds[_i], "two_frames.gif") == 0; /* in the first */
  fails(fixture(kinds[_i], two ? 0.4 : 0.75), SL_EDATA, ": ");
}
END_TEST

/* A good file after bad ones: no message is left over in libvips. */
START_TEST(goes_on) {
  fails(fixture("grey.jpg", 0.8), SL_EDATA, ": ");
  sl_image m = {0};
  ck_assert_int_eq(sl_decode(fixture("rgb.jpg", 1), &m), SL_OK);
  sl_image_clear(&m);
  fails(t_write("x.gif", "GIF89a", 6), SL_EDATA, ": ");
}
END_TEST

/* A PNG header that promises 60000 x 60000 pixels, and a lower limit. */
START_TEST(bombs) {
  sl_decoder d;
  size_t n = 0;
  json_t *png = NULL, *file;
  size_t i;
  json_array_foreach(t_member(vectors, "files"), i,
                     file) if (strcmp(json_string_value(t_member(file, "name")),
                                      "rgb.png") == 0) png = file;
  uint8_t *bytes = t_base64(png, "file", &n);
  memcpy(bytes + 16, "\0\0\xea\x60\0\0\xea\x60", 8);
  memcpy(bytes + 29, "\x0f\xb0\xe2\x15", 4); /* CRC of the header, by zlib */
  const char *path = t_write("bomb.png", bytes, n);
  free(bytes);
  fails(path, SL_EDATA,
        "60000 x 60000 pixels are more than the limit of 178956970");
  path = fixture("rgb.jpg", 1);
  ck_assert_int_eq(sl_decode_open(path, 129, &d), SL_EDATA);
  ck_assert(
      strstr(sl_error(), "13 x 10 pixels are more than the limit of 129"));
  sl_decode_close(&d);
  ck_assert_int_eq(sl_decode_open(path, 130, &d), SL_OK);
  sl_decode_close(&d);
}
END_TEST

START_TEST(shrink_on_load) {
  static const int sides[][3] = {{1, 10, 13}, {2, 5, 6}, {4, 2, 3}, {8, 1, 1}};
  for (size_t i = 0; i < 4; i++) {
    sl_decoder d;
    sl_image m = {0};
    ck_assert_int_eq(sl_decode_open(fixture("rgb_444.jpg", 1), 0, &d), SL_OK);
    ck_assert_int_eq(d.can_shrink, 1);
    ck_assert_int_eq(sl_decode_read(&d, sides[i][0], &m), SL_OK);
    ck_assert_int_eq(m.h, sides[i][1]);
    ck_assert_int_eq(m.w, sides[i][2]);
    sl_decode_close(&d);
    sl_image_clear(&m);
  }
  sl_decoder d;
  sl_image m = {0};
  ck_assert_int_eq(sl_decode_open(fixture("rgb.png", 1), 0, &d), SL_OK);
  ck_assert_int_eq(sl_decode_read(&d, 2, &m), SL_EINVAL);
  ck_assert(strstr(sl_error(), "shrink-on-load by 2 is not possible"));
  sl_decode_close(&d);
}
END_TEST

START_TEST(out_of_memory) {
  const char *path = fixture("exif6.jpg", 1);
  for (int n = 1; n <= 2; n++) { /* as it lies, and turned */
    sl_image m = {0};
    sl_alloc_fail_at(n);
    ck_assert_int_eq(sl_decode(path, &m), SL_ENOMEM);
    sl_alloc_fail_at(0);
    sl_image_clear(&m);
  }
}
END_TEST

static int lines;

static void count_lines(sl_log_level level, const char *line) {
  (void)line;
  lines += level == SL_LOG_DEBUG;
}

/* A JPEG with bytes too many between segments decodes; libvips' warning goes
 * to our log, not to stderr. */
START_TEST(harmless_warnings) {
  size_t n = 0;
  json_t *jpeg = json_array_get(t_member(vectors, "files"), 0);
  uint8_t *bytes = t_base64(jpeg, "file", &n), more[2048];
  memcpy(more, bytes, 20); /* SOI, APP0 */
  memcpy(more + 20, "\0\0\0", 3);
  memcpy(more + 23, bytes + 20, n - 20);
  free(bytes);
  sl_log_set_sink(count_lines);
  sl_log_set_level(SL_LOG_DEBUG);
  sl_image m = {0};
  ck_assert_msg(sl_decode(t_write("odd.jpg", more, n + 3), &m) == SL_OK, "%s",
                sl_error());
  ck_assert_int_ge(lines, 1);
  sl_log_set_level(SL_LOG_WARN);
  sl_log_set_sink(NULL);
  sl_image_clear(&m);
}
END_TEST

/* --- threads -------------------------------------------------------------- */

typedef struct job {
  const char *good, *bad;
  int failures;
} job;

static void *decode_many(void *context) {
  job *j = context;
  sl_image m = {0};
  for (int i = 0; i < 50; i++) {
    j->failures += sl_decode(j->good, &m) != SL_OK || m.h != 10;
    j->failures += sl_decode(j->bad, &m) != SL_EDATA ||
                   strncmp(sl_error(), j->bad, strlen(j->bad)) != 0;
  }
  sl_image_clear(&m);
  sl_decode_thread_end();
  return NULL;
}

START_TEST(threads) {
  job jobs[4];
  pthread_t ids[4];
  const char *good = fixture("rgb.jpg", 1), *bad = fixture("grey.jpg", 0.8);
  for (int i = 0; i < 4; i++) {
    jobs[i] = (job){good, bad, 0};
    ck_assert_int_eq(pthread_create(&ids[i], NULL, decode_many, &jobs[i]), 0);
  }
  for (int i = 0; i < 4; i++) {
    pthread_join(ids[i], NULL);
    ck_assert_int_eq(jobs[i].failures, 0);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("decode");
  TCase *tc = tcase_create("decode");
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_loop_test(tc, pillow, 0, 32);
  tcase_add_test(tc, name_does_not_matter);
  tcase_add_test(tc, bad_files);
  tcase_add_test(tc, blocked);
  tcase_add_loop_test(tc, truncated, 0, sizeof kinds / sizeof *kinds);
  tcase_add_test(tc, goes_on);
  tcase_add_test(tc, bombs);
  tcase_add_test(tc, shrink_on_load);
  tcase_add_test(tc, out_of_memory);
  tcase_add_test(tc, harmless_warnings);
  tcase_add_test(tc, threads);
  suite_add_tcase(s, tc);
  return t_main(s);
}
