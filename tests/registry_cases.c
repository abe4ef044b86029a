/* registry_cases.c -- see registry_cases.h. */
#include "registry_cases.h"

#include <string.h>

#include "support.h"

/* --- options by name --------------------------------------------------------
 */

static const sl_option *find(const t_inputs *c, const char *name) {
  const sl_option *o = sl_op_get(c->id)->options;
  while (o && o->name && strcmp(o->name, name) != 0)
    o++;
  ck_assert_msg(o && o->name, "%s has no option %s", sl_op_get(c->id)->name,
                name);
  return o;
}

void t_set_number(t_inputs *c, const char *option, double v) {
  const sl_option *o = find(c, option);
  char *field = c->opts + o->offset;
  const int64_t whole = (int64_t)v;
  const int flag = (int)v;
  switch (o->type) {
  case SL_OPTION_FLOAT:
    memcpy(field, &v, sizeof v);
    break;
  case SL_OPTION_INT:
  case SL_OPTION_DIM:
    memcpy(field, &whole, sizeof whole);
    break;
  case SL_OPTION_BOOL:
  case SL_OPTION_ENUM:
  case SL_OPTION_DTYPE:
    memcpy(field, &flag, sizeof flag);
    break;
  case SL_OPTION_INTS:
  case SL_OPTION_DIMS:
    t_set_list(c, option, 1, &whole);
    break;
  case SL_OPTION_NUMBERS:
    memcpy(field, &(sl_numbers){1, {v}}, sizeof(sl_numbers));
    break;
  }
}

void t_set_list(t_inputs *c, const char *option, int n, const int64_t *v) {
  const sl_option *o = find(c, option);
  sl_ints list = {.n = n};
  ck_assert(o->type == SL_OPTION_INTS || o->type == SL_OPTION_DIMS);
  memcpy(list.v, v, (size_t)n * sizeof *v);
  memcpy(c->opts + o->offset, &list, sizeof list);
}

#define LIST(...)                                                              \
  (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                   \
      (const int64_t[]) {                                                      \
    __VA_ARGS__                                                                \
  }

void t_inputs_make(t_inputs *c, const t_case *from) {
  *c = (t_inputs){.id = from->id, .h = 1e-2, .tol = 5e-3};
  sl_op_defaults(sl_op_get(from->id), c->opts);
  from->make(c);
}

void t_inputs_free(t_inputs *c) {
  for (int i = 0; i < c->n_in; i++)
    sl_tensor_release(c->in[i]);
  c->n_in = 0;
}

static void add(t_inputs *c, sl_tensor *t) {
  c->in[c->n_in++] = t;
}

/* --- element-wise -----------------------------------------------------------
 */

/* In (0.2, 0.8) all functions are defined, and smooth. */
static void unary(t_inputs *c) {
  add(c, t_random(1, 0.2f, 0.8f, 2, 2, 3));
}

static void binary(t_inputs *c) {
  add(c, t_random(1, 0.3f, 0.6f, 3, 2, 1, 3));
  add(c, t_random(2, 0.7f, 1.2f, 2, 2, 1));
}

static void where(t_inputs *c) {
  add(c, t_u8((const uint8_t[]){1, 0, 2}, 1, 3));
  add(c, t_random(1, -1, 1, 2, 2, 3));
  add(c, t_random(2, -1, 1, 2, 2, 1));
}

static void clamp(t_inputs *c) {
  add(c, t_f32((const float[]){-2, -0.5f, 0.3f, 2}, 1, 4));
  t_set_number(c, "min", -1);
  t_set_number(c, "max", 1);
}

/* --- shapes ------------------------------------------------------------------
 */

static void reshape(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 2, 3));
  t_set_list(c, "shape", LIST(3, -1));
}

static void permute(t_inputs *c) {
  add(c, t_random(1, -1, 1, 3, 2, 3, 2));
  t_set_list(c, "dims", LIST(2, 0, 1));
}

static void slice(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 5, 2));
  t_set_number(c, "first", 1);
  t_set_number(c, "step", 2);
}

static void choose(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 2, 3));
  t_set_number(c, "dim", 1);
  t_set_number(c, "index", 2);
}

static void expand(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 1, 3));
  t_set_list(c, "shape", LIST(2, 3));
}

static void cast(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 2, 3));
  t_set_number(c, "dtype", SL_F32);
}

static void join(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 2, 3));
  add(c, t_random(2, -1, 1, 2, 2, 3));
  t_set_number(c, "dim", 1);
}

static void flip(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 2, 3));
  t_set_list(c, "dims", LIST(0, -1));
}

/* --- reductions, order, picking ----------------------------------------------
 */

