/* test_conv_bn_act.c -- the composite must give what conv2d and batch_norm
 * give one after the other: values, gradients, running statistics; whatever of
 * its inputs is lazy, however many workers there are. */
#include "ops/conv_bn_act.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "support.h"

enum { INPUTS = SL_CBA_RESIDUAL + 1 };

typedef struct setup {
  int n, h, w, c, o, kernel, stride, groups;
  int training, residual, act, workers;
} setup;

static const setup setups[] = {
    {3, 7, 7, 5, 6, 3, 1, 1, 1, 0, SL_ACT_RELU, 1},
    {5, 8, 8, 16, 32, 1, 1, 1, 1, 1, SL_ACT_RELU, 2},
    {7, 9, 9, 3, 16, 3, 2, 1, 1, 0, SL_ACT_RELU, 3},
    {2, 16, 16, 3, 8, 7, 2, 1, 1, 1, SL_ACT_NONE, 2},
    {4, 8, 8, 16, 32, 3, 1, 4, 1, 1, SL_ACT_MISH, 4},
    {5, 8, 8, 12, 12, 3, 1, 12, 1, 0, SL_ACT_SILU, 2},
    {3, 6, 6, 16, 16, 1, 2, 1, 1, 1, SL_ACT_GELU, 2},
    {9, 16, 16, 32, 64, 3, 1, 1, 1, 1, SL_ACT_RELU, 2},
    {17, 16, 16, 64, 32, 1, 1, 1, 1, 0, SL_ACT_RELU, 3},
    {3, 8, 8, 16, 32, 3, 1, 1, 0, 0, SL_ACT_RELU, 2},
    {3, 8, 8, 16, 32, 3, 1, 1, 0, 1, SL_ACT_MISH, 3},
    {1, 8, 8, 16, 32, 1, 1, 1, 0, 1, SL_ACT_NONE, 4},
    {2, 4, 4, 256, 256, 3, 1, 1, 1, 1, SL_ACT_RELU, 2},
};
enum { SETUPS = sizeof setups / sizeof *setups };

static sl_conv_bn_act_opts opts_of(const setup *s) {
  return (sl_conv_bn_act_opts){{1, {s->stride}},
                               {1, {s->kernel / 2}},
                               s->groups,
                               1e-5,
                               0.1,
                               s->training,
                               s->act};
}

static int out_size(const setup *s, int size) {
  return (size + 2 * (s->kernel / 2) - s->kernel) / s->stride + 1;
}

static sl_tensor *like_out(const setup *s, unsigned seed) {
  return t_random(seed, -1, 1, 4, s->n, out_size(s, s->h), out_size(s, s->w),
                  s->o);
}

static sl_tensor *leaf(sl_tensor *t) {
  ck_assert_int_eq(sl_require_grad(t, 1), SL_OK);
  return t;
}

static void make(const setup *s, sl_tensor **in) {
  in[SL_CBA_X] = leaf(t_random(1, -1, 1, 4, s->n, s->h, s->w, s->c));
  in[SL_CBA_WEIGHT] =
      leaf(t_random(2, -1, 1, 4, s->o, s->kernel, s->kernel, s->c / s->groups));
  in[SL_CBA_GAMMA] = leaf(t_random(3, 0.5f, 1.5f, 1, s->o));
  in[SL_CBA_BETA] = leaf(t_random(4, -1, 1, 1, s->o));
  in[SL_CBA_MEAN] = t_random(5, -1, 1, 1, s->o);
  in[SL_CBA_VAR] = t_random(6, 0.5f, 2, 1, s->o);
  in[SL_CBA_RESIDUAL] = s->residual ? leaf(like_out(s, 7)) : NULL;
}

static void release(sl_tensor **t, int n) {
  for (int i = 0; i < n; i++) {
    sl_tensor_release(t[i]);
    t[i] = NULL;
  }
}

