/* device_cases.c -- see device_cases.h. */
#include "device_cases.h"

#include <math.h>

#include "support.h"

static void add(t_inputs *c, sl_tensor *t) {
  c->in[c->n_in++] = t;
}

#define LIST(...)                                                              \
  (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                   \
      (const int64_t[]) {                                                      \
    __VA_ARGS__                                                                \
  }

/* --- elements --------------------------------------------------------------
 */

static void many(t_inputs *c) {
  add(c, t_random(1, -3, 3, 1, 70001));
}

static void outer_sum(t_inputs *c) {
  add(c, t_random(1, 0.5f, 1, 3, 40, 1, 33));
  add(c, t_random(2, 0.5f, 1, 2, 30, 1));
}

static void whole_numbers(t_inputs *c) {
  add(c, t_i32((const int32_t[]){-5, 0, 7, INT32_MAX}, 1, 4));
  add(c, t_i32((const int32_t[]){3}, 1, 1));
}

static void bytes(t_inputs *c) {
  add(c, t_u8((const uint8_t[]){0, 1, 200, 255}, 2, 2, 2));
}

static void permuted(t_inputs *c) {
  add(c, t_random(1, -1, 1, 4, 3, 4, 5, 6));
  t_set_list(c, "dims", LIST(3, 1, 0, 2));
}

/* --- reductions -------------------------------------------------------------
 */

static void long_rows(t_inputs *c) {
  add(c, t_random(1, 0.5f, 1.5f, 2, 3, 9001));
  t_set_list(c, "dims", LIST(1));
}

static void long_columns(t_inputs *c) {
  add(c, t_random(1, 0.5f, 1.5f, 2, 1100, 37));
  t_set_list(c, "dims", LIST(0));
}

static void middle(t_inputs *c) {
  add(c, t_random(1, 0.5f, 1.5f, 3, 3, 600, 5));
  t_set_list(c, "dims", LIST(1));
}

static void extremum_rows(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 3, 9001));
  t_set_number(c, "dim", 1);
}

/* Ties and NaN: the first of them. */
static void ties(t_inputs *c) {
  sl_tensor *x = t_random(1, -1, 1, 2, 40, 50);
  for (int i = 0; i < 2000; i++)
    sl_f32(x)[i] = (float)(i * 31 % 7);
  sl_f32(x)[777] = sl_f32(x)[790] = NAN;
  add(c, x);
  t_set_number(c, "dim", 1);
}

/* --- lines ------------------------------------------------------------------
 */

static void softmax_wide(t_inputs *c) {
  add(c, t_random(1, -9, 9, 2, 5, 1000));
  t_set_number(c, "dim", 1);
}

static void softmax_down(t_inputs *c) {
  add(c, t_random(1, -9, 9, 3, 3, 70, 11));
  t_set_number(c, "dim", 1);
}

static void cumsum_long(t_inputs *c) {
  add(c, t_random(1, -1, 1, 3, 2, 100, 3));
  t_set_number(c, "dim", 1);
}

static void sort_long(t_inputs *c) {
  sl_tensor *x = t_random(1, -1, 1, 2, 3, 3000);
  for (int i = 0; i < 9000; i += 5) /* equal ones keep their order */
    sl_f32(x)[i] = 0.25f;
  add(c, x);
  t_set_number(c, "dim", 1);
  t_set_number(c, "descending", 1);
}

static void topk_down(t_inputs *c) {
  add(c, t_random(1, -1, 1, 3, 2, 100, 7));
  t_set_number(c, "dim", 1);
  t_set_number(c, "k", 5);
}

static void gather_repeated(t_inputs *c) {
  sl_tensor *index = t_zeros(SL_I32, 3, 4, 50, 3);
  for (int i = 0; i < 600; i++)
    sl_i32(index)[i] = 1 + i * 7 % 20;
  add(c, t_random(1, -1, 1, 3, 4, 20, 3));
  add(c, index);
  t_set_number(c, "dim", 1);
}

