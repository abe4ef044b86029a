/* test_augment.c -- lists of batch transforms: probabilities, order, what names
 * a draw, validation, statistics. */
#include "augment/augment.h"

#include <math.h>
#include <string.h>

#include "augments.h"
#include "base/alloc.h"
#include "base/threads.h"
#include "support.h"

static json_t *affine;

static void setup(void) {
  affine = t_golden("affine.json");
}

static void teardown(void) {
  json_decref(affine);
}

/* --- lists of transforms -------------------------------------------------- */

static sl_augment *new_list(void) {
  sl_augment *a = NULL;
  ck_assert_int_eq(sl_augment_new(&a), SL_OK);
  return a;
}

static void add(sl_augment *a, sl_batch_transform_id id, const void *opts) {
  ck_assert_msg(sl_augment_add(a, id, opts) == SL_OK, "%s", sl_error());
}

static sl_augment *list_of(sl_batch_transform_id id, const void *opts) {
  sl_augment *a = new_list();
  add(a, id, opts);
  return a;
}

static void not_added(sl_augment *a, sl_batch_transform_id id, const void *opts,
                      const char *want) {
  ck_assert_int_eq(sl_augment_add(a, id, opts), SL_EINVAL);
  ck_assert_msg(strstr(sl_error(), want) != NULL, "%s", sl_error());
}

static const uint32_t *rows(void) {
  static uint32_t r[10000];
  for (uint32_t i = 0; i < 10000; i++)
    r[i] = i;
  return r;
}

static sl_tensor *apply(const sl_augment *a, sl_tensor *x,
                        sl_augment_batch batch) {
  sl_tensor *out = NULL;
  if (!batch.items) batch.items = rows();
  ck_assert_msg(sl_augment_apply(a, x, &batch, SL_F32, &out) == SL_OK, "%s",
                sl_error());
  return out;
}

static const sl_augment_batch train = {.seed = 1, .epoch = 2, .train = 1};

/* Images whose red is x and whose green is y, in [-1, 1] mapped to [0, 1]:
 * sampled ones tell where they were sampled. */
enum { MANY = 10000, SIDE = 5 };
static sl_tensor *coordinates(void) {
  sl_tensor *x = t_zeros(SL_F32, 4, MANY, SIDE, SIDE, 3);
  for (int64_t i = 0; i < (int64_t)MANY * SIDE * SIDE; i++) {
    sl_f32(x)[3 * i] = (float)(i % SIDE) / (SIDE - 1);
    sl_f32(x)[3 * i + 1] = (float)(i / SIDE % SIDE) / (SIDE - 1);
  }
  return x;
}

/* What image n saw at output row i, column j. */
static void seen(sl_tensor *y, int64_t n, int i, int j, double *at) {
  const float *p = sl_f32(y) + ((n * SIDE + i) * SIDE + j) * 3;
  at[0] = 2 * (double)p[0] - 1;
  at[1] = 2 * (double)p[1] - 1;
}

START_TEST(half_are_flipped) {
  sl_sampling o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_FLIP, &o);
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_FLIP, &o);
  sl_tensor *x = coordinates(), *y = apply(a, x, train);
  int flipped = 0;
  for (int64_t n = 0; n < MANY; n++) {
    double at[2];
    seen(y, n, 0, 0, at);
    ck_assert(at[0] == 1 || at[0] == -1);
    ck_assert(at[1] == -1);
    flipped += at[0] == 1;
  }
  ck_assert_int_ge(flipped, 4800); /* 4 sigma: 200 */
  ck_assert_int_le(flipped, 5200);
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

