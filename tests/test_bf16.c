/* test_bf16.c -- convolutions and batch norms on bf16 activations must give
 * what they give in f32 on the same (rounded) values, but for the rounding of
 * results: values, gradients, any shape, any number of workers. */
#include <math.h>
#include <stdio.h>

#include "base/threads.h"
#include "ops/cast.h"
#include "ops/conv_bn_act.h"
#include "support.h"

typedef struct setup {
  int n, h, c, o, kernel, stride, groups, act, residual, workers;
} setup;

static const setup setups[] = {
    {4, 8, 16, 32, 3, 1, 1, SL_ACT_NONE, 0, 2},
    {5, 9, 3, 24, 3, 2, 1, SL_ACT_NONE, 1, 2},    /* odd everything */
    {1, 7, 20, 70, 3, 1, 1, SL_ACT_MISH, 1, 3},   /* one image: half a pair */
    {3, 5, 96, 48, 1, 1, 1, SL_ACT_RELU, 1, 2},   /* 75 pixels: odd */
    {6, 8, 64, 64, 1, 2, 1, SL_ACT_SILU, 0, 1},   /* 1x1 that is no product */
    {4, 6, 32, 64, 3, 1, 4, SL_ACT_GELU, 1, 2},   /* groups: oneDNN's */
    {5, 6, 24, 24, 3, 1, 6, SL_ACT_NONE, 1, 2},   /* that share panels */
    {3, 6, 64, 96, 3, 2, 2, SL_ACT_NONE, 1, 2},   /* of whole panels */
    {5, 6, 24, 24, 3, 1, 6, SL_ACT_NONE, 1, 2},   /* that share panels */
    {3, 6, 64, 96, 3, 2, 2, SL_ACT_NONE, 1, 2},   /* of whole panels */
    {2, 4, 256, 256, 3, 1, 1, SL_ACT_NONE, 1, 2}, /* split gradient */
    {17, 16, 64, 32, 1, 1, 1, SL_ACT_RELU, 0, 4},
};
enum { SETUPS = sizeof setups / sizeof *setups, LEAVES = 5 };

/* The leaves, f32 and of values that bf16 can hold: x, weight, gamma, beta,
 * residual (or NULL). */
typedef struct leaves {
  sl_tensor *at[LEAVES], *mean, *var;
} leaves;

static sl_tensor *rounded_leaf(sl_tensor *t) {
  for (int64_t i = 0; i < sl_tensor_count(t); i++)
    sl_f32(t)[i] = sl_bf16_to_f32(sl_bf16_from_f32(sl_f32(t)[i]));
  ck_assert_int_eq(sl_require_grad(t, 1), SL_OK);
  return t;
}

static int out_size(const setup *s) {
  return (s->h + 2 * (s->kernel / 2) - s->kernel) / s->stride + 1;
}

static sl_tensor *like_out(const setup *s, unsigned seed) {
  return t_random(seed, -1, 1, 4, s->n, out_size(s), out_size(s), s->o);
}

static leaves make(const setup *s) {
  leaves l = {.at = {t_random(1, -1, 1, 4, s->n, s->h, s->h, s->c),
                     t_random(2, -1, 1, 4, s->o, s->kernel, s->kernel,
                              s->c / s->groups),
                     t_random(3, 0.5f, 1.5f, 1, s->o),
                     t_random(4, -1, 1, 1, s->o),
                     s->residual ? like_out(s, 5) : NULL},
              .mean = t_zeros(SL_F32, 1, s->o),
              .var = t_zeros(SL_F32, 1, s->o)};
  for (int i = 0; i < LEAVES; i++)
    if (l.at[i]) rounded_leaf(l.at[i]);
  return l;
}

static void free_leaves(leaves *l) {
  for (int i = 0; i < LEAVES; i++)
    sl_tensor_release(l->at[i]);
  sl_tensor_release(l->mean);
  sl_tensor_release(l->var);
}

static sl_tensor *cast(sl_tensor *t, sl_dtype type) {
  return t ? t_run(SL_OP_cast, &(sl_cast_opts){type}, 1, t) : NULL;
}

/* conv_bn_act of x and the residual as `type`, or the two ops it stands for;
 * the result as f32, after its backward. */