static void reduce_all(t_inputs *c) {
  add(c, t_random(1, 0.5f, 2, 2, 2, 3));
}

static void reduce_some(t_inputs *c) {
  add(c, t_random(1, 0.5f, 2, 4, 2, 3, 2, 2));
  t_set_list(c, "dims", LIST(1, 3)); /* not as they lie: copied first */
  t_set_number(c, "keepdim", 1);
}

/* Elements further apart than the step of the differences. */
static void distinct(t_inputs *c) {
  add(c, t_f32((const float[]){0.3f, -1, 2, 0.8f, 0.1f, -0.4f}, 2, 2, 3));
}

static void distinct_along(t_inputs *c) {
  distinct(c);
  t_set_number(c, "dim", 0);
}

static void topk(t_inputs *c) {
  distinct(c);
  t_set_number(c, "k", 2);
}

static void gather(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 2, 3));
  add(c, t_i32((const int32_t[]){1, 2, 2, 2, 1, 2}, 2, 2, 3));
}

static void index_select(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 3, 2));
  add(c, t_i32((const int32_t[]){3, 1, 3, 3}, 1, 4));
}

static void one_hot(t_inputs *c) {
  add(c, t_i32((const int32_t[]){3, 1}, 1, 2));
  t_set_number(c, "classes", 3);
}

static void random_shape(t_inputs *c) {
  t_set_list(c, "shape", LIST(3, 2));
}

static void permutation(t_inputs *c) {
  t_set_number(c, "n", 5);
}

/* --- layers and losses -------------------------------------------------------
 */

static void linear(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 3, 4));
  add(c, t_random(2, -1, 1, 2, 2, 4));
  add(c, t_random(3, -1, 1, 1, 2));
}

static void matmul(t_inputs *c) {
  add(c, t_random(1, -1, 1, 3, 2, 1, 3));
  add(c, t_random(2, -1, 1, 2, 3, 2));
}

static void images(t_inputs *c) {
  add(c, t_zeros(SL_F32, 4, 2, 3, 4, 2));
  for (int i = 0; i < 48; i++) /* no two are near: maxima stay where they are */
    sl_f32(c->in[0])[i] = (float)(i * 19 % 48) * 0.1f;
}

static void windows(t_inputs *c) {
  images(c);
  t_set_list(c, "kernel_size", LIST(2, 3));
  t_set_number(c, "stride", 2);
  t_set_list(c, "padding", LIST(0, 1));
  t_set_number(c, "ceil_mode", 1);
}

static void bins(t_inputs *c) {
  images(c);
  t_set_list(c, "output_size", LIST(2, 3));
}

static void softmax(t_inputs *c) {
  add(c, t_random(1, -2, 2, 3, 2, 3, 2));
  t_set_number(c, "dim", 1);
}

static void cross_entropy(t_inputs *c) {
  add(c, t_random(1, -2, 2, 2, 2, 3));
  add(c, t_i32((const int32_t[]){3, 1}, 1, 2));
  add(c, t_random(2, 0.5f, 2, 1, 3));
  t_set_number(c, "label_smoothing", 0.2);
}

static void soft_cross_entropy(t_inputs *c) {
  add(c, t_random(1, -2, 2, 2, 2, 3));
  add(c, t_random(2, 0, 1, 2, 2, 3));
}

static void bce_with_logits(t_inputs *c) {
  add(c, t_random(1, -2, 2, 2, 2, 3));
  add(c, t_random(2, 0, 1, 2, 2, 3));
  add(c, t_random(3, 0.5f, 2, 1, 3));
}

/* Another mask each run: test_dropout.c has its gradient. */
static void dropout(t_inputs *c) {
  add(c, t_random(1, -1, 1, 2, 2, 3));
  t_set_number(c, "training", 0);
}

static void conv2d(t_inputs *c) {
  add(c, t_random(1, -1, 1, 4, 2, 3, 4, 4));
  add(c, t_random(2, -1, 1, 4, 6, 3, 3, 2));
  add(c, t_random(3, -1, 1, 1, 6));
  t_set_number(c, "groups", 2);
  t_set_number(c, "stride", 2);
  t_set_number(c, "padding", 1);
}

/* gamma, beta and the running statistics of n channels */
static void norm(t_inputs *c, int n) {
  add(c, t_random(4, 0.5f, 1.5f, 1, n));
  add(c, t_random(5, -1, 1, 1, n));
  add(c, t_random(6, -1, 1, 1, n));
  add(c, t_random(7, 0.5f, 2, 1, n));
  t_set_number(c, "training", 1);
  t_set_number(c, "act", SL_ACT_SILU);
}