/* All eight with p = 1: each an eighth. Told by two corners. */
START_TEST(dihedral_is_one_of_eight) {
  sl_sampling o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_DIHEDRAL, &o);
  o.p = 1;
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_DIHEDRAL, &o);
  sl_tensor *x = coordinates(), *y = apply(a, x, train);
  int count[16] = {0};
  for (int64_t n = 0; n < MANY; n++) {
    double p[2], q[2];
    seen(y, n, 0, 0, p);
    seen(y, n, 0, SIDE - 1, q);
    count[(p[0] > 0) * 8 + (p[1] > 0) * 4 + (q[0] > 0) * 2 + (q[1] > 0)]++;
  }
  int kinds = 0;
  for (int i = 0; i < 16; i++) {
    if (count[i] == 0) continue;
    kinds++;
    ck_assert_int_ge(count[i], 1100); /* 1250, 4 sigma: 132 */
    ck_assert_int_le(count[i], 1400);
  }
  ck_assert_int_eq(kinds, 8);
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

/* Mean, range and share of zeros of what was drawn: uniform in [-1, 1] after
 * scaling, with probability p. */
typedef struct tally {
  double sum, lo, hi;
  int n, neutral;
} tally;

static void count_in(tally *t, double v) {
  t->n++;
  if (fabs(v) < 1e-5) {
    t->neutral++;
    return;
  }
  t->sum += v;
  t->lo = fmin(t->lo, v);
  t->hi = fmax(t->hi, v);
}

static void is_uniform(const tally *t, double p, const char *what) {
  const int applied = t->n - t->neutral;
  ck_assert_msg(fabs((double)applied / t->n - p) < 0.02, "%s: applied to %d",
                what, applied);
  ck_assert_msg(fabs(t->sum / applied) < 0.03, "%s: mean %g", what,
                t->sum / applied);
  ck_assert_msg(t->lo < -0.99 && t->lo >= -1.0001, "%s: from %g", what, t->lo);
  ck_assert_msg(t->hi > 0.99 && t->hi <= 1.0001, "%s: to %g", what, t->hi);
}

START_TEST(rotations) {
  sl_rotate_opts o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_ROTATE, &o);
  o.s.p = 0.75;
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_ROTATE, &o);
  sl_tensor *x = coordinates(), *y = apply(a, x, train);
  tally t = {0};
  for (int64_t n = 0; n < MANY; n++) {
    double at[2];
    seen(y, n, 2, 3, at); /* output (0.5, 0) sees (cos / 2, -sin / 2) */
    count_in(&t, -atan2(at[1], at[0]) * 180 / M_PI / 10);
  }
  is_uniform(&t, 0.75, "rotation");
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

START_TEST(zooms) {
  sl_zoom_opts o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_ZOOM, &o);
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_ZOOM, &o);
  sl_tensor *x = coordinates(), *y = apply(a, x, train);
  tally t = {0};
  double furthest = 0;
  for (int64_t n = 0; n < MANY; n++) {
    double left[2], right[2];
    seen(y, n, 2, 0, left);
    seen(y, n, 2, 4, right);
    const double s = (right[0] - left[0]) / 2, zoom = 1 / s;
    const double middle = (right[0] + left[0]) / 2;
    ck_assert(fabs(middle) <= 1 - s + 1e-5);
    furthest = fmax(furthest, fabs(middle));
    count_in(&t, s < 1 - 1e-5 ? (zoom - 1.05) / 0.05 : 0);
  }
  is_uniform(&t, 0.5, "zoom");
  ck_assert_double_gt(furthest, 0.08);
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

/* mx and my are masked separately. The middle of the output sees
 * (h2, h5) / 1: (-mx, -my) when one of them is 0. */
START_TEST(perspectives) {
  sl_warp_opts o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_WARP, &o);
  o.s.p = 0.75;
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_WARP, &o);
  sl_tensor *x = coordinates(), *y = apply(a, x, train);
  int both = 0, one = 0, none = 0;
  tally t = {0};
  for (int64_t n = 0; n < MANY; n++) {
    double at[2];
    seen(y, n, 2, 2, at);
    const int mx = fabs(at[0]) > 1e-5, my = fabs(at[1]) > 1e-5;
    both += mx && my;
    one += mx != my;
    none += !mx && !my;
    if (!my) count_in(&t, -at[0] / 0.2);
  }
  ck_assert_double_eq_tol(both, MANY * 0.5625, 250);
  ck_assert_double_eq_tol(one, MANY * 0.375, 250);
  ck_assert_double_eq_tol(none, MANY * 0.0625, 150);
  ck_assert_double_eq_tol((double)t.neutral / t.n, 0.25, 0.04);
  ck_assert(t.lo < -0.97 && t.lo > -1.001 && t.hi > 0.97 && t.hi < 1.001);
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

