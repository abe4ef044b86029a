/* test_safetensors.c -- files written, read back, and refused. The bytes of
 * the good file are as Python's safetensors 0.4 writes them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "support.h"
#include "train/safetensors.h"

static char path[64];

static void set_up(void) {
  snprintf(path, sizeof path, "/tmp/sl_st_%ld", (long)getpid());
}

static void tear_down(void) {
  unlink(path);
}

/* A file with that header and n bytes 0, 1, 2, ... */
static void put_file(const char *header, size_t n) {
  FILE *f = fopen(path, "wb");
  const uint64_t length = strlen(header);
  for (int i = 0; i < 8; i++)
    fputc((int)(length >> 8 * i & 255), f);
  fputs(header, f);
  for (size_t i = 0; i < n; i++)
    fputc((int)(i & 255), f);
  fclose(f);
}

static sl_tensor *read_one(int flags) {
  sl_st_file f;
  sl_tensor *t = NULL;
  ck_assert_msg(sl_st_open(&f, path) == SL_OK, "%s", sl_error());
  ck_assert_int_eq(sl_st_read(&f, 0, flags, &sl_cpu, &t), SL_OK);
  sl_st_close(&f);
  return t;
}

START_TEST(round_trip) {
  const float v[] = {1, -2.5f, 3e-30f, NAN, INFINITY, 0};
  const int32_t n[] = {7};
  const uint8_t b[] = {0, 128, 255};
  sl_tensor *x = t_f32(v, 2, 2L, 3L), *h = NULL, *y = NULL;
  sl_tensor *i = t_i32(n, 0), *u = t_u8(b, 1, 3L);
  ck_assert_int_eq(sl_tensor_copy(&h, x, &sl_cpu, SL_BF16), SL_OK);
  const sl_st_item items[] = {{"w.é", x}, {"u", u}, {"h", h}, {"n", i}};
  const sl_st_pair meta[] = {{(char[]){"arch"}, (char[]){"xresnet\"18\""}}};
  ck_assert_int_eq(sl_st_write(path, items, 4, meta, 1, SL_ST_INT64), SL_OK);
  sl_st_file f;
  ck_assert_msg(sl_st_open(&f, path) == SL_OK, "%s", sl_error());
  ck_assert_int_eq(f.n, 4);
  ck_assert_int_eq((int)(f.data % 8), 0);
  ck_assert_str_eq(sl_st_meta(&f, "arch"), "xresnet\"18\"");
  ck_assert_ptr_null(sl_st_meta(&f, "classes"));
  ck_assert_str_eq(sl_st_dtype_name(f.entry[sl_st_find(&f, "n")].dtype), "I64");
  ck_assert_int_eq(sl_st_find(&f, "x"), -1);
  for (int k = 0; k < 4; k++) {
    const int at = sl_st_find(&f, items[k].name);
    ck_assert_int_eq(sl_st_read(&f, at, 0, &sl_cpu, &y), SL_OK);
    ck_assert(sl_tensor_same_shape(y, items[k].tensor));
    ck_assert_int_eq(y->dtype, items[k].tensor->dtype);
    ck_assert_int_eq(
        memcmp(sl_data(y), sl_data(items[k].tensor), sl_tensor_bytes(y)), 0);
    sl_tensor_release(y);
  }
  sl_st_close(&f);
  sl_st_close(&f);
  sl_tensor *const all[] = {x, h, i, u};
  for (int k = 0; k < 4; k++)
    sl_tensor_release(all[k]);
}
END_TEST

START_TEST(layout_of_convolutions) {
  sl_tensor *w = t_random(3, -1, 1, 4, 2L, 3L, 4L, 5L); /* O H W I */
  const sl_st_item item = {"w", w};
  ck_assert_int_eq(sl_st_write(path, &item, 1, NULL, 0, SL_ST_OIHW), SL_OK);
  sl_tensor *raw = read_one(0), *same = read_one(SL_ST_OIHW);
  const int64_t want[] = {2, 5, 3, 4};
  ck_assert_int_eq(memcmp(raw->shape, want, sizeof want), 0);
  for (int64_t o = 0; o < 2; o++)
    for (int64_t i = 0; i < 5; i++)
      for (int64_t h = 0; h < 3; h++)
        for (int64_t x = 0; x < 4; x++)
          ck_assert(sl_f32(raw)[((o * 5 + i) * 3 + h) * 4 + x] ==
                    sl_f32(w)[((o * 3 + h) * 4 + x) * 5 + i]);
  t_equal_tensors(same, w, 0);
  sl_tensor_release(raw);
  sl_tensor_release(same);
  sl_tensor_release(w);
}
END_TEST