/* The same from two ops. */
static sl_tensor *composed(const setup *s, sl_tensor *const *in) {
  const sl_conv2d_opts conv = {
      {1, {s->stride}}, {1, {s->kernel / 2}}, {1, {1}}, s->groups};
  const sl_norm_opts norm = {1e-5, 0.1, s->training, s->act};
  sl_tensor *y = t_run(SL_OP_conv2d, &conv, 2, in[SL_CBA_X], in[SL_CBA_WEIGHT]);
  sl_tensor *z =
      t_run(SL_OP_batch_norm, &norm, 6, y, in[SL_CBA_GAMMA], in[SL_CBA_BETA],
            in[SL_CBA_MEAN], in[SL_CBA_VAR], in[SL_CBA_RESIDUAL]);
  sl_tensor_release(y);
  return z;
}

static sl_tensor *fused(const setup *s, sl_tensor *const *in) {
  const sl_conv_bn_act_opts opts = opts_of(s);
  return t_run_in(SL_OP_conv_bn_act, &opts, in, INPUTS);
}

static void backward(sl_tensor *z, sl_tensor *seed) {
  ck_assert_msg(sl_backward(z, seed) == SL_OK, "%s", sl_error());
}

/* Within tol of the largest of b. */
static void near(sl_tensor *a, sl_tensor *b, double tol, const char *what) {
  double top = 0;
  ck_assert(sl_tensor_same_shape(a, b));
  ck_assert_int_eq(sl_tensor_materialise(a), SL_OK);
  ck_assert_int_eq(sl_tensor_materialise(b), SL_OK);
  for (int64_t i = 0; i < sl_tensor_count(b); i++)
    top = fmax(top, fabs((double)sl_f32(b)[i]));
  for (int64_t i = 0; i < sl_tensor_count(b); i++)
    ck_assert_msg(fabs((double)sl_f32(a)[i] - (double)sl_f32(b)[i]) <=
                      tol * (top + 1e-3),
                  "%s %lld of %s: %.8g, want %.8g", what, (long long)i,
                  sl_shape_text(a), (double)sl_f32(a)[i], (double)sl_f32(b)[i]);
}

static const char *const names[] = {"dx",   "dweight", "dgamma",   "dbeta",
                                    "mean", "var",     "dresidual"};

static void compare(sl_tensor *const *a, sl_tensor *const *b, double tol) {
  for (int i = 0; i < INPUTS; i++) {
    if (!a[i]) continue;
    const int running = i == SL_CBA_MEAN || i == SL_CBA_VAR;
    near(running ? a[i] : sl_grad(a[i]), running ? b[i] : sl_grad(b[i]), tol,
         names[i]);
  }
}

START_TEST(equals_two_ops) {
  const setup *s = &setups[_i];
  ck_assert_int_eq(sl_pool_resize(s->workers), SL_OK);
  sl_tensor *a[INPUTS], *b[INPUTS], *seed = like_out(s, 9);
  make(s, a);
  make(s, b);
  for (int times = 0; times < 2; times++) { /* the second adds up */
    sl_tensor *z = fused(s, a), *want = composed(s, b);
    ck_assert_int_eq(z->lazy != NULL, !s->residual);
    backward(z, seed);
    backward(want, seed);
    near(z, want, 2e-6, "z");
    compare(a, b, 2e-5);
    sl_tensor_release(z);
    sl_tensor_release(want);
  }
  release(a, INPUTS);
  release(b, INPUTS);
  sl_tensor_release(seed);
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
}
END_TEST

/* Without a tape nothing is saved, and nothing else changes. */
START_TEST(without_gradient) {
  const setup *s = &setups[_i];
  sl_tensor *a[INPUTS], *b[INPUTS];
  make(s, a);
  make(s, b);
  const int was = sl_tape_enable(0);
  sl_tensor *z = fused(s, a);
  sl_tape_enable(was);
  sl_tensor *want = fused(s, b);
  /* In eval mode the norm is folded into the weights, which rounds otherwise.
   */
  t_equal_tensors(z, want, s->training ? 0 : 1e-5);
  t_equal_tensors(a[SL_CBA_MEAN], b[SL_CBA_MEAN], 0);
  t_equal_tensors(a[SL_CBA_VAR], b[SL_CBA_VAR], 0);
  sl_tensor_release(z);
  sl_tensor_release(want);
  release(a, INPUTS);
  release(b, INPUTS);
}
END_TEST

