/* test_augment_draw.c -- matrices, perspective, boxes and light of the batch
 * transforms against fastai 2.8 (golden/affine.json, golden/resize.json), and
 * the geometry that nobody gave us numbers for. */
#include <math.h>
#include <string.h>

#include "augment/draw.h"
#include "golden.h"
#include "support.h"

static json_t *affine, *resize;

static void setup(void) {
  affine = t_golden("affine.json");
  resize = t_golden("resize.json");
}

static void teardown(void) {
  json_decref(affine);
  json_decref(resize);
}

/* The first rows of m; a vector has 2 or 3 rows of 3. */
static void same_matrix(const sl_mat3 *m, json_t *want, const char *what) {
  for (size_t i = 0; i < json_array_size(want); i++)
    for (size_t j = 0; j < 3; j++)
      ck_assert_msg(fabs(m->m[3 * i + j] - t_at(json_array_get(want, i), j)) <=
                        1e-6,
                    "%s: [%zu][%zu] is %.9g", what, i, j, m->m[3 * i + j]);
}

/* --- matrices ------------------------------------------------------------- */

START_TEST(rotation) {
  json_t *row, *rows = t_member(affine, "rotate_mat");
  size_t i;
  json_array_foreach(rows, i, row) {
    const sl_mat3 m = sl_mat3_rotate(t_number(row, "deg"));
    const sl_mat3 wide = sl_mat3_prepare(&m, 4, 6);
    same_matrix(&m, t_member(row, "mat"), "rotation");
    same_matrix(&wide, t_member(row, "prepared_h4_w6"), "prepared");
  }
  ck_assert_uint_eq(i, 3);
}
END_TEST

START_TEST(zoom) {
  json_t *row, *rows = t_member(affine, "zoom_mat");
  size_t i;
  json_array_foreach(rows, i, row) {
    const sl_mat3 m =
        sl_mat3_zoom(t_number(row, "zoom"), t_number(row, "col_pct"),
                     t_number(row, "row_pct"));
    same_matrix(&m, t_member(row, "mat"), "zoom");
  }
  ck_assert_uint_eq(i, 4);
}
END_TEST

START_TEST(dihedral) {
  json_t *row, *rows = t_member(affine, "dihedral_mat");
  size_t i;
  json_array_foreach(rows, i, row) {
    const sl_mat3 m = sl_mat3_dihedral(t_int(row, "k"));
    same_matrix(&m, t_member(row, "mat"), "dihedral");
  }
  ck_assert_uint_eq(i, 8);
  const sl_mat3 flip = sl_mat3_dihedral(1);
  same_matrix(&flip, t_member(t_member(affine, "flip_mat"), "draw1"), "flip");
}
END_TEST

static sl_mat3 composed(void) {
  const sl_mat3 flip = sl_mat3_dihedral(1), turn = sl_mat3_rotate(10);
  const sl_mat3 zoomed = sl_mat3_zoom(1.1, 0.3, 0.8);
  const sl_mat3 m = sl_mat3_mul(&flip, &turn);
  return sl_mat3_mul(&m, &zoomed);
}

START_TEST(composition) {
  json_t *want = t_member(affine, "composed_flip_rot10_zoom1.1_.3_.8");
  const sl_mat3 m = composed();
  const sl_mat3 wide = sl_mat3_prepare(&m, 4, 6);
  const sl_mat3 square = sl_mat3_prepare(&m, 5, 5);
  same_matrix(&m, t_member(want, "mat3x3"), "composed");
  same_matrix(&wide, t_member(want, "prepared_h4_w6"), "prepared");
  same_matrix(&square, t_member(want, "prepared_square"), "square");
}
END_TEST

/* --- perspective ---------------------------------------------------------- */

static void through(const sl_mat3 *a, const double *p, double *out) {
  const double *m = a->m, d = m[6] * p[0] + m[7] * p[1] + m[8];
  out[0] = (m[0] * p[0] + m[1] * p[1] + m[2]) / d;
  out[1] = (m[3] * p[0] + m[4] * p[1] + m[5]) / d;
}

static const struct {
  const char *key;
  double mx, my;
} warps[] = {{"warp_mx0.2_my0.0", 0.2, 0},
             {"warp_mx0.0_my0.2", 0, 0.2},
             {"warp_mx0.1_my-0.15", 0.1, -0.15}};

START_TEST(perspective) {
  json_t *want = t_member(affine, warps[_i].key);
  json_t *in = t_member(want, "points_in"), *out = t_member(want, "points_out");
  const sl_mat3 m = sl_mat3_warp(warps[_i].mx, warps[_i].my);
  for (size_t k = 0; k < 8; k++)
    ck_assert_double_eq_tol(m.m[k], t_at(t_member(want, "coeffs8"), k), 1e-6);
  for (size_t i = 0; i < json_array_size(in); i++) {
    json_t *a = json_array_get(in, i), *b = json_array_get(out, i);
    const double p[2] = {t_at(a, 0), t_at(a, 1)};
    double got[2];
    through(&m, p, got);
    ck_assert_double_eq_tol(got[0], t_at(b, 0), 1e-6);
    ck_assert_double_eq_tol(got[1], t_at(b, 1), 1e-6);
  }
}
END_TEST

