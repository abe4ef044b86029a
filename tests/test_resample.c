/* test_resample.c -- the resize gives Pillow's bytes. */
#include "data/resample.h"

#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "golden.h"
#include "support.h"

static sl_resampler *resampler;
static json_t *vectors;
static int64_t live;

static void setup(void) {
  live = sl_alloc_live();
  ck_assert_int_eq(sl_resampler_new(&resampler), SL_OK);
  vectors = t_golden("resize.json");
}

static void teardown(void) {
  sl_resampler_free(resampler);
  json_decref(vectors);
  ck_assert_int_eq(sl_alloc_live(), live);
}

static sl_image hashed(uint32_t k, int h, int w) {
  sl_image m = {0};
  ck_assert_int_eq(sl_image_resize(&m, h, w), SL_OK);
  t_hash_pixels(k, (size_t)h * (size_t)w * 3, m.px);
  return m;
}

static sl_resize whole(const sl_image *m, int to_h, int to_w) {
  return (sl_resize){.w = m->w,
                     .h = m->h,
                     .to_h = to_h,
                     .to_w = to_w,
                     .out_h = to_h,
                     .out_w = to_w};
}

static void resample(const sl_image *m, const sl_resize *r, uint8_t *out) {
  ck_assert_msg(sl_resample(resampler, m, r, out, 3 * (ptrdiff_t)r->out_w) ==
                    SL_OK,
                "%s", sl_error());
}

START_TEST(pillow) {
  json_t *v = json_array_get(t_member(vectors, "pil_bilinear"), (size_t)_i);
  sl_image m = hashed((uint32_t)t_int(v, "k"), t_int(v, "h"), t_int(v, "w"));
  const sl_resize r = whole(&m, t_int(v, "out_h"), t_int(v, "out_w"));
  uint8_t out[64 * 64 * 3];
  resample(&m, &r, out);
  t_same_bytes(out, t_member(v, "out"), 0, "resize");
  sl_image_clear(&m);
}
END_TEST

/* Larger images, where strips, blocks and the order of passes matter: hashes
 * (FNV-1a) of what Pillow 13 makes of mirror, crop, resize. */
START_TEST(pillow_large) {
  json_t *large = t_golden("images.json");
  json_t *v = json_array_get(t_member(large, "resizes"), (size_t)_i);
  sl_image m = hashed((uint32_t)t_int(v, "k"), t_int(v, "h"), t_int(v, "w"));
  json_t *box = t_member(v, "box");
  sl_resize r = whole(&m, t_int(v, "out_h"), t_int(v, "out_w"));
  r.x = t_at(box, 0);
  r.y = t_at(box, 1);
  r.w = t_at(box, 2);
  r.h = t_at(box, 3);
  r.mirror = t_int(v, "mirror");
  sl_image out = {0};
  ck_assert_int_eq(sl_image_resize(&out, r.to_h, r.to_w), SL_OK);
  resample(&m, &r, out.px);
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < (size_t)out.h * (size_t)out.w * 3; i++)
    hash = (hash ^ out.px[i]) * 16777619u;
  ck_assert_uint_eq(hash, (uint32_t)t_number(v, "fnv1a"));
  sl_image_clear(&out);
  sl_image_clear(&m);
  json_decref(large);
}
END_TEST

/* A window is the same bytes as that part of the whole; a stride leaves the
 * bytes between rows alone. */
START_TEST(window_and_stride) {
  sl_image m = hashed(5, 61, 83), all = {0};
  sl_resize r = whole(&m, 40, 48);
  ck_assert_int_eq(sl_image_resize(&all, 40, 48), SL_OK);
  resample(&m, &r, all.px);
  r.cut_y = 7;
  r.cut_x = 11;
  r.out_h = 20;
  r.out_w = 30;
  uint8_t out[20][100];
  memset(out, 0xAB, sizeof out);
  ck_assert_int_eq(sl_resample(resampler, &m, &r, out[0], 100), SL_OK);
  for (int y = 0; y < 20; y++) {
    ck_assert_mem_eq(out[y], all.px + ((7 + y) * 48 + 11) * 3, 90);
    for (int x = 90; x < 100; x++)
      ck_assert_uint_eq(out[y][x], 0xAB);
  }
  sl_image_clear(&all);
  sl_image_clear(&m);
}
END_TEST

START_TEST(extreme_sizes) {
  sl_image m = hashed(6, 1, 700), out = {0};
  memset(m.px, 255, 2100); /* weights sum to 1: white stays white */
  ck_assert_int_eq(sl_image_resize(&out, 300, 300), SL_OK);
  for (int side = 1; side <= 300; side += 299) {
    const sl_resize r = whole(&m, side, side);
    resample(&m, &r, out.px);
    for (int i = 0; i < side * side * 3; i++)
      ck_assert_uint_eq(out.px[i], 255);
  }
  sl_image_clear(&m);
  sl_image_clear(&out);
}
END_TEST

START_TEST(mistakes) {
  sl_image m = hashed(7, 8, 8);
  uint8_t out[64];
  sl_resize r = whole(&m, 4, 4);
  r.x = 1;
  ck_assert_int_eq(sl_resample(resampler, &m, &r, out, 12), SL_EINVAL);
  ck_assert_str_eq(sl_error(), "the box 1,0 8x8 is not inside 8 x 8 pixels");
  r = whole(&m, 4, 4);
  r.cut_x = 1;
  ck_assert_int_eq(sl_resample(resampler, &m, &r, out, 12), SL_EINVAL);
  ck_assert_str_eq(sl_error(), "the window 1,0 4x4 is not inside 4 x 4 pixels");
  sl_image_clear(&m);
}
END_TEST

/* Each allocation of a resize fails once: an error, no leak, and the next
 * attempt works. */
START_TEST(out_of_memory) {
  sl_image m = hashed(8, 20, 20);
  const sl_resize r = whole(&m, 9, 9);
  uint8_t out[9 * 9 * 3];
  int failures = 0;
  for (int n = 1; n <= 4; n++) {
    sl_resampler *s = NULL;
    ck_assert_int_eq(sl_resampler_new(&s), SL_OK);
    sl_alloc_fail_at(n);
    failures += sl_resample(s, &m, &r, out, 27) == SL_ENOMEM;
    sl_alloc_fail_at(0);
    ck_assert_int_eq(sl_resample(s, &m, &r, out, 27), SL_OK);
    sl_resampler_free(s);
  }
  ck_assert_int_eq(failures, 4);
  sl_image_clear(&m);
}
END_TEST

int main(void) {
  Suite *s = suite_create("resample");
  TCase *tc = tcase_create("resample");
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_loop_test(tc, pillow, 0, 9);
  tcase_add_loop_test(tc, pillow_large, 0, 12);
  tcase_add_test(tc, window_and_stride);
  tcase_add_test(tc, extreme_sizes);
  tcase_add_test(tc, mistakes);
  tcase_add_test(tc, out_of_memory);
  suite_add_tcase(s, tc);
  return t_main(s);
}