static double logit_of(float y) {
  return -log(1 / (double)y - 1);
}

/* One pixel an image: red 0.5, green 0.8. */
static sl_tensor *two_tones(void) {
  sl_tensor *x = t_zeros(SL_F32, 4, MANY, 1, 1, 3);
  for (int i = 0; i < MANY; i++) {
    sl_f32(x)[3 * i] = 0.5f;
    sl_f32(x)[3 * i + 1] = 0.8f;
  }
  return x;
}

START_TEST(brightness_then_contrast) {
  sl_light_opts o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_BRIGHTNESS, &o);
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_BRIGHTNESS, &o);
  add(a, SL_BATCH_TRANSFORM_CONTRAST, &o);
  sl_tensor *x = two_tones(), *y = apply(a, x, train);
  tally contrast = {0}, brightness = {0};
  for (int64_t n = 0; n < MANY; n++) {
    const double red = logit_of(sl_f32(y)[3 * n]);
    const double c = (logit_of(sl_f32(y)[3 * n + 1]) - red) / log(4);
    const double term = red / c; /* brightness comes first */
    count_in(&contrast, fabs(c - 1) < 1e-5 ? 0 : log(c) / -log(0.8));
    count_in(&brightness,
             fabs(term) < 1e-5 ? 0 : (1 / (1 + exp(-term)) - 0.5) / 0.1);
  }
  is_uniform(&contrast, 0.75, "contrast");
  is_uniform(&brightness, 0.75, "brightness");
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

START_TEST(hue_and_saturation_are_drawn) {
  sl_light_opts o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_HUE, &o);
  ck_assert(o.amount == 0.1);
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_HUE, &o);
  sl_tensor *x = two_tones(), *y = apply(a, x, train);
  int same = 0;
  for (int64_t n = 0; n < MANY; n++)
    same += memcmp(sl_f32(x) + 3 * n, sl_f32(y) + 3 * n, 12) == 0;
  ck_assert_double_eq_tol(same, MANY * 0.25, 200);
  sl_tensor_release(y);
  sl_augment_free(a);
  a = list_of(SL_BATCH_TRANSFORM_SATURATION, &o);
  y = apply(a, x, train);
  same = 0;
  for (int64_t n = 0; n < MANY; n++)
    same += memcmp(sl_f32(x) + 3 * n, sl_f32(y) + 3 * n, 12) == 0;
  ck_assert_double_eq_tol(same, MANY * 0.25, 200);
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

/* --- which draws ---------------------------------------------------------- */

static sl_aug_opts usual(void) {
  sl_aug_opts o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  return o;
}

static sl_tensor *photos(int n, int h, int w) {
  sl_tensor *x = t_zeros(SL_U8, 4, n, h, w, 3);
  t_hash_pixels(9, (size_t)sl_tensor_count(x), sl_u8(x));
  return x;
}

static int same_bits(sl_tensor *a, sl_tensor *b) {
  return sl_tensor_same_shape(a, b) &&
         memcmp(sl_data(a), sl_data(b), sl_tensor_bytes(a)) == 0;
}

/* aug_transforms, the chapter's way, with everything else switched on. */
static sl_augment *everything(void) {
  static const sl_normalize_opts stats = {{3, {0.5, 0.4, 0.3}},
                                          {3, {0.2, 0.3, 0.25}}};
  sl_aug_opts o = usual();
  sl_light_opts light = {0.75, 0.1, 0};
  sl_erasing_opts box = {1, 0.05, 0.3, 0.3, 3};
  o.size = (sl_ints){1, {20}};
  o.min_scale = 0.75;
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  add(a, SL_BATCH_TRANSFORM_SATURATION, &light);
  add(a, SL_BATCH_TRANSFORM_HUE, &light);
  add(a, SL_BATCH_TRANSFORM_NORMALIZE, &stats);
  add(a, SL_BATCH_TRANSFORM_ERASING, &box);
  return a;
}