static void batch_norm(t_inputs *c) {
  add(c, t_random(1, -1, 1, 3, 2, 4, 3));
  norm(c, 3);
  add(c, t_random(2, -1, 1, 3, 2, 4, 3));
}

static void conv_bn_act(t_inputs *c) {
  add(c, t_random(1, -1, 1, 4, 2, 3, 3, 2));
  add(c, t_random(2, -1, 1, 4, 3, 3, 3, 2));
  norm(c, 3);
  t_set_number(c, "padding", 1);
}

static void conv_bn_add_act(t_inputs *c) {
  conv_bn_act(c);
  add(c, t_random(3, -1, 1, 4, 2, 3, 3, 3));
}

/* A view that is not straight, a resized crop, statistics and a box: every
 * step of the pass. */
static void augment_images(t_inputs *c) {
  const int32_t box[] = {1, 0, 2, 2}, items[] = {4, 5};
  sl_tensor *params = t_random(2, 0.4f, 0.8f, 2, 2, 13);
  sl_tensor *stats = t_random(3, 0.3f, 0.6f, 2, 2, 3);
  add(c, t_random(1, 0, 1, 4, 2, 5, 6, 3));
  add(c, params);
  add(c, stats);
  add(c, t_i32(box, 2, 1, 4));
  add(c, t_i32(items, 1, 2));
  t_set_list(c, "crop", LIST(1, 1, 4, 4));
  t_set_list(c, "crop_size", LIST(3, 2));
}

/* clang-format off */
const t_case t_cases[] = {
#define SL_UNARY(name, value, slope, help) {SL_OP_##name, unary},
#include "ops/unary.def"
#define SL_BINARY(name, value, slope_a, slope_b, help) {SL_OP_##name, binary},
#include "ops/binary.def"
#define SL_COMPARE(name, value, help) {SL_OP_##name, binary},
#include "ops/compare.def"
#define SL_REDUCE(name, map, finish, slope, dtype, help) {SL_OP_##name, reduce_all}, {SL_OP_##name, reduce_some},
#define SL_REDUCE_FLAG(name, map, finish, help) {SL_OP_##name, reduce_some},
#include "ops/reduce.def"
    {SL_OP_where, where},
    {SL_OP_clamp, clamp},
    {SL_OP_reshape, reshape},
    {SL_OP_permute, permute},
    {SL_OP_slice, slice},
    {SL_OP_select, choose},
    {SL_OP_expand, expand},
    {SL_OP_contiguous, unary},
    {SL_OP_cast, cast},
    {SL_OP_cat, join},
    {SL_OP_stack, join},
    {SL_OP_flip, flip},
    {SL_OP_var, reduce_all},
    {SL_OP_var, reduce_some},
    {SL_OP_std, reduce_all},
    {SL_OP_std, reduce_some},
    {SL_OP_max, distinct},
    {SL_OP_max, distinct_along},
    {SL_OP_min, distinct},
    {SL_OP_min, distinct_along},
    {SL_OP_argmax, distinct_along},
    {SL_OP_argmin, distinct},
    {SL_OP_sort, distinct_along},
    {SL_OP_argsort, distinct},
    {SL_OP_topk, topk},
    {SL_OP_cumsum, distinct_along},
    {SL_OP_gather, gather},
    {SL_OP_index_select, index_select},
    {SL_OP_one_hot, one_hot},
    {SL_OP_uniform, random_shape},
    {SL_OP_normal, random_shape},
    {SL_OP_bernoulli, random_shape},
    {SL_OP_beta, random_shape},
    {SL_OP_randint, random_shape},
    {SL_OP_permutation, permutation},
    {SL_OP_conv2d, conv2d},
    {SL_OP_batch_norm, batch_norm},
    {SL_OP_conv_bn_act, conv_bn_act},
    {SL_OP_conv_bn_act, conv_bn_add_act},
    {SL_OP_linear, linear},
    {SL_OP_matmul, matmul},
    {SL_OP_max_pool2d, windows},
    {SL_OP_avg_pool2d, windows},
    {SL_OP_adaptive_avg_pool2d, bins},
    {SL_OP_global_avg_pool, images},
    {SL_OP_global_max_pool, images},
    {SL_OP_softmax, softmax},
    {SL_OP_log_softmax, softmax},
    {SL_OP_cross_entropy, cross_entropy},
    {SL_OP_cross_entropy, soft_cross_entropy},
    {SL_OP_bce_with_logits, bce_with_logits},
    {SL_OP_dropout, dropout},
    {SL_OP_augment_images, augment_images},
    {SL_OP_COUNT, NULL},
};
/* clang-format on */
