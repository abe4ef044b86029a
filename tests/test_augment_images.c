/* test_augment_images.c -- the fused kernel against fastai 2.8 and PyTorch
 * (golden/affine.json) and against a slow sampler written here. */
#include <math.h>
#include <string.h>

#include "augment/augment.h"
#include "augments.h"
#include "support.h"

static json_t *affine;

static void setup(void) {
  affine = t_golden("affine.json");
}

static void teardown(void) {
  json_decref(affine);
}

/* Flip, 10 degrees, zoom 1.1 at (.3, .8), on 4 x 6. */
static sl_mat3 composed(void) {
  const sl_mat3 flip = sl_mat3_dihedral(1), turn = sl_mat3_rotate(10);
  const sl_mat3 zoomed = sl_mat3_zoom(1.1, 0.3, 0.8);
  sl_mat3 m = sl_mat3_mul(&flip, &turn);
  m = sl_mat3_mul(&m, &zoomed);
  return sl_mat3_prepare(&m, 4, 6);
}

/* --- the kernel against the vectors --------------------------------------- */

static const struct {
  const char *key;
  sl_sample mode;
  sl_pad_mode pad;
} samplings[] = {{"reflection", SL_SAMPLE_BILINEAR, SL_PAD_REFLECTION},
                 {"border", SL_SAMPLE_BILINEAR, SL_PAD_BORDER},
                 {"zeros", SL_SAMPLE_BILINEAR, SL_PAD_ZEROS},
                 {"nearest_reflection", SL_SAMPLE_NEAREST, SL_PAD_REFLECTION}};