START_TEST(other_dtypes) {
  static const uint16_t half[] = {0x3c00, 0xc000, 0x7c00, 1, 0x8000, 0x3555};
  const float want[] = {1, -2, INFINITY, 0x1p-24f, -0.0f, 0.333251953125f};
  const double wide[] = {0.1, 1e300};
  const int64_t fits[] = {-5, 2147483647}, does_not[] = {1LL << 31};
  const struct {
    const char *header;
    const void *data;
    size_t n;
  } files[] = {
      {"{\"a\":{\"dtype\":\"F16\",\"shape\":[6],\"data_offsets\":[0,12]}}",
       half, sizeof half},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}",
       wide, sizeof wide},
      {"{\"a\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,16]}}",
       fits, sizeof fits},
      {"{\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}",
       does_not, sizeof does_not},
  };
  for (int k = 0; k < 4; k++) {
    put_file(files[k].header, 0);
    FILE *f = fopen(path, "ab");
    fwrite(files[k].data, 1, files[k].n, f);
    fclose(f);
    if (k == 3) {
      sl_st_file st;
      sl_tensor *t = NULL;
      ck_assert_int_eq(sl_st_open(&st, path), SL_OK);
      ck_assert_int_eq(sl_st_read(&st, 0, 0, &sl_cpu, &t), SL_EDATA);
      ck_assert_ptr_nonnull(strstr(sl_error(), "2147483648, which 32 bits"));
      sl_st_close(&st);
      continue;
    }
    sl_tensor *t = read_one(0);
    if (k == 0) ck_assert_int_eq(memcmp(sl_f32(t), want, sizeof want), 0);
    if (k == 1) ck_assert(sl_f32(t)[0] == 0.1f && isinf(sl_f32(t)[1]));
    if (k == 2) ck_assert(sl_i32(t)[0] == -5 && sl_i32(t)[1] == INT32_MAX);
    sl_tensor_release(t);
  }
}
END_TEST

#define T(name, shape, from, to)                                               \
  "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape                           \
  ",\"data_offsets\":[" from "," to "]}"