/* --- layers -----------------------------------------------------------------
 */

static void conv(t_inputs *c, int k, int stride, int ch, int out) {
  add(c, t_random(1, -1, 1, 4, 3, 9, 8, ch));
  add(c, t_random(2, -1, 1, 4, out, k, k, ch));
  t_set_number(c, "stride", stride);
  t_set_number(c, "padding", k / 2);
}

static void conv_stem(t_inputs *c) {
  conv(c, 3, 2, 3, 32);
}

static void conv_1x1(t_inputs *c) {
  conv(c, 1, 1, 24, 16);
}

static void conv_downsample(t_inputs *c) {
  conv(c, 1, 2, 8, 16);
}

static void conv_dilated(t_inputs *c) {
  conv(c, 3, 1, 4, 5);
  t_set_number(c, "dilation", 2);
}

static void conv_depthwise(t_inputs *c) {
  add(c, t_random(1, -1, 1, 4, 2, 6, 6, 8));
  add(c, t_random(2, -1, 1, 4, 8, 3, 3, 1));
  t_set_number(c, "groups", 8);
}

/* gamma, beta and the running statistics of n channels */
static void norm(t_inputs *c, int n, int act) {
  add(c, t_random(4, 0.5f, 1.5f, 1, n));
  add(c, t_random(5, -1, 1, 1, n));
  add(c, t_random(6, -1, 1, 1, n));
  add(c, t_random(7, 0.5f, 2, 1, n));
  t_set_number(c, "act", act);
}

static void norm_wide(t_inputs *c) {
  add(c, t_random(1, 2, 4, 4, 5, 11, 13, 72));
  norm(c, 72, SL_ACT_RELU);
  add(c, t_random(2, -1, 1, 4, 5, 11, 13, 72));
  t_set_number(c, "training", 1);
}

static void norm_odd(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 700, 37));
  norm(c, 37, SL_ACT_GELU);
  t_set_number(c, "training", 1);
}

static void norm_four(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 40000, 4));
  norm(c, 4, SL_ACT_MISH);
  t_set_number(c, "training", 1);
}

static void norm_eval(t_inputs *c) {
  add(c, t_random(1, -1, 1, 4, 2, 5, 5, 16));
  norm(c, 16, SL_ACT_SILU);
}

static void conv_norm(t_inputs *c, int act) {
  conv(c, 3, 1, 8, 16);
  norm(c, 16, act);
}

static void conv_norm_relu(t_inputs *c) {
  conv_norm(c, SL_ACT_RELU);
  t_set_number(c, "training", 1);
}

static void conv_norm_add(t_inputs *c) {
  conv_norm(c, SL_ACT_RELU);
  add(c, t_random(3, -1, 1, 4, 3, 9, 8, 16));
  t_set_number(c, "training", 1);
}

static void conv_norm_eval(t_inputs *c) {
  conv_norm(c, SL_ACT_NONE);
}

static void linear(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 33, 64));
  add(c, t_random(2, -1, 1, 2, 10, 64));
  add(c, t_random(3, -1, 1, 1, 10));
}

static void matmul_folded(t_inputs *c) {
  add(c, t_random(1, -1, 1, 3, 4, 5, 6));
  add(c, t_random(2, -1, 1, 2, 6, 7));
}

static void matmul_vector(t_inputs *c) {
  add(c, t_random(1, -1, 1, 1, 6));
  add(c, t_random(2, -1, 1, 3, 2, 6, 3));
}

static void matmul_both(t_inputs *c) {
  add(c, t_random(1, -1, 1, 4, 2, 1, 3, 4));
  add(c, t_random(2, -1, 1, 3, 5, 4, 2));
}

static void pool(t_inputs *c, int size, int stride, int padding) {
  add(c, t_random(1, -1, 1, 4, 2, 11, 9, 20));
  t_set_number(c, "kernel_size", size);
  t_set_number(c, "stride", stride);
  t_set_number(c, "padding", padding);
}

