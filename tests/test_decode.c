/* test_decode.c -- every kind of file gives Pillow's pixels; bad ones are
 * named. */
#include "data/decode.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* --- metadata that is broken ------------------------------------------------
 */

static uint8_t *golden_bytes(const char *name, size_t *n, json_t **file) {
  size_t i;
  json_array_foreach(t_member(vectors, "files"), i, *file) {
    if (!strcmp(json_string_value(t_member(*file, "name")), name))
      return t_base64(*file, "file", n);
  }
  ck_abort_msg("no golden file %s", name);
  return NULL;
}

/* The pixels of a golden file with some bytes more in it. */
static void same_with(const char *name, size_t at, const void *more, size_t m) {
  size_t n = 0;
  json_t *file;
  uint8_t *bytes = golden_bytes(name, &n, &file), *all = malloc(n + m);
  memcpy(all, bytes, at);
  memcpy(all + at, more, m);
  memcpy(all + at + m, bytes + at, n - at);
  sl_image image = {0};
  ck_assert_msg(sl_decode(t_write(name, all, n + m), &image) == SL_OK, "%s",
                sl_error());
  ck_assert(image.h == t_int(file, "h") && image.w == t_int(file, "w"));
  t_same_bytes(image.px, t_member(file, "out"), t_int(file, "tolerance"), name);
  sl_image_clear(&image);
  free(all);
  free(bytes);
}

/* A segment of a JPEG: marker, length, what it is, and the rest of it. */
static size_t segment(uint8_t out[256], int marker, const void *kind, size_t k,
                      const void *rest, size_t m) {
  const size_t length = 2 + k + m;
  memcpy(out,
         (uint8_t[]){0xff, (uint8_t)marker, (uint8_t)(length >> 8),
                     (uint8_t)length},
         4);
  memcpy(out + 4, kind, k);
  memcpy(out + 4 + k, rest, m);
  return 2 + length;
}

/* EXIF that lies: no header; a directory outside of it; one that leads to
 * itself; a billion entries; an orientation that is none, or is text. */
START_TEST(corrupt_exif) {
  static const struct {
    size_t n;
    const char *bytes;
  } bodies[] = {
      {4, "junk"},
      {8, "II*\0\xff\xff\xff\xff"},
      {14, "II*\0\x08\0\0\0\0\0\x08\0\0\0"},
      {10, "MM\0*\0\0\0\x08\xff\xff"},
      {26, "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\x08\0\0\0"},
      {26, "II*"
           "\0\x08\0\0\0\x01\0\x12\x01\x02\0\xff\xff\xff\x7f\xff\xff\xff\xff"
           "\x08\0\0\0"},
  };
  uint8_t more[256];
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    const size_t m =
        segment(more, 0xe1, "Exif\0", 6, bodies[i].bytes, bodies[i].n);
    same_with("rgb.jpg", 2, more, m);
    same_with("cmyk.jpg", 2, more, m);
  }
}
END_TEST

/* Profiles that are none: text; the second of one; a header of 0xff. */
START_TEST(corrupt_icc) {
  uint8_t junk[130], more[256];
  memset(junk, 0xff, sizeof junk);
  static const char *const places[] = {"\1\1", "\2\1", "\0\0"};
  for (int i = 0; i < 3; i++) {
    memcpy(junk, places[i], 2);
    const size_t m = segment(more, 0xe2, "ICC_PROFILE", 12, junk, sizeof junk);
    same_with("rgb.jpg", 2, more, m);
    same_with("grey.jpg", 2, more, m);
    same_with("cmyk.jpg", 2, more, m);
  }
  /* PNG: a chunk "iCCP" whose data are no deflated profile; its CRC by zlib */
  static const char chunk[] = "\0\0\0\x09iCCPx\0\0garbag\xe8\xdc\xd3\x04";
  same_with("rgb.png", 33, chunk, sizeof chunk - 1);
}
END_TEST

static void put_3(uint8_t *at, unsigned v) {
  memcpy(at, (uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16)}, 3);
}

/* The frame of a WebP twice, as an animation: the first is the image. */
START_TEST(animated_webp) {
  size_t n = 0;
  json_t *file;
  uint8_t *bytes = golden_bytes("rgb.webp", &n, &file), all[2048] = {0};
  const size_t inner = n - 12, frame = 16 + inner; /* after RIFF, size, WEBP */
  uint8_t *at = all;
  memcpy(at, "RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0", 24);
  put_3(at + 24, 13 - 1);
  put_3(at + 27, 10 - 1);
  memcpy(at + 30, "ANIM\x06\0\0\0\0\0\0\0\0\0", 14);
  at += 44;
  for (int i = 0; i < 2; i++) {
    memcpy(at, "ANMF", 4);
    put_3(at + 4, (unsigned)frame);
    put_3(at + 14, 13 - 1);
    put_3(at + 17, 10 - 1);
    put_3(at + 20, 100); /* ms */
    memcpy(at + 24, bytes + 12, inner);
    at += 8 + frame;
  }
  put_3(all + 4, (unsigned)(at - all) - 8);
  sl_image image = {0};
  ck_assert_msg(sl_decode(t_write("a.webp", all, (size_t)(at - all)), &image) ==
                    SL_OK,
                "%s", sl_error());
  ck_assert(image.h == 10 && image.w == 13);
  t_same_bytes(image.px, t_member(file, "out"), 0, "a.webp");
  sl_image_clear(&image);
  free(bytes);
}
END_TEST

/* A file that is emptied between its header and its pixels: those of before, or
 * an error; never the end of the process. */
START_TEST(changes) {
  const char *name = kinds[_i], *path = fixture(name, 1);
  sl_decoder d;
  sl_image image = {0};
  ck_assert_int_eq(sl_decode_open(path, 0, &d), SL_OK);
  ck_assert_int_eq(truncate(path, 0), 0);
  const sl_status status = sl_decode_read(&d, 1, &image);
  ck_assert_msg(status == SL_OK || status == SL_EDATA, "%s: %d, %s", name,
                status, sl_error());
  sl_decode_close(&d);
  sl_image_clear(&image);
  fails(path, SL_EDATA, "the file is empty");
  ck_assert_int_eq(unlink(path), 0);
  fails(path, SL_EIO, "cannot open: No such file");
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
  tcase_add_loop_test(tc, changes, 0, sizeof kinds / sizeof *kinds);
  tcase_add_test(tc, corrupt_exif);
  tcase_add_test(tc, corrupt_icc);
  tcase_add_test(tc, animated_webp);
  tcase_add_test(tc, shrink_on_load);
  tcase_add_test(tc, out_of_memory);
  tcase_add_test(tc, harmless_warnings);
  tcase_add_test(tc, threads);
  suite_add_tcase(s, tc);
  return t_main(s);
}