/* --- a residual block: lazy into lazy, a lazy shortcut -------------------- */

typedef struct block {
  const setup *layers;
  sl_tensor *x, *p[3][INPUTS];
} block;

static const setup blocks[2][3] = {
    {
        {5, 8, 8, 16, 24, 1, 1, 1, 1, 0, SL_ACT_RELU, 0},
        {5, 8, 8, 24, 40, 3, 1, 1, 1, 0, SL_ACT_MISH, 0}, /* the shortcut */
        {5, 8, 8, 24, 40, 3, 1, 1, 1, 0, SL_ACT_RELU, 0},
    },
    {/* weights larger than activations */
     {2, 4, 4, 16, 64, 1, 1, 1, 1, 0, SL_ACT_RELU, 0},
     {2, 4, 4, 64, 176, 3, 1, 1, 1, 0, SL_ACT_MISH, 0},
     {2, 4, 4, 64, 176, 3, 1, 1, 1, 0, SL_ACT_RELU, 0}},
};

static void make_block(block *b, int which) {
  b->layers = blocks[which];
  for (int i = 0; i < 3; i++)
    make(&b->layers[i], b->p[i]);
  b->x = sl_tensor_retain(b->p[0][SL_CBA_X]);
}

static void replace(sl_tensor **p, sl_tensor *t) {
  sl_tensor_release(*p);
  *p = sl_tensor_retain(t);
}

typedef sl_tensor *layer_fn(const setup *s, sl_tensor *const *in);

/* z = relu(bn(conv(h)) + mish(bn(conv(h)))), h = relu(bn(conv(x))) */
static sl_tensor *run_block(block *b, layer_fn *f, int materialise) {
  sl_tensor *h = f(&b->layers[0], b->p[0]);
  if (materialise) ck_assert_int_eq(sl_tensor_materialise(h), SL_OK);
  replace(&b->p[1][SL_CBA_X], h);
  replace(&b->p[2][SL_CBA_X], h);
  sl_tensor *shortcut = f(&b->layers[1], b->p[1]);
  if (materialise) ck_assert_int_eq(sl_tensor_materialise(shortcut), SL_OK);
  replace(&b->p[2][SL_CBA_RESIDUAL], shortcut);
  sl_tensor *z = f(&b->layers[2], b->p[2]);
  if (f == fused) ck_assert_int_eq(h->lazy != NULL, !materialise);
  if (f == fused) ck_assert_int_eq(shortcut->lazy != NULL, !materialise);
  sl_tensor_release(h);
  sl_tensor_release(shortcut);
  return z;
}

static void free_block(block *b) {
  for (int i = 0; i < 3; i++)
    release(b->p[i], INPUTS);
  sl_tensor_release(b->x);
}

static void compare_blocks(block *a, block *b, double tol) {
  near(sl_grad(a->x), sl_grad(b->x), tol, "dx");
  for (int i = 0; i < 3; i++) {
    sl_tensor *from[INPUTS] = {0}, *to[INPUTS] = {0};
    memcpy(&from[1], &a->p[i][1], 5 * sizeof *from);
    memcpy(&to[1], &b->p[i][1], 5 * sizeof *to);
    compare(from, to, tol);
  }
}

START_TEST(lazy_block) {
  const int workers = 1 + _i / 2 % 4, materialise = _i % 2;
  ck_assert_int_eq(sl_pool_resize(workers), SL_OK);
  block a = {0}, b = {0};
  make_block(&a, _i / 8);
  make_block(&b, _i / 8);
  sl_tensor *z = run_block(&a, fused, materialise);
  sl_tensor *want = run_block(&b, composed, 0);
  near(z, want, 5e-6, "z");
  sl_tensor *seed = like_out(&a.layers[2], 9);
  backward(z, seed);
  backward(want, seed);
  compare_blocks(&a, &b, 5e-5);
  sl_tensor *all[] = {z, want, seed};
  release(all, 3);
  free_block(&a);
  free_block(&b);
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
}
END_TEST