/* Each must be refused, with a message that names the reason. */
static const struct bad {
  const char *header;
  size_t bytes;
  const char *want;
} bads[] = {
    {"", 0, "its header is no JSON"},
    {"[]", 0, "its header is no JSON"},
    {" {}", 0, "its header is no JSON"},
    {"{} x", 0, "bad header"},
    {"{\"a\xff\":1}", 0, "bad header"},
    {"{" T("a", "[1]", "0", "4") "," T("a", "[1]", "0", "4") "}", 4,
     "duplicate object key"},
    {"{" T("a", "[1]", "0", "4") "}", 5, "take 4 bytes, the file has 5"},
    {"{" T("a", "[1]", "0", "4") "}", 3, "take 4 bytes, the file has 3"},
    {"{" T("a", "[1]", "4", "8") "}", 8, "begins at 4"},
    {"{" T("a", "[2]", "0", "8") "," T("b", "[1]", "4", "8") "}", 8,
     "begins at 4, the one before ends at 8"},
    {"{" T("a", "[1]", "0", "4") "," T("b", "[1]", "8", "12") "}", 12,
     "begins at 8, the one before ends at 4"},
    {"{" T("a", "[2]", "0", "4") "}", 4, "has 4 bytes, its shape wants 8"},
    {"{" T("a", "[1]", "4", "0") "}", 4, "are no range"},
    {"{" T("a", "[1]", "-4", "0") "}", 4, "are no range"},
    {"{" T("a", "[1]", "0.0", "4") "}", 4, "are no range"},
    {"{" T("a", "[-1]", "0", "4") "}", 4, "is no size"},
    {"{" T("a", "[1.5]", "0", "4") "}", 4, "is no size"},
    {"{" T("a", "[1,1,1,1,1,1,1]", "0", "4") "}", 4, "has 7 dimensions"},
    /* hf.co/rez0/safetensors-cpp-integer-overflow-poc: wraps to 4 */
    {"{" T("a", "[4194305,4194305,211106198978564]", "0", "4") "}", 4,
     "is too large"},
    {"{" T("a", "[99999999999999999999]", "0", "4") "}", 4, "too big integer"},
    {"{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8,
     "has dtype C64"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "is not described"},
    {"{\"a\":5}", 0, "is not described"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__ a is no string"},
    {"{\"a\":[[[[1]]]]}", 0, "nested more than 4 deep"},
    {"{\"a\\\"[[[[[\":[[[1]]]}", 0, "is not described"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is no object"},
};

START_TEST(damaged_files) {
  sl_st_file f;
  put_file(bads[_i].header, bads[_i].bytes);
  ck_assert_int_eq(sl_st_open(&f, path), SL_EDATA);
  ck_assert_msg(strstr(sl_error(), bads[_i].want) != NULL, "got: %s; want: %s",
                sl_error(), bads[_i].want);
  ck_assert_ptr_nonnull(strstr(sl_error(), path));
  ck_assert_int_eq(f.fd, -1);
}
END_TEST

START_TEST(not_such_files) {
  sl_st_file f;
  ck_assert_int_eq(sl_st_open(&f, "/nowhere/x.safetensors"), SL_EIO);
  ck_assert_ptr_nonnull(strstr(sl_error(), "/nowhere/x.safetensors: No such"));
  ck_assert_int_eq(sl_st_open(&f, "/tmp"), SL_EIO);
  FILE *t = fopen(path, "wb");
  fputs("short", t);
  fclose(t);
  ck_assert_int_eq(sl_st_open(&f, path), SL_EDATA);
  t = fopen(path, "wb");
  fputs("\xff\xff\xff\xff\xff\xff\xff\xff{}", t);
  fclose(t);
  ck_assert_int_eq(sl_st_open(&f, path), SL_EDATA);
  ck_assert_ptr_nonnull(strstr(sl_error(), "a header of 18446744073709551615"));
  t = fopen(path, "wb"); /* one byte too many, in a file that has them all */
  fputs("\x01\xe1\xf5\x05", t);
  ck_assert_int_eq(ftruncate(fileno(t), 100000001 + 8), 0);
  fclose(t);
  ck_assert_int_eq(sl_st_open(&f, path), SL_EDATA);
  ck_assert_ptr_nonnull(strstr(sl_error(), "a header of 100000001 bytes"));
}
END_TEST

/* Every prefix of a good file is refused. */
START_TEST(cut_off_anywhere) {
  sl_tensor *x = t_random(1, 0, 1, 2, 3L, 5L);
  const sl_st_item item = {"x", x};
  char whole[4096];
  sl_st_file f;
  ck_assert_int_eq(sl_st_write(path, &item, 1, NULL, 0, 0), SL_OK);
  FILE *in = fopen(path, "rb");
  const size_t n = fread(whole, 1, sizeof whole, in);
  fclose(in);
  for (size_t k = 0; k < n; k++) {
    FILE *out = fopen(path, "wb");
    fwrite(whole, 1, k, out);
    fclose(out);
    ck_assert_int_eq(sl_st_open(&f, path), SL_EDATA);
  }
  sl_tensor_release(x);
}
END_TEST

/* A write that fails leaves the old file, and nothing beside it. */
START_TEST(writing_is_atomic) {
  sl_tensor *x = t_random(1, 0, 1, 1, 4L), *y = t_random(2, 0, 1, 1, 4L);
  const sl_st_item one = {"x", x}, twice[] = {{"x", y}, {"x", y}};
  struct stat s;
  ck_assert_int_eq(sl_st_write(path, &one, 1, NULL, 0, 0), SL_OK);
  ck_assert_int_eq(chmod(path, 0640), 0);
  ck_assert_int_eq(sl_st_write(path, twice, 2, NULL, 0, 0), SL_EINVAL);
  ck_assert_ptr_nonnull(strstr(sl_error(), "two tensors of the name x"));
  sl_tensor *warm = read_one(0); /* the backend keeps its memory */
  t_equal_tensors(warm, x, 0);
  sl_tensor_release(warm);
  const int64_t live = sl_alloc_live();
  for (int k = 1;; k++) {
    sl_alloc_fail_at(k);
    const sl_status status = sl_st_write(path, &one, 1, NULL, 0, 0);
    sl_alloc_fail_at(0);
    ck_assert_int_eq(sl_alloc_live(), live);
    sl_tensor *t = read_one(0);
    t_equal_tensors(t, x, 0);
    sl_tensor_release(t);
    if (status == SL_OK) break;
    ck_assert_int_eq(status, SL_ENOMEM);
    ck_assert_int_lt(k, 50);
  }
  ck_assert_int_eq(stat(path, &s), 0);
  ck_assert_int_eq((int)(s.st_mode & 0777), 0640);
  ck_assert_int_eq(sl_st_write("/nowhere/x", &one, 1, NULL, 0, 0), SL_EIO);
  char command[128];
  snprintf(command, sizeof command, "test -z \"$(ls %s.* 2>/dev/null)\"", path);
  ck_assert_int_eq(system(command), 0);
  sl_tensor_release(x);
  sl_tensor_release(y);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("safetensors", &tc);
  tcase_add_checked_fixture(tc, set_up, tear_down);
  tcase_add_test(tc, round_trip);
  tcase_add_test(tc, layout_of_convolutions);
  tcase_add_test(tc, other_dtypes);
  tcase_add_loop_test(tc, damaged_files, 0, sizeof bads / sizeof *bads);
  tcase_add_test(tc, not_such_files);
  tcase_add_test(tc, cut_off_anywhere);
  tcase_add_test(tc, writing_is_atomic);
  return t_main(s);
}