static void pool_stem(t_inputs *c) {
  pool(c, 3, 2, 1);
}

static void pool_apart(t_inputs *c) {
  pool(c, 2, 3, 0);
}

static void images(t_inputs *c) {
  add(c, t_random(1, -1, 1, 4, 3, 7, 7, 40));
}

/* --- losses -----------------------------------------------------------------
 */

static void classes(t_inputs *c, int n, int k) {
  sl_tensor *label = t_zeros(SL_I32, 1, n);
  for (int i = 0; i < n; i++)
    sl_i32(label)[i] = 1 + i * 5 % k;
  add(c, t_random(1, -4, 4, 2, n, k));
  add(c, label);
}

static void cross_entropy_wide(t_inputs *c) {
  classes(c, 300, 100);
  t_set_number(c, "label_smoothing", 0.1);
}

static void cross_entropy_each(t_inputs *c) {
  classes(c, 40, 10);
  t_set_number(c, "reduction", 2);
}

static void bce_many(t_inputs *c) {
  add(c, t_random(1, -4, 4, 2, 300, 9));
  add(c, t_random(2, 0, 1, 2, 300, 9));
}

/* --- random -----------------------------------------------------------------
 */

static void random_many(t_inputs *c) {
  t_set_list(c, "shape", LIST(1013));
}

static void permutation_many(t_inputs *c) {
  t_set_number(c, "n", 1000);
}

static void dropped(t_inputs *c) {
  add(c, t_random(1, -1, 1, 1, 1003));
  t_set_number(c, "p", 0.3);
  t_set_number(c, "training", 1);
}

/* --- augmentation ------------------------------------------------------------
 */

static sl_tensor *stored_images(int n, int h, int w) {
  sl_tensor *x = t_zeros(SL_U8, 4, n, h, w, 3);
  for (int i = 0; i < n * h * w * 3; i++)
    sl_u8(x)[i] = (uint8_t)(i * 37 + i / 100 * 11);
  return x;
}

/* Views that differ a little from straight; light; a hue. */
static sl_tensor *views(int n, int straight) {
  static const float one[13] = {1, 0.1f, 0.05f, -0.1f, 0.9f, 0,    0.02f,
                                0, 1,    1.2f,  -0.3f, 1.1f, 0.05f};
  static const float same[13] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0.2f, 1, 0};
  sl_tensor *p = t_zeros(SL_F32, 2, n, 13);
  for (int i = 0; i < n * 13; i++)
    sl_f32(p)[i] = (straight ? same : one)[i % 13] +
                   (straight ? 0 : 0.01f * (float)(i / 13));
  return p;
}

static void augment(t_inputs *c, int h, int w, int straight) {
  const float stats[] = {0.5f, 0.4f, 0.3f, 0.2f, 0.25f, 0.3f};
  add(c, stored_images(3, h, w));
  add(c, views(3, straight));
  add(c, t_f32(stats, 2, 2, 3));
}

static void augment_warp(t_inputs *c) {
  const int32_t boxes[] = {2, 3, 5, 6, -2, -2, 4, 4}, items[] = {9, 8, 7};
  augment(c, 20, 30, 0);
  add(c, t_i32(boxes, 2, 2, 4));
  add(c, t_i32(items, 1, 3));
  t_set_list(c, "size", LIST(16, 24));
  t_set_number(c, "use", 5);
}

static void augment_zeros(t_inputs *c) {
  augment(c, 17, 19, 0);
  t_set_number(c, "pad_mode", 2);
  t_set_number(c, "align_corners", 0);
}

static void augment_mirror_edges(t_inputs *c) {
  augment(c, 17, 19, 0);
  t_set_number(c, "align_corners", 0);
  t_set_number(c, "mode", 1);
}

static void augment_averaged(t_inputs *c) {
  augment(c, 40, 60, 0);
  t_set_list(c, "size", LIST(8, 10));
  t_set_number(c, "prefilter", 1);
}

static void augment_straight(t_inputs *c) {
  augment(c, 21, 23, 1);
  t_set_list(c, "crop", LIST(2, 3, 16, 18));
}