START_TEST(sampling) {
  json_t *want = t_member(affine, "sample_composed_to_3x5");
  const sl_mat3 view = composed();
  sl_tensor *x = t_hashed_images(3, 2, 4, 6);
  sl_augment_images_opts o = t_pass_defaults();
  o.size = (sl_ints){2, {3, 5}};
  o.mode = (int)samplings[_i].mode;
  o.pad_mode = (int)samplings[_i].pad;
  sl_tensor *y = t_pass(x, t_pass_params(1, &view), &o);
  t_same_images(y, t_member(want, samplings[_i].key), 1e-6, samplings[_i].key);
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

START_TEST(affine_then_warp) {
  const sl_mat3 matrix = composed(), warp = sl_mat3_warp(0.1, -0.15);
  const sl_mat3 view = sl_mat3_mul(&warp, &matrix);
  sl_tensor *x = t_hashed_images(3, 2, 4, 6),
            *y = t_pass(x, t_pass_params(1, &view), NULL);
  t_same_images(y,
                t_member(t_member(affine, "affine_then_warp_same_size"), "out"),
                1e-6, "affine, warp");
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

/* Both as step 2 and as the resizing of a crop. */
START_TEST(resize_with_and_without_prefilter) {
  static const char *const keys[] = {
      "to_8x8 (d=min(23/8,19/8)/2=1.1875>1: area-average to 19x16 first)",
      "to_12x12 (no prefilter)"};
  const int size = _i ? 12 : 8;
  json_t *want = t_member(t_member(affine, "gpu_resize"), keys[_i]);
  sl_tensor *x = t_hashed_images(4, 1, 23, 19);
  sl_augment_images_opts o = t_pass_defaults();
  o.size = (sl_ints){1, {size}};
  o.prefilter = 1;
  sl_tensor *y = t_pass(x, t_pass_params(1, &sl_mat3_identity), &o);
  t_same_images(y, want, 1e-6, "size");
  sl_tensor_release(y);
  o = t_pass_defaults();
  o.crop_size = (sl_ints){1, {size}};
  y = t_pass(x, t_pass_params(1, &sl_mat3_identity), &o);
  t_same_images(y, want, 1e-6, "crop_size");
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

START_TEST(lighting) {
  json_t *all = t_member(affine, "lighting");
  json_t *pixels = t_member(all, "pixels"), *row, *rows = t_member(all, "rows");
  const int n = (int)json_array_size(pixels);
  sl_tensor *x = t_zeros(SL_F32, 4, 1, 1, n, 3);
  for (int i = 0; i < 3 * n; i++)
    sl_f32(x)[i] = (float)t_at(pixels, (size_t)i / 3);
  size_t r;
  json_array_foreach(rows, r, row) {
    const double b = t_number(row, "brightness_change");
    const double c = t_number(row, "contrast");
    sl_tensor *p = t_pass_params(1, &sl_mat3_identity);
    sl_f32(p)[SL_AUGMENT_MUL] = (float)c;
    sl_f32(p)[SL_AUGMENT_ADD] = (float)(sl_brightness_term(b) * c);
    sl_tensor *y = t_pass(x, p, NULL);
    for (int i = 0; i < 3 * n; i++)
      ck_assert_double_eq_tol((double)sl_f32(y)[i],
                              t_at(t_member(row, "out"), (size_t)i / 3), 1e-6);
    sl_tensor_release(y);
  }
  ck_assert_uint_eq(r, 7);
  sl_tensor_release(x);
}
END_TEST

/* The polynomials against libm, over the whole range. */
START_TEST(light_is_accurate) {
  const int n = 4096;
  const float mul = 1.37f, add = -0.61f;
  sl_tensor *x = t_zeros(SL_F32, 4, 1, 1, n, 3);
  for (int i = 0; i < 3 * n; i++)
    sl_f32(x)[i] = (float)i / (float)(3 * n - 1);
  sl_tensor *p = t_pass_params(1, &sl_mat3_identity);
  sl_f32(p)[SL_AUGMENT_MUL] = mul;
  sl_f32(p)[SL_AUGMENT_ADD] = add;
  sl_tensor *y = t_pass(x, p, NULL);
  for (int i = 0; i < 3 * n; i++) {
    const float lo = fmaxf(sl_f32(x)[i], 1e-7f);
    const double v = (double)fminf(lo, 1 - 1e-7f);
    const double l = -log(1 / v - 1) * (double)mul + (double)add;
    ck_assert_double_eq_tol((double)sl_f32(y)[i], 1 / (1 + exp(-l)), 3e-7);
  }
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

START_TEST(saturation_and_hue) {
  sl_tensor *x = t_hashed_images(5, 3, 2, 2);
  sl_tensor *p = t_pass_params(1, &sl_mat3_identity);
  sl_f32(p)[SL_AUGMENT_SATURATION] = 0.7f;
  sl_tensor *y = t_pass(x, p, NULL);
  t_same_images(y, t_member(t_member(affine, "saturation_0.7"), "out"), 1e-6,
                "saturation");
  sl_tensor_release(y);
  p = t_pass_params(1, &sl_mat3_identity);
  sl_f32(p)[SL_AUGMENT_HUE] = 0.05f;
  y = t_pass(x, p, NULL);
  t_same_images(y, t_member(t_member(affine, "hue_plus0.05"), "out"), 1e-6,
                "hue");
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

/* --- the kernel against a slow sampler ------------------------------------ */

static double fold_back(double p, int size, int pad, int align) {
  const double low = align ? 0 : -0.5, span = align ? size - 1 : size;
  if (pad == SL_PAD_REFLECTION && span > 0) {
    p = fmod(fabs(p - low), 2 * span);
    p = low + (p > span ? 2 * span - p : p);
  }
  return pad == SL_PAD_ZEROS ? p : fmin(fmax(p, 0), size - 1);
}

static double pixel(sl_tensor *x, int64_t i, int64_t j, int c) {
  if (i < 0 || j < 0 || i >= x->shape[1] || j >= x->shape[2]) return 0;
  return (double)sl_f32(x)[(i * x->shape[2] + j) * 3 + c];
}

static double grid(int64_t i, int64_t n, int align) {
  if (align) return n == 1 ? 0 : -1 + 2 * (double)i / (double)(n - 1);
  return (2 * (double)i + 1) / (double)n - 1;
}

static double place(double v, int64_t n, int pad, int align) {
  const double p =
      align ? (v + 1) / 2 * (double)(n - 1) : ((v + 1) * (double)n - 1) / 2;
  return fold_back(p, (int)n, pad, align);
}

static double slow(sl_tensor *x, const sl_mat3 *view, int64_t i, int64_t j,
                   int c, const sl_augment_images_opts *o) {
  const double *m = view->m;
  const double u = grid(j, o->size.v[1], o->align_corners);
  const double v = grid(i, o->size.v[0], o->align_corners);
  const double d = m[6] * u + m[7] * v + m[8];
  const double px = place((m[0] * u + m[1] * v + m[2]) / d, x->shape[2],
                          o->pad_mode, o->align_corners);
  const double py = place((m[3] * u + m[4] * v + m[5]) / d, x->shape[1],
                          o->pad_mode, o->align_corners);
  const int64_t x0 = (int64_t)floor(px), y0 = (int64_t)floor(py);
  const double fx = px - (double)x0, fy = py - (double)y0;
  return (pixel(x, y0, x0, c) * (1 - fx) + pixel(x, y0, x0 + 1, c) * fx) *
             (1 - fy) +
         (pixel(x, y0 + 1, x0, c) * (1 - fx) +
          pixel(x, y0 + 1, x0 + 1, c) * fx) *
             fy;
}

static const int sizes[][4] = {{4, 6, 3, 5},     {7, 5, 9, 4}, {1, 1, 3, 2},
                               {1, 8, 2, 5},     {8, 1, 5, 3}, {16, 16, 1, 1},
                               {33, 17, 17, 33}, {2, 2, 31, 7}};

START_TEST(sampling_of_all_sizes) {
  const int *s = sizes[_i];
  const sl_mat3 m = sl_mat3_rotate(25), z = sl_mat3_zoom(0.6, 0.3, 0.8);
  const sl_mat3 both = sl_mat3_mul(&m, &z), warp = sl_mat3_warp(-0.12, 0.17);
  sl_mat3 view = sl_mat3_mul(&warp, &both);
  for (int k = 0; k < 9; k++)
    view.m[k] = (double)(float)view.m[k]; /* as the kernel sees it */
  sl_tensor *x = t_random(7, 0, 1, 4, 1, s[0], s[1], 3);
  for (int pad = SL_PAD_REFLECTION; pad <= SL_PAD_ZEROS; pad++)
    for (int align = 0; align < 2; align++) {
      sl_augment_images_opts o = t_pass_defaults();
      o.size = (sl_ints){2, {s[2], s[3]}};
      o.pad_mode = pad;
      o.align_corners = align;
      sl_tensor *y = t_pass(x, t_pass_params(1, &view), &o);
      for (int i = 0; i < s[2] * s[3] * 3; i++) {
        const double want =
            slow(x, &view, i / 3 / s[3], i / 3 % s[3], i % 3, &o);
        ck_assert_msg(fabs((double)sl_f32(y)[i] - want) < 1e-5,
                      "pad %d, align %d, element %d: %.9g, want %.9g", pad,
                      align, i, (double)sl_f32(y)[i], want);
      }
      sl_tensor_release(y);
    }
  sl_tensor_release(x);
}
END_TEST

/* A horizon in the picture: any value, but no crash and none outside. */
START_TEST(wild_perspective) {
  static const float wild[] = {1e30f, -1e30f, INFINITY, NAN, 0, 1.5f};
  sl_tensor *x = t_random(7, 0, 1, 4, 1, 9, 9, 3);
  for (int pad = SL_PAD_REFLECTION; pad <= SL_PAD_ZEROS; pad++)
    for (int k = 0; k < 54; k++) {
      sl_augment_images_opts o = t_pass_defaults();
      o.pad_mode = pad;
      sl_tensor *p = t_pass_params(1, &sl_mat3_identity);
      sl_f32(p)[k / 6] = wild[k % 6];
      sl_tensor *y = t_pass(x, p, &o);
      for (int i = 0; i < 243; i++)
        ck_assert(sl_f32(y)[i] >= -1e-6f && sl_f32(y)[i] <= 1 + 1e-6f);
      sl_tensor_release(y);
    }
  sl_tensor_release(x);
}
END_TEST

/* A mirror is exact, to the bit, in either form of pixel. */
START_TEST(mirror_is_exact) {
  const sl_mat3 flip = sl_mat3_dihedral(1);
  sl_tensor *x = t_zeros(SL_U8, 4, 1, 5, 460, 3);
  t_hash_pixels(11, 5 * 460 * 3, sl_u8(x));
  sl_tensor *y = t_pass(x, t_pass_params(1, &flip), NULL);
  for (int i = 0; i < 5 * 460; i++)
    for (int c = 0; c < 3; c++) {
      const int from = (i / 460) * 460 + 459 - i % 460;
      ck_assert(sl_f32(y)[3 * i + c] == (float)sl_u8(x)[3 * from + c] / 255.0f);
    }
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

/* A crop is the window of the whole, with and without a view before it. */
START_TEST(crop_is_a_window) {
  const sl_mat3 turn = sl_mat3_rotate(20);
  const sl_mat3 *view = _i ? &turn : &sl_mat3_identity;
  sl_tensor *x = t_random(3, 0, 1, 4, 2, 12, 10, 3);
  sl_augment_images_opts o = t_pass_defaults();
  sl_tensor *whole = t_pass(x, t_pass_params(2, view), &o);
  o.crop = (sl_ints){4, {3, 2, 6, 7}};
  sl_tensor *part = t_pass(x, t_pass_params(2, view), &o);
  for (int n = 0; n < 2; n++)
    for (int i = 0; i < 6; i++)
      for (int j = 0; j < 7 * 3; j++)
        ck_assert(fabsf(sl_f32(part)[(n * 6 + i) * 21 + j] -
                        sl_f32(whole)[(n * 12 + i + 3) * 30 + 6 + j]) < 2e-6f);
  sl_tensor_release(part);
  sl_tensor_release(whole);
  sl_tensor_release(x);
}
END_TEST

/* --- kernel: normalise, noise, dtypes, errors ----------------------------- */

START_TEST(normalise) {
  json_t *want = t_member(affine, "normalize_imagenet");
  const float stats[] = {0.485f, 0.456f, 0.406f, 0.229f, 0.224f, 0.225f};
  sl_tensor *x = t_zeros(SL_F32, 4, 1, 1, 1, 3), *s = t_f32(stats, 2, 2, 3);
  sl_tensor *p = t_pass_params(1, &sl_mat3_identity);
  for (size_t c = 0; c < 3; c++)
    sl_f32(x)[c] = (float)t_at(t_member(want, "in"), c);
  sl_tensor *y = t_run(SL_OP_augment_images, NULL, 3, x, p, s);
  for (size_t c = 0; c < 3; c++)
    ck_assert_double_eq_tol((double)sl_f32(y)[c],
                            t_at(t_member(want, "out"), c), 1e-6);
  sl_tensor_release(y);
  sl_tensor_release(p);
  sl_tensor_release(s);
  sl_tensor_release(x);
}
END_TEST

START_TEST(statistics_of_a_batch) {
  json_t *want = t_member(affine, "normalize_from_batch");
  sl_tensor *x = t_zeros(SL_F32, 4, 2, 4, 5, 3);
  for (uint32_t j = 0; j < 120; j++) { /* (2, 3, 4, 5) -> (2, 4, 5, 3) */
    const uint32_t n = j / 60, c = j / 20 % 3, at = j % 20;
    sl_f32(x)[(n * 20 + at) * 3 + c] =
        (float)((2 * t_hash(6, j) - 1) * 0.5) + 0.5f;
  }
  double mean[3], std[3];
  ck_assert_int_eq(sl_image_statistics(x, mean, std), SL_OK);
  for (size_t c = 0; c < 3; c++) {
    ck_assert_double_eq_tol(mean[c], t_at(t_member(want, "mean"), c), 1e-6);
    ck_assert_double_eq_tol(std[c], t_at(t_member(want, "std_plus_1e-7"), c),
                            1e-6);
  }
  sl_tensor_release(x);
}
END_TEST

START_TEST(noise_in_boxes) {
  enum { N = 4, S = 64 };
  const int32_t boxes[] = {10, 20, 40, 30, 60, 60, 9, 9}; /* one overhangs */
  const int32_t items[] = {5, 6, 7, 5};
  sl_tensor *x = t_zeros(SL_U8, 4, N, S, S, 3);
  sl_tensor *b = t_i32(boxes, 2, 2, 4), *it = t_i32(items, 1, N);
  sl_tensor *p = t_pass_params(N, &sl_mat3_identity);
  sl_augment_images_opts o = t_pass_defaults();
  o.seed = 3;
  o.use = 0x180;
  sl_tensor *y = t_run(SL_OP_augment_images, &o, 5, x, p, NULL, b, it);
  const float *v = sl_f32(y);
  double sum = 0, squares = 0, product = 0;
  int64_t n = 0;
  for (int64_t k = 0; k < N * S * S * 3; k++) {
    const int64_t i = k / (S * 3) % S, j = k / 3 % S;
    const int inside =
        (i >= 10 && i < 50 && j >= 20 && j < 50) || (i >= 60 && j >= 60);
    ck_assert(inside == (v[k] != 0));
    if (!inside || k >= 3 * S * S * 3) continue; /* image 4 repeats image 1 */
    n++;
    sum += (double)v[k];
    squares += (double)(v[k] * v[k]);
    product += (double)(v[k] * v[k + 1]);
  }
  ck_assert_int_eq(n, 3 * (40 * 30 + 16) * 3);
  ck_assert_double_eq_tol(sum / (double)n, 0, 0.04);
  ck_assert_double_eq_tol(squares / (double)n, 1, 0.06);
  ck_assert_double_eq_tol(product / (double)n, 0, 0.04);
  ck_assert(memcmp(v, v + 3 * S * S * 3, S * S * 3 * sizeof *v) == 0);
  ck_assert(memcmp(v, v + S * S * 3, S * S * 3 * sizeof *v) != 0);
  sl_tensor_release(y);
  sl_tensor_release(p);
  sl_tensor_release(it);
  sl_tensor_release(b);
  sl_tensor_release(x);
}
END_TEST

START_TEST(bf16_is_the_rounded_result) {
  const sl_mat3 view = sl_mat3_rotate(8);
  sl_tensor *x = t_random(3, 0, 1, 4, 2, 9, 11, 3);
  sl_augment_images_opts o = t_pass_defaults();
  sl_tensor *y = t_pass(x, t_pass_params(2, &view), &o);
  o.dtype = SL_BF16;
  sl_tensor *z = t_pass(x, t_pass_params(2, &view), &o);
  ck_assert_int_eq(z->dtype, SL_BF16);
  for (int i = 0; i < 2 * 9 * 11 * 3; i++)
    ck_assert_int_eq(sl_b16(z)[i], sl_bf16_from_f32(sl_f32(y)[i]));
  sl_tensor_release(z);
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

START_TEST(kernel_errors) {
  const sl_op_id id = SL_OP_augment_images;
  sl_tensor *x = t_zeros(SL_U8, 4, 1, 4, 4, 3), *p = t_zeros(SL_F32, 2, 1, 13);
  sl_tensor *grey = t_zeros(SL_U8, 4, 1, 4, 4, 1);
  sl_tensor *none = t_zeros(SL_U8, 4, 0, 4, 4, 3);
  sl_tensor *boxes = t_zeros(SL_I32, 2, 1, 4);
  t_fails("(N, H, W, 3), not u8 (1, 4, 4, 1)", id, NULL, 2, grey, p);
  t_fails("images are empty", id, NULL, 2, none, p);
  t_fails("params must be f32 (1, 13), not u8", id, NULL, 2, x, x);
  t_fails("stats must be f32 (2, 3)", id, NULL, 3, x, p, p);
  t_fails("boxes need items", id, NULL, 4, x, p, NULL, boxes);
  t_fails("items must be i32 (1)", id, NULL, 5, x, p, NULL, boxes, boxes);
  sl_augment_images_opts o = t_pass_defaults();
  o.crop = (sl_ints){4, {2, 2, 3, 2}};
  t_fails("crop of 3 x 2 at 2, 2 is not inside 4 x 4", id, &o, 2, x, p);
  o.crop.n = 2;
  t_fails("{top, left, height, width}", id, &o, 2, x, p);
  o = t_pass_defaults();
  o.dtype = SL_U8;
  t_fails("dtype must be f32 or bf16, not u8", id, &o, 2, x, p);
  sl_tensor_release(boxes);
  sl_tensor_release(none);
  sl_tensor_release(grey);
  sl_tensor_release(p);
  sl_tensor_release(x);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("augment_images", &tc);
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_loop_test(tc, sampling, 0, 4);
  tcase_add_test(tc, affine_then_warp);
  tcase_add_loop_test(tc, resize_with_and_without_prefilter, 0, 2);
  tcase_add_test(tc, lighting);
  tcase_add_test(tc, light_is_accurate);
  tcase_add_test(tc, saturation_and_hue);
  tcase_add_loop_test(tc, sampling_of_all_sizes, 0, 8);
  tcase_add_test(tc, wild_perspective);
  tcase_add_test(tc, mirror_is_exact);
  tcase_add_loop_test(tc, crop_is_a_window, 0, 2);
  tcase_add_test(tc, normalise);
  tcase_add_test(tc, statistics_of_a_batch);
  tcase_add_test(tc, noise_in_boxes);
  tcase_add_test(tc, bf16_is_the_rounded_result);
  tcase_add_test(tc, kernel_errors);
  return t_main(s);
}