START_TEST(same_bits_with_any_number_of_threads) {
  sl_augment *a = everything();
  sl_tensor *x = photos(7, 50, 47);
  ck_assert_int_eq(sl_pool_resize(1), SL_OK);
  sl_tensor *one = apply(a, x, train);
  ck_assert_int_eq(sl_pool_resize(4), SL_OK);
  sl_tensor *four = apply(a, x, train);
  ck_assert(same_bits(one, four));
  sl_tensor_release(four);
  sl_tensor_release(one);
  sl_tensor_release(x);
  sl_augment_free(a);
  sl_pool_stop();
}
END_TEST

START_TEST(seed_epoch_and_pass_change_the_draws) {
  sl_augment *a = everything();
  sl_tensor *x = photos(3, 30, 30), *y = apply(a, x, train);
  sl_augment_batch others[3] = {train, train, train};
  others[0].seed++;
  others[1].epoch++;
  others[2].pass++;
  for (int i = 0; i < 3; i++) {
    sl_tensor *z = apply(a, x, others[i]);
    ck_assert(!same_bits(y, z));
    sl_tensor_release(z);
  }
  sl_tensor *again = apply(a, x, train);
  ck_assert(same_bits(y, again));
  sl_tensor_release(again);
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

/* An image's draws go with its row, not with its place in the batch. */
START_TEST(draws_follow_the_item) {
  sl_aug_opts o = usual();
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  sl_tensor *x = photos(2, 16, 16), *swapped = photos(2, 16, 16);
  const size_t half = 16 * 16 * 3;
  memcpy(sl_u8(swapped), sl_u8(x) + half, half);
  memcpy(sl_u8(swapped) + half, sl_u8(x), half);
  sl_augment_batch b = train;
  b.items = (const uint32_t[]){70, 9};
  sl_tensor *y = apply(a, x, b);
  b.items = (const uint32_t[]){9, 70};
  sl_tensor *z = apply(a, swapped, b);
  ck_assert(memcmp(sl_f32(y), sl_f32(z) + half, half * 4) == 0);
  ck_assert(memcmp(sl_f32(y) + half, sl_f32(z), half * 4) == 0);
  sl_tensor_release(z);
  sl_tensor_release(y);
  sl_tensor_release(swapped);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

START_TEST(batch_means_one_draw_for_all) {
  sl_aug_opts o = usual();
  o.batch = 1;
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  sl_tensor *x = t_zeros(SL_U8, 4, 4, 12, 12, 3);
  for (int n = 0; n < 4; n++)
    t_hash_pixels(9, 432, sl_u8(x) + n * 432);
  sl_tensor *y = apply(a, x, train);
  for (int n = 1; n < 4; n++)
    ck_assert(memcmp(sl_f32(y), sl_f32(y) + n * 432, 432 * 4) == 0);
  sl_tensor_release(y);
  sl_augment_free(a);
  o.batch = 0;
  a = list_of(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  y = apply(a, x, train);
  ck_assert(memcmp(sl_f32(y), sl_f32(y) + 432, 432 * 4) != 0);
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

/* --- validation, sizes, statistics ---------------------------------------- */

START_TEST(validation_only_normalises) {
  const float mean[] = {0.485f, 0.456f, 0.406f}, std[] = {.229f, .224f, .225f};
  sl_aug_opts o = usual();
  sl_normalize_opts n = {{3, {0.485, 0.456, 0.406}}, {3, {.229, .224, .225}}};
  sl_erasing_opts box = {1, 0.2, 0.3, 0.3, 1};
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  add(a, SL_BATCH_TRANSFORM_NORMALIZE, &n);
  add(a, SL_BATCH_TRANSFORM_ERASING, &box);
  sl_tensor *x = photos(3, 13, 9);
  sl_tensor *y = apply(a, x, (sl_augment_batch){.seed = 4});
  for (int i = 0; i < 3 * 13 * 9 * 3; i++) {
    const float want = ((float)sl_u8(x)[i] / 255 - mean[i % 3]) / std[i % 3];
    ck_assert(fabsf(sl_f32(y)[i] - want) < 1e-6f);
  }
  sl_tensor *back = NULL;
  ck_assert_int_eq(sl_augment_decode(a, y, &back), SL_OK);
  ck_assert(same_bits(back, x));
  sl_tensor_release(back);
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

/* Middle square, resized by fastai's rule, for both ways to a size. */
START_TEST(validation_resizes) {
  json_t *want =
      t_member(t_member(affine, "gpu_resize"), "to_12x12 (no prefilter)");
  sl_tensor *x = t_hashed_images(4, 1, 23, 19);
  sl_aug_opts o = usual();
  o.size = (sl_ints){1, {12}};
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  sl_tensor *y = apply(a, x, (sl_augment_batch){.seed = 4});
  t_same_images(y, want, 1e-6, "size");
  sl_tensor_release(y);
  sl_augment_free(a);
  o.min_scale = 0.75;
  a = list_of(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  y = apply(a, x, (sl_augment_batch){.seed = 4});
  sl_augment_images_opts by_hand = t_pass_defaults();
  by_hand.crop = (sl_ints){4, {2, 0, 19, 19}};
  by_hand.crop_size = (sl_ints){1, {12}};
  sl_tensor *z = t_pass(x, t_pass_params(1, &sl_mat3_identity), &by_hand);
  ck_assert(same_bits(y, z));
  sl_tensor_release(z);
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

/* Matrices multiply in the order of the list, flip * rotate * zoom, get the
 * image's shape, and perspective comes after them wherever it stands. */
START_TEST(order_of_affine_transforms) {
  sl_sampling flip;
  sl_warp_opts warp;
  sl_rotate_opts turn;
  sl_zoom_opts zoom;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_FLIP, &flip);
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_WARP, &warp);
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_ROTATE, &turn);
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_ZOOM, &zoom);
  flip.p = warp.s.p = turn.s.p = zoom.s.p = 1;
  zoom.min_zoom = zoom.max_zoom = 1.7;
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_FLIP, &flip);
  add(a, SL_BATCH_TRANSFORM_WARP, &warp);
  add(a, SL_BATCH_TRANSFORM_ROTATE, &turn);
  add(a, SL_BATCH_TRANSFORM_ZOOM, &zoom);
  sl_rng r[4];
  for (uint32_t i = 0; i < 4; i++)
    r[i] = sl_rng_at(train.seed, train.epoch, 0, SL_RNG_BATCH + i);
  const double mx = sl_rng_range(&r[1], -0.2, 0.2);
  sl_rng_uniform64(&r[1]); /* whether mx applies */
  const double my = sl_rng_range(&r[1], -0.2, 0.2);
  const sl_mat3 rotated = sl_mat3_rotate(sl_rng_range(&r[2], -10, 10));
  sl_rng_range(&r[3], 1.7, 1.7);
  const double col = sl_rng_uniform64(&r[3]), row = sl_rng_uniform64(&r[3]);
  const sl_mat3 zoomed = sl_mat3_zoom(1.7, col, row);
  const sl_mat3 mirror = sl_mat3_dihedral(1), warped = sl_mat3_warp(mx, my);
  sl_mat3 m = sl_mat3_mul(&mirror, &rotated);
  m = sl_mat3_mul(&m, &zoomed);
  m = sl_mat3_prepare(&m, 20, 14);
  m = sl_mat3_mul(&warped, &m);
  sl_tensor *x = photos(1, 20, 14), *y = apply(a, x, train);
  sl_tensor *z = t_pass(x, t_pass_params(1, &m), NULL);
  t_equal_tensors(y, z, 1e-6);
  sl_tensor_release(z);
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

/* Two samplings, one after the other, each by a call of its own. */
START_TEST(crop_samples_twice) {
  sl_aug_opts o = usual();
  o.max_lighting = 0;
  sl_augment *plain = list_of(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  sl_crop_opts c = {.size = {1, {11}},
                    .min_scale = 0.3,
                    .max_scale = 1,
                    .valid_scale = 1,
                    .ratio = {1, {1}}};
  sl_augment *both = list_of(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  add(both, SL_BATCH_TRANSFORM_CROP, &c);
  sl_tensor *x = photos(3, 40, 40), *y = apply(both, x, train);
  sl_tensor *first = apply(plain, x, train);
  /* The crop is transform 4 (flip, warp, rotate, zoom before it). */
  sl_rng r = sl_rng_at(train.seed, train.epoch, 0, SL_RNG_BATCH + 4);
  const sl_box b = sl_crop_draw(&c, 40, 40, &r);
  sl_augment_images_opts by_hand = t_pass_defaults();
  by_hand.crop = (sl_ints){4, {b.top, b.left, b.h, b.w}};
  by_hand.crop_size = c.size;
  sl_tensor *z = t_pass(first, t_pass_params(3, &sl_mat3_identity), &by_hand);
  t_equal_tensors(y, z, 2e-6);
  sl_tensor_release(z);
  sl_tensor_release(first);
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(both);
  sl_augment_free(plain);
}
END_TEST

/* Averaging is left out when the batch zooms in more than it shrinks: d = 2.5
 * here, and 2 / extent, over both axes, depends on where each zoom went. */
START_TEST(prefilter_depends_on_the_view) {
  sl_zoom_opts o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_ZOOM, &o);
  o.s.size = (sl_ints){1, {4}};
  o.s.p = 1;
  o.min_zoom = o.max_zoom = 3;
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_ZOOM, &o);
  sl_tensor *x = t_random(2, 0, 1, 4, 1, 20, 20, 3);
  int averaged = 0;
  for (uint32_t epoch = 0; epoch < 20; epoch++) {
    sl_augment_batch b = train;
    b.epoch = epoch;
    sl_tensor *y = apply(a, x, b);
    sl_rng r = sl_rng_at(train.seed, epoch, 0, SL_RNG_BATCH);
    sl_rng_range(&r, 3, 3);
    const double col = sl_rng_uniform64(&r), row = sl_rng_uniform64(&r);
    const sl_mat3 view = sl_mat3_zoom(3, col, row);
    const double apart = fabs(view.m[2] - view.m[5]);
    sl_augment_images_opts by_hand = t_pass_defaults();
    by_hand.size = (sl_ints){1, {4}};
    by_hand.prefilter = 2 / (2. / 3 + apart) < 2.5;
    averaged += by_hand.prefilter;
    sl_tensor *z = t_pass(x, t_pass_params(1, &view), &by_hand);
    t_equal_tensors(y, z, 1e-6);
    sl_tensor_release(z);
    sl_tensor_release(y);
  }
  ck_assert_int_gt(averaged, 0);
  ck_assert_int_lt(averaged, 20);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

START_TEST(grey_stays_grey) {
  sl_aug_opts o = usual();
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  sl_tensor *x = photos(2, 17, 23);
  for (int i = 0; i < 2 * 17 * 23; i++)
    sl_u8(x)[3 * i + 1] = sl_u8(x)[3 * i + 2] = sl_u8(x)[3 * i];
  sl_tensor *y = apply(a, x, train);
  for (int i = 0; i < 2 * 17 * 23; i++)
    ck_assert(sl_f32(y)[3 * i] == sl_f32(y)[3 * i + 1] &&
              sl_f32(y)[3 * i] == sl_f32(y)[3 * i + 2]);
  sl_tensor_release(y);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

START_TEST(normalize_measures_itself) {
  sl_normalize_opts none = {{0, {0}}, {0, {0}}};
  sl_aug_opts o = usual();
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  sl_tensor *x = photos(4, 20, 20), *out = NULL;
  sl_augment_batch b = train;
  b.items = rows();
  sl_tensor *seen_by_model = apply(a, x, train);
  double want[2][3], got[2][3];
  ck_assert_int_eq(sl_augment_measure(a, x, &b), SL_EINVAL);
  add(a, SL_BATCH_TRANSFORM_NORMALIZE, &none);
  ck_assert(sl_augment_needs_statistics(a));
  ck_assert(!sl_augment_statistics(a, got[0], got[1]));
  ck_assert_int_eq(sl_augment_apply(a, x, &b, SL_F32, &out), SL_EINVAL);
  ck_assert(strstr(sl_error(), "no mean and std yet") != NULL);
  ck_assert_int_eq(sl_augment_measure(a, x, &b), SL_OK);
  ck_assert(sl_augment_statistics(a, got[0], got[1]));
  ck_assert_int_eq(sl_image_statistics(seen_by_model, want[0], want[1]), SL_OK);
  for (int i = 0; i < 6; i++)
    ck_assert_double_eq_tol(got[i / 3][i % 3], want[i / 3][i % 3], 1e-7);
  sl_tensor *y = apply(a, x, train);
  ck_assert_int_eq(sl_image_statistics(y, got[0], got[1]), SL_OK);
  for (int c = 0; c < 3; c++) {
    ck_assert_double_eq_tol(got[0][c], 0, 1e-5);
    ck_assert_double_eq_tol(got[1][c], 1, 1e-5);
  }
  sl_tensor_release(y);
  sl_tensor_release(seen_by_model);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

START_TEST(erasing_takes_about_half_of_the_batches) {
  sl_erasing_opts o;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_ERASING, &o);
  o.sl = 0.1;
  sl_augment *a = list_of(SL_BATCH_TRANSFORM_ERASING, &o);
  sl_tensor *x = t_zeros(SL_U8, 4, 2, 16, 16, 3);
  int erased = 0;
  for (uint32_t epoch = 0; epoch < 400; epoch++) {
    sl_augment_batch b = train;
    b.epoch = epoch;
    sl_tensor *y = apply(a, x, b);
    int n = 0;
    for (int i = 0; i < 16 * 16; i++) {
      n += sl_f32(y)[3 * i] != 0;
      ck_assert((sl_f32(y)[3 * i] != 0) == (sl_f32(y)[768 + 3 * i] != 0));
    }
    erased += n > 0;
    ck_assert_int_le(n, 90); /* 0.3 * 256, and rounding */
    sl_tensor_release(y);
  }
  ck_assert_int_ge(erased, 160); /* 4 sigma: 40 */
  ck_assert_int_le(erased, 240);
  sl_tensor_release(x);
  sl_augment_free(a);
}
END_TEST

START_TEST(sizes_and_text) {
  int64_t h, w;
  sl_augment *a = new_list();
  sl_augment_size(a, 30, 40, &h, &w);
  ck_assert(h == 30 && w == 40);
  char *text = sl_augment_text(a);
  ck_assert_str_eq(text, "");
  sl_free(text);
  sl_aug_opts o = usual();
  o.size = (sl_ints){2, {20, 24}};
  add(a, SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  sl_augment_size(a, 30, 40, &h, &w);
  ck_assert(h == 20 && w == 24);
  text = sl_augment_text(a);
  ck_assert_ptr_nonnull(strstr(text, "Rotate p=0.75 size=20,24 max_deg=10\n"));
  sl_free(text);
  sl_augment_free(a);
  o.do_flip = 0; /* nothing but a size */
  o.max_rotate = o.max_warp = o.max_lighting = 0;
  o.max_zoom = 1;
  a = list_of(SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o);
  sl_augment_size(a, 30, 40, &h, &w);
  ck_assert(h == 20 && w == 24);
  sl_augment_free(a);
}
END_TEST

START_TEST(lists_that_contradict_themselves) {
  sl_augment *a = new_list();
  sl_aug_opts o = usual();
  o.min_scale = 0.5;
  not_added(a, SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o, "min_scale needs a size");
  o = usual();
  o.mult = 5;
  not_added(a, SL_BATCH_TRANSFORM_AUG_TRANSFORMS, &o,
            "max_lighting * mult is 1");
  sl_zoom_opts zoom;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_ZOOM, &zoom);
  zoom.min_zoom = 2;
  not_added(a, SL_BATCH_TRANSFORM_ZOOM, &zoom,
            "min_zoom is 2, above max_zoom, 1.1");
  sl_sampling flip;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_FLIP, &flip);
  flip.size = (sl_ints){1, {32}};
  add(a, SL_BATCH_TRANSFORM_FLIP, &flip);
  sl_rotate_opts turn;
  sl_batch_transform_defaults(SL_BATCH_TRANSFORM_ROTATE, &turn);
  turn.s.pad_mode = SL_PAD_ZEROS;
  not_added(a, SL_BATCH_TRANSFORM_ROTATE, &turn, "they are sampled together");
  turn.s.pad_mode = SL_PAD_REFLECTION;
  turn.s.size = (sl_ints){1, {30}};
  not_added(a, SL_BATCH_TRANSFORM_ROTATE, &turn,
            "size is 30 x 30, but 32 x 32");
  sl_normalize_opts n = {{3, {0, 0, 0}}, {1, {1}}};
  not_added(a, SL_BATCH_TRANSFORM_NORMALIZE, &n,
            "3 numbers in mean but 1 in std");
  sl_augment_free(a);
  a = new_list();
  n = (sl_normalize_opts){{1, {0.5}}, {1, {0.5}}};
  add(a, SL_BATCH_TRANSFORM_NORMALIZE, &n);
  not_added(a, SL_BATCH_TRANSFORM_NORMALIZE, &n, "Normalize is there twice");
  sl_augment_free(a);
}
END_TEST

/* Every allocation fails once; nothing is left behind. */
START_TEST(memory_runs_out) {
  int failed = 0;
  sl_tensor *x = photos(2, 10, 10);
  for (int n = 1; n < 200; n++) {
    sl_augment *a = everything();
    const int64_t tensors = sl_tensor_live();
    sl_augment_batch b = train;
    sl_tensor *y = NULL;
    b.items = rows();
    sl_alloc_fail_at(n);
    const sl_status status = sl_augment_apply(a, x, &b, SL_F32, &y);
    sl_alloc_fail_at(0);
    if (status != SL_OK) {
      failed++;
      ck_assert_int_eq(status, SL_ENOMEM);
      ck_assert_int_eq(sl_tensor_live(), tensors);
    }
    sl_tensor_release(y);
    sl_augment_free(a);
    if (status == SL_OK) break;
  }
  ck_assert_int_ge(failed, 3);
  sl_tensor_release(x);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("augment", &tc);
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, half_are_flipped);
  tcase_add_test(tc, dihedral_is_one_of_eight);
  tcase_add_test(tc, rotations);
  tcase_add_test(tc, zooms);
  tcase_add_test(tc, perspectives);
  tcase_add_test(tc, brightness_then_contrast);
  tcase_add_test(tc, hue_and_saturation_are_drawn);
  tcase_add_test(tc, same_bits_with_any_number_of_threads);
  tcase_add_test(tc, seed_epoch_and_pass_change_the_draws);
  tcase_add_test(tc, draws_follow_the_item);
  tcase_add_test(tc, batch_means_one_draw_for_all);
  tcase_add_test(tc, validation_only_normalises);
  tcase_add_test(tc, validation_resizes);
  tcase_add_test(tc, order_of_affine_transforms);
  tcase_add_test(tc, crop_samples_twice);
  tcase_add_test(tc, prefilter_depends_on_the_view);
  tcase_add_test(tc, grey_stays_grey);
  tcase_add_test(tc, normalize_measures_itself);
  tcase_add_test(tc, erasing_takes_about_half_of_the_batches);
  tcase_add_test(tc, sizes_and_text);
  tcase_add_test(tc, lists_that_contradict_themselves);
  tcase_add_test(tc, memory_runs_out);
  return t_main(s);
}