START_TEST(no_perspective_is_exactly_the_identity) {
  const sl_mat3 m = sl_mat3_warp(0, 0);
  for (int i = 0; i < 9; i++)
    ck_assert(m.m[i] == (i % 4 == 0));
}
END_TEST

/* Corners against a fine grid. */
START_TEST(extent_of_a_grid) {
  const sl_mat3 w = sl_mat3_warp(0.1, -0.15), c = composed();
  const sl_mat3 m = sl_mat3_mul(&w, &c);
  double lo = HUGE_VAL, hi = -HUGE_VAL, all_lo = HUGE_VAL, all_hi = -HUGE_VAL;
  sl_mat3_extent(&m, 33, 65, 1, &lo, &hi);
  for (int i = 0; i < 33; i++)
    for (int j = 0; j < 65; j++) {
      const double p[2] = {-1 + j / 32., -1 + i / 16.};
      double q[2];
      through(&m, p, q);
      all_lo = fmin(all_lo, fmin(q[0], q[1]));
      all_hi = fmax(all_hi, fmax(q[0], q[1]));
    }
  ck_assert_double_eq_tol(lo, all_lo, 1e-12);
  ck_assert_double_eq_tol(hi, all_hi, 1e-12);
  lo = HUGE_VAL, hi = -HUGE_VAL;
  sl_mat3_extent(&sl_mat3_identity, 4, 8, 0, &lo, &hi);
  ck_assert_double_eq_tol(hi, 1 - 1. / 8, 1e-12);
  ck_assert_double_eq_tol(lo, -hi, 1e-12);
}
END_TEST

/* --- boxes ---------------------------------------------------------------- */

static sl_crop_opts crop_of(json_t *row) {
  sl_crop_opts o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_CROP, &o);
  o.ratio.n = 2;
  for (size_t i = 0; i < 2; i++)
    o.ratio.v[i] = t_at(t_member(row, "ratio"), i);
  return o;
}

START_TEST(crop_in_validation) {
  json_t *row, *rows = t_member(resize, "rrc_gpu_valid");
  size_t i;
  json_array_foreach(rows, i, row) {
    sl_crop_opts o = crop_of(row);
    o.valid_scale = t_number(row, "valid_scale");
    const sl_box b = sl_crop_valid(&o, t_int(row, "h"), t_int(row, "w"));
    json_t *size = t_member(row, "cp_hw"), *tl = t_member(row, "tl_yx");
    ck_assert_int_eq(b.h, (int)t_at(size, 0));
    ck_assert_int_eq(b.w, (int)t_at(size, 1));
    ck_assert_int_eq(b.top, (int)t_at(tl, 0));
    ck_assert_int_eq(b.left, (int)t_at(tl, 1));
  }
  ck_assert_uint_eq(i, 4);
}
END_TEST

START_TEST(crop_in_training) {
  json_t *row, *rows = t_member(resize, "rrc_draws");
  size_t i;
  json_array_foreach(rows, i, row) {
    sl_crop_opts o = crop_of(row);
    sl_box b;
    o.min_scale = t_number(row, "min_scale");
    o.max_scale = t_number(row, "max_scale");
    const int fits =
        sl_crop_try(&o, t_int(row, "h"), t_int(row, "w"),
                    t_number(row, "u_area"), t_number(row, "u_ratio"), &b);
    ck_assert_int_eq(b.h, t_int(row, "nh"));
    ck_assert_int_eq(b.w, t_int(row, "nw"));
    ck_assert_int_eq(fits, json_is_true(t_member(row, "accepted")));
  }
  ck_assert_uint_eq(i, 5);
}
END_TEST

START_TEST(drawn_crops_lie_inside_and_reach_the_borders) {
  sl_crop_opts o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_CROP, &o);
  sl_rng r = sl_rng_at(1, 2, 3, SL_RNG_BATCH);
  int at_top = 0, at_bottom = 0;
  for (int i = 0; i < 2000; i++) {
    const sl_box b = sl_crop_draw(&o, 20, 30, &r);
    ck_assert(b.top >= 0 && b.left >= 0 && b.h > 0 && b.w > 0);
    ck_assert(b.top + b.h <= 20 && b.left + b.w <= 30);
    at_top += b.top == 0 && b.h < 20;
    at_bottom += b.top + b.h == 20 && b.h < 20;
  }
  ck_assert_int_gt(at_top, 50);
  ck_assert_int_gt(at_bottom, 50);
}
END_TEST