static void augment_small(t_inputs *c) {
  augment(c, 40, 44, 1);
  t_set_list(c, "crop", LIST(2, 3, 36, 40));
  t_set_list(c, "crop_size", LIST(7, 9));
}

/* clang-format off */
const t_case t_device_cases[] = {
    {SL_OP_relu, many}, {SL_OP_gelu, many}, {SL_OP_mish, many}, {SL_OP_silu, many}, {SL_OP_tanh, many},
    {SL_OP_add, outer_sum}, {SL_OP_mul, outer_sum}, {SL_OP_div, outer_sum}, {SL_OP_maximum, outer_sum},
    {SL_OP_add, whole_numbers}, {SL_OP_mul, whole_numbers}, {SL_OP_lt, whole_numbers}, {SL_OP_minimum, whole_numbers},
    {SL_OP_square, bytes}, {SL_OP_neg, bytes}, {SL_OP_sum, bytes}, {SL_OP_mean, bytes}, {SL_OP_exp, bytes},
    {SL_OP_permute, permuted},
    {SL_OP_sum, long_rows}, {SL_OP_mean, long_columns}, {SL_OP_norm, middle}, {SL_OP_any, long_columns},
    {SL_OP_var, long_rows}, {SL_OP_std, long_columns}, {SL_OP_var, middle},
    {SL_OP_max, extremum_rows}, {SL_OP_min, extremum_rows}, {SL_OP_max, ties}, {SL_OP_argmin, ties}, {SL_OP_argmax, ties},
    {SL_OP_softmax, softmax_wide}, {SL_OP_log_softmax, softmax_wide}, {SL_OP_softmax, softmax_down}, {SL_OP_log_softmax, softmax_down},
    {SL_OP_cumsum, cumsum_long}, {SL_OP_sort, sort_long}, {SL_OP_argsort, sort_long}, {SL_OP_topk, topk_down},
    {SL_OP_gather, gather_repeated},
    {SL_OP_conv2d, conv_stem}, {SL_OP_conv2d, conv_1x1}, {SL_OP_conv2d, conv_downsample}, {SL_OP_conv2d, conv_dilated}, {SL_OP_conv2d, conv_depthwise},
    {SL_OP_batch_norm, norm_wide}, {SL_OP_batch_norm, norm_odd}, {SL_OP_batch_norm, norm_four}, {SL_OP_batch_norm, norm_eval},
    {SL_OP_conv_bn_act, conv_norm_relu}, {SL_OP_conv_bn_act, conv_norm_add}, {SL_OP_conv_bn_act, conv_norm_eval},
    {SL_OP_linear, linear}, {SL_OP_matmul, matmul_folded}, {SL_OP_matmul, matmul_vector}, {SL_OP_matmul, matmul_both},
    {SL_OP_max_pool2d, pool_stem}, {SL_OP_max_pool2d, pool_apart}, {SL_OP_avg_pool2d, pool_stem}, {SL_OP_avg_pool2d, pool_apart},
    {SL_OP_global_avg_pool, images}, {SL_OP_global_max_pool, images},
    {SL_OP_cross_entropy, cross_entropy_wide}, {SL_OP_cross_entropy, cross_entropy_each}, {SL_OP_bce_with_logits, bce_many},
    {SL_OP_uniform, random_many}, {SL_OP_normal, random_many}, {SL_OP_bernoulli, random_many}, {SL_OP_randint, random_many},
    {SL_OP_beta, random_many}, {SL_OP_permutation, permutation_many}, {SL_OP_dropout, dropped},
    {SL_OP_augment_images, augment_warp}, {SL_OP_augment_images, augment_zeros}, {SL_OP_augment_images, augment_mirror_edges},
    {SL_OP_augment_images, augment_averaged}, {SL_OP_augment_images, augment_straight}, {SL_OP_augment_images, augment_small},
    {SL_OP_COUNT, NULL},
};
/* clang-format on */