/* Same workers, same bits. */
START_TEST(same_bits) {
  const int which = _i / 4;
  ck_assert_int_eq(sl_pool_resize(1 + _i % 4), SL_OK);
  block b[2] = {0};
  sl_tensor *seed = like_out(&blocks[which][2], 9), *z[2];
  for (int i = 0; i < 2; i++) {
    make_block(&b[i], which);
    z[i] = run_block(&b[i], fused, 0);
    backward(z[i], seed);
  }
  t_equal_tensors(z[0], z[1], 0);
  compare_blocks(&b[0], &b[1], 0);
  sl_tensor *all[] = {z[0], z[1], seed};
  release(all, 3);
  free_block(&b[0]);
  free_block(&b[1]);
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
}
END_TEST

/* --- odds and ends -------------------------------------------------------- */

START_TEST(gradcheck) {
  const setup s = {3, 4, 4, 4, 6, 3, 1, 2, _i % 2, _i / 2 % 2, SL_ACT_SILU, 0};
  const sl_conv_bn_act_opts opts = opts_of(&s);
  sl_tensor *in[INPUTS];
  make(&s, in);
  const int leaves[] = {SL_CBA_X, SL_CBA_WEIGHT, SL_CBA_GAMMA, SL_CBA_BETA,
                        SL_CBA_RESIDUAL};
  for (int i = 0; i < 4 + s.residual; i++)
    t_gradcheck(SL_OP_conv_bn_act, in, INPUTS, &opts, leaves[i], 1e-2, 5e-3);
  release(in, INPUTS);
}
END_TEST

/* The first layer's x, frozen weights and frozen batch norms get none. */
START_TEST(some_gradients) {
  const setup *s = &setups[1];
  sl_tensor *a[INPUTS], *b[INPUTS], *seed = like_out(s, 9);
  const int leaves[] = {SL_CBA_X, SL_CBA_WEIGHT, SL_CBA_GAMMA, SL_CBA_BETA,
                        SL_CBA_RESIDUAL};
  make(s, a);
  make(s, b);
  for (int i = 0; i < 5; i++)
    ck_assert_int_eq(sl_require_grad(a[leaves[i]], i == _i), SL_OK);
  sl_tensor *z = fused(s, a), *want = composed(s, b);
  backward(z, seed);
  backward(want, seed);
  for (int i = 0; i < 5; i++) {
    sl_tensor *have = sl_grad(a[leaves[i]]);
    ck_assert_int_eq(have != NULL, i == _i);
    if (have) near(have, sl_grad(b[leaves[i]]), 2e-5, names[leaves[i]]);
  }
  sl_tensor *all[] = {z, want, seed};
  release(all, 3);
  release(a, INPUTS);
  release(b, INPUTS);
}
END_TEST

START_TEST(x_as_residual) {
  const setup s = {3, 4, 4, 6, 6, _i ? 3 : 1, 1, 1, 1, 0, SL_ACT_SILU, 0};
  const sl_conv_bn_act_opts opts = opts_of(&s);
  sl_tensor *in[INPUTS];
  make(&s, in);
  in[SL_CBA_RESIDUAL] = in[SL_CBA_X];
  t_gradcheck(SL_OP_conv_bn_act, in, INPUTS, &opts, SL_CBA_X, 1e-2, 5e-3);
  in[SL_CBA_RESIDUAL] = NULL;
  release(in, INPUTS);
}
END_TEST

/* Somebody reads the lazy result before backward: nothing changes. */
START_TEST(read_in_between) {
  const setup *s = &setups[0];
  sl_tensor *a[INPUTS], *b[INPUTS], *seed = like_out(s, 9);
  make(s, a);
  make(s, b);
  sl_tensor *z = fused(s, a), *twin = fused(s, b);
  ck_assert_int_eq(sl_tensor_materialise(z), SL_OK);
  backward(z, seed);
  backward(twin, seed);
  compare(a, b, 0);
  sl_tensor *all[] = {z, twin, seed};
  release(all, 3);
  release(a, INPUTS);
  release(b, INPUTS);
}
END_TEST