static sl_tensor *run(const setup *s, leaves *l, sl_dtype type, int fused) {
  const sl_conv_bn_act_opts o = {
      {1, {s->stride}}, {1, {s->kernel / 2}}, s->groups, 1e-5, 0.1, 1, s->act};
  const sl_conv2d_opts conv = {o.stride, o.padding, {1, {1}}, o.groups};
  const sl_norm_opts norm = {o.eps, o.momentum, 1, o.act};
  sl_tensor *x = cast(l->at[0], type), *r = cast(l->at[4], type), *y = NULL, *z;
  if (fused) {
    z = t_run(SL_OP_conv_bn_act, &o, 7, x, l->at[1], l->at[2], l->at[3],
              l->mean, l->var, r);
  } else {
    y = t_run(SL_OP_conv2d, &conv, 2, x, l->at[1]);
    z = t_run(SL_OP_batch_norm, &norm, 6, y, l->at[2], l->at[3], l->mean,
              l->var, r);
  }
  ck_assert_int_eq(z->dtype, type);
  sl_tensor *out = cast(z, SL_F32), *seed = like_out(s, 9);
  ck_assert_msg(sl_backward(out, seed) == SL_OK, "%s", sl_error());
  sl_tensor *all[] = {x, r, y, z, seed};
  for (int i = 0; i < 5; i++)
    sl_tensor_release(all[i]);
  return out;
}

/* |a - b| / |b|, over all elements. */
static double distance(const sl_tensor *a, const sl_tensor *b) {
  double off = 0, size = 0;
  ck_assert(sl_tensor_same_shape(a, b));
  for (int64_t i = 0; i < sl_tensor_count(a); i++) {
    const double d = (double)sl_f32(a)[i] - (double)sl_f32(b)[i];
    off += d * d;
    size += (double)sl_f32(b)[i] * (double)sl_f32(b)[i];
  }
  return sqrt(off / (size + 1e-12));
}

/* Rounding moves a value by at most 2^-9 of itself. Where relu's input is
 * within that of 0, its slope is another: the gradients' limit is wider. */
static void compare(const setup *s, leaves *a, leaves *b, sl_tensor *za,
                    sl_tensor *zb) {
  const double limit = s->act == SL_ACT_RELU ? 0.08 : 0.02;
  ck_assert_double_lt(distance(za, zb), 0.01);
  ck_assert_double_lt(distance(a->mean, b->mean), 0.01);
  ck_assert_double_lt(distance(a->var, b->var), 0.01);
  for (int i = 0; i < LEAVES; i++)
    if (a->at[i])
      ck_assert_msg(distance(sl_grad(a->at[i]), sl_grad(b->at[i])) < limit,
                    "gradient of leaf %d is off by %g", i,
                    distance(sl_grad(a->at[i]), sl_grad(b->at[i])));
}

START_TEST(is_f32_rounded) {
  const setup *s = &setups[_i / 2];
  const int fused = _i % 2;
  ck_assert_int_eq(sl_pool_resize(s->workers), SL_OK);
  leaves a = make(s), b = make(s);
  sl_tensor *za = run(s, &a, SL_BF16, fused), *zb = run(s, &b, SL_F32, fused);
  compare(s, &a, &b, za, zb);
  sl_tensor_release(za);
  sl_tensor_release(zb);
  free_leaves(&a);
  free_leaves(&b);
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
}
END_TEST

/* Gradients add up: twice the backward, twice the gradient. */
START_TEST(adds_up) {
  const setup *s = &setups[_i];
  leaves a = make(s), b = make(s);
  for (int i = 0; i < 2; i++)
    sl_tensor_release(run(s, &a, SL_BF16, 1));
  sl_tensor_release(run(s, &b, SL_BF16, 1));
  for (int i = 0; i < LEAVES; i++) {
    if (!a.at[i]) continue;
    sl_tensor *once = sl_grad(b.at[i]);
    for (int64_t k = 0; k < sl_tensor_count(once); k++)
      sl_f32(once)[k] *= 2;
    ck_assert_double_lt(distance(sl_grad(a.at[i]), once), 1e-6);
  }
  free_leaves(&a);
  free_leaves(&b);
}
END_TEST

/* Neither a whole batch's panels nor a chunk's depend on how it is cut. */
START_TEST(workers_do_not_matter) {
  const setup *s = &setups[_i];
  leaves a = make(s), b = make(s);
  ck_assert_int_eq(sl_pool_resize(1), SL_OK);
  sl_tensor_release(run(s, &a, SL_BF16, 1));
  ck_assert_int_eq(sl_pool_resize(3), SL_OK);
  sl_tensor_release(run(s, &b, SL_BF16, 1));
  ck_assert_double_lt(distance(sl_grad(a.at[1]), sl_grad(b.at[1])),
                      s->act == SL_ACT_RELU ? 0.02 : 0.005);
  free_leaves(&a);
  free_leaves(&b);
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("bf16", &tc);
  if (sl_cpu.bf16() == SL_BF16_NONE) {
    puts("SKIPPED: this processor has no bf16 arithmetic");
    return 77;
  }
  tcase_add_loop_test(tc, is_f32_rounded, 0, 2 * SETUPS);
  tcase_add_loop_test(tc, adds_up, 0, SETUPS);
  tcase_add_loop_test(tc, workers_do_not_matter, 0, SETUPS);
  return t_main(s);
}