/* No crop of the wanted shape can fit: the middle is taken. */
START_TEST(crop_that_never_fits) {
  sl_crop_opts o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_CROP, &o);
  o.min_scale = 1;
  o.ratio = (sl_numbers){2, {1, 1}};
  sl_rng r = sl_rng_at(1, 2, 3, SL_RNG_BATCH);
  const sl_box b = sl_crop_draw(&o, 20, 31, &r);
  ck_assert(b.top == 0 && b.left == 5 && b.h == 20 && b.w == 20);
}
END_TEST

START_TEST(prefilter_sizes) {
  json_t *row, *rows = t_member(resize, "gpu_prefilter_sizes");
  size_t i;
  json_array_foreach(rows, i, row) {
    const int in = t_int(row, "in"), out = t_int(row, "out");
    json_t *want = t_member(row, "prefilter_to");
    int64_t h, w;
    const double d = sl_prefilter_size(in, in, out, &h, &w);
    ck_assert_double_eq_tol(d, t_number(row, "d"), 1e-12);
    ck_assert_int_eq(h, json_is_null(want) ? in : json_integer_value(want));
    ck_assert_int_eq(w, h);
  }
  ck_assert_uint_eq(i, 8);
}
END_TEST

START_TEST(erasing_boxes) {
  json_t *all = t_member(resize, "random_erasing_boxes");
  json_t *row, *rows = t_member(all, "rows");
  sl_erasing_opts o;
  size_t i;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_ERASING, &o);
  json_array_foreach(rows, i, row) {
    const int h = t_int(row, "h"), w = t_int(row, "w");
    const double u[2] = {t_number(row, "u_area"), t_number(row, "u_aspect")};
    const int count = t_int(row, "count");
    json_t *rs = t_member(row, "rows"), *cs = t_member(row, "cols");
    const sl_box first = sl_erasing_box(&o, h, w, count, u[0], u[1], 0, 0);
    ck_assert_int_eq(first.h, t_int(row, "bound_h"));
    ck_assert_int_eq(first.w, t_int(row, "bound_w"));
    ck_assert(first.top == 0 && first.left == 0);
    ck_assert_int_eq(first.h, (int)(t_at(rs, 1) - t_at(rs, 0)));
    ck_assert_int_eq(first.w, (int)(t_at(cs, 1) - t_at(cs, 0)));
    const double end = 1 - 0x1p-53;
    const sl_box last = sl_erasing_box(&o, h, w, count, u[0], u[1], end, end);
    ck_assert_int_eq(last.top + last.h, h); /* all boxes here fit */
    ck_assert_int_eq(last.left + last.w, w);
  }
  ck_assert_uint_eq(i, 3);
}
END_TEST

/* --- light ---------------------------------------------------------------- */

START_TEST(light) {
  ck_assert_double_eq_tol(sl_brightness_term(0.5), 0, 1e-15);
  ck_assert_double_eq_tol(sl_brightness_term(0.6), log(0.6 / 0.4), 1e-12);
  ck_assert_double_eq_tol(sl_light_factor(0.2, 0), 0.8, 1e-12);
  ck_assert_double_eq_tol(sl_light_factor(0.2, 1), 1.25, 1e-12);
  ck_assert_double_eq_tol(sl_light_factor(0.2, 0.5), 1, 1e-12);
}
END_TEST

START_TEST(names_and_defaults) {
  ck_assert_int_eq(sl_batch_transform_find("Hue"), SL_BATCH_TRANSFORM_HUE);
  ck_assert_int_eq(sl_batch_transform_find("Huge"), -1);
  ck_assert(strstr(sl_error(), "no batch transform 'Huge'") != NULL);
  sl_aug_opts o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  ck_assert(o.max_rotate == 10 && o.max_zoom == 1.1 && o.p_affine == 0.75);
  ck_assert(o.do_flip && !o.flip_vert && o.align_corners && o.size.n == 0);
  for (int i = 0; i < SL_BATCH_TRANSFORM_COUNT; i++)
    ck_assert_uint_le(sl_batch_transforms[i].opts_size, SL_OP_MAX_OPTS);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("augment_draw", &tc);
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, rotation);
  tcase_add_test(tc, zoom);
  tcase_add_test(tc, dihedral);
  tcase_add_test(tc, composition);
  tcase_add_loop_test(tc, perspective, 0, 3);
  tcase_add_test(tc, no_perspective_is_exactly_the_identity);
  tcase_add_test(tc, extent_of_a_grid);
  tcase_add_test(tc, crop_in_validation);
  tcase_add_test(tc, crop_in_training);
  tcase_add_test(tc, drawn_crops_lie_inside_and_reach_the_borders);
  tcase_add_test(tc, crop_that_never_fits);
  tcase_add_test(tc, prefilter_sizes);
  tcase_add_test(tc, erasing_boxes);
  tcase_add_test(tc, light);
  tcase_add_test(tc, names_and_defaults);
  return t_main(s);
}