/* Out of memory anywhere: an error, nothing leaked, and the next call works. */
START_TEST(out_of_memory) {
  const setup *s = &setups[_i];
  sl_tensor *in[INPUTS], *out[SL_OP_MAX_OUT] = {0}, *seed = like_out(s, 9);
  const sl_conv_bn_act_opts o = opts_of(s);
  make(s, in);
  int failures = 0;
  for (int n = 1; n < 60; n++) {
    sl_cpu.trim(); /* or the allocator has what is asked for */
    sl_alloc_fail_at(n);
    sl_status status = sl_op_run(SL_OP_conv_bn_act, in, INPUTS, &o, out);
    if (status == SL_OK) status = sl_backward(out[0], seed);
    sl_alloc_fail_at(0);
    ck_assert_msg(status == SL_OK || status == SL_ENOMEM, "%s", sl_error());
    failures += status != SL_OK;
    sl_tensor_release(out[0]);
    out[0] = NULL;
  }
  ck_assert_int_gt(failures, 0);
  sl_tensor *z = fused(s, in);
  sl_tensor_release(z);
  sl_tensor_release(seed);
  release(in, INPUTS);
}
END_TEST

START_TEST(errors) {
  const setup s = {1, 1, 1, 4, 6, 1, 1, 1, 1, 0, SL_ACT_RELU, 0};
  const sl_conv_bn_act_opts o = opts_of(&s);
  sl_tensor *in[INPUTS];
  make(&s, in);
  t_fails("more than one value per channel", SL_OP_conv_bn_act, &o, 6, in[0],
          in[1], in[2], in[3], in[4], in[5]);
  t_fails("gamma must be f32 (6), not f32 (6, 1, 1, 4)", SL_OP_conv_bn_act, &o,
          6, in[0], in[1], in[1], in[3], in[4], in[5]);
  sl_conv_bn_act_opts eval = o;
  eval.training = 0;
  t_fails("residual is f32 (1, 1, 1, 4) but the result f32 (1, 1, 1, 6)",
          SL_OP_conv_bn_act, &eval, 7, in[0], in[1], in[2], in[3], in[4], in[5],
          in[0]);
  sl_tensor *wide = t_random(1, 0, 1, 4, 1, 1, 1, 6);
  t_fails("x has 6 channels but weight is for 4", SL_OP_conv_bn_act, &eval, 6,
          wide, in[1], in[2], in[3], in[4], in[5]);
  sl_tensor_release(wide);
  release(in, INPUTS);
}
END_TEST

START_TEST(lua_face) {
  t_lua("local x, w = sota.ones(2, 4, 4, 3), sota.ones(8, 3, 3, 3)\n"
        "local one, zero = sota.ones(8), sota.zeros(8)\n"
        "local z = sota.conv_bn_act(x, w, one, zero, zero, one,\n"
        "  {padding = 1, act = 'relu', eps = 0})\n"
        "assert(z:shape()[4] == 8 and z:totable()[1][2][2][1] == 27)\n"
        "fails('momentum', sota.conv_bn_act, x, w, one, zero, zero, one,\n"
        "  {momentum = 2})\n");
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("conv_bn_act", &tc);
  tcase_add_loop_test(tc, equals_two_ops, 0, SETUPS);
  tcase_add_loop_test(tc, without_gradient, 0, SETUPS);
  tcase_add_loop_test(tc, lazy_block, 0, 16);
  tcase_add_loop_test(tc, same_bits, 0, 8);
  tcase_add_loop_test(tc, gradcheck, 0, 4);
  tcase_add_loop_test(tc, some_gradients, 0, 5);
  tcase_add_loop_test(tc, x_as_residual, 0, 2);
  tcase_add_test(tc, read_in_between);
  tcase_add_loop_test(tc, out_of_memory, 0, 2);
  tcase_add_test(tc, errors);
  tcase_add_test(tc, lua_face);
  return t_main(s);
}
