/* test_conv2d.c -- convolution and its gradients against loops in f64, for
 * every kind of shape, any number of workers, lazy inputs, errors. */
#include "ops/conv2d.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "support.h"

typedef struct shape {
  int n, h, w, c, o, kh, kw, stride[2], padding[2], dilation[2], groups, bias;
} shape;

static const shape shapes[] = {
    {1, 5, 5, 3, 4, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1, 0},
    {5, 9, 7, 3, 16, 3, 3, {2, 2}, {1, 1}, {1, 1}, 1, 1},
    {7, 8, 8, 16, 32, 1, 1, {1, 1}, {0, 0}, {1, 1}, 1, 0},
    {3, 4, 4, 5, 10, 1, 1, {1, 1}, {0, 0}, {1, 1}, 1, 1},
    {3, 8, 6, 16, 24, 1, 1, {2, 2}, {0, 0}, {1, 1}, 1, 0},
    {2, 20, 20, 3, 8, 7, 7, {2, 2}, {3, 3}, {1, 1}, 1, 0},
    {3, 8, 8, 16, 32, 3, 3, {1, 1}, {1, 1}, {1, 1}, 4, 1},
    {2, 7, 7, 12, 12, 3, 3, {2, 2}, {1, 1}, {1, 1}, 12, 0},
    {2, 9, 9, 8, 8, 3, 3, {1, 1}, {2, 2}, {2, 2}, 1, 0},
    {2, 9, 10, 4, 6, 3, 1, {2, 1}, {1, 0}, {1, 1}, 2, 1},
    {1, 4, 4, 1, 1, 4, 4, {1, 1}, {0, 0}, {1, 1}, 1, 0},
    {4, 6, 6, 32, 48, 2, 2, {2, 2}, {0, 0}, {1, 1}, 1, 0},
    {17, 8, 8, 16, 16, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1, 0},
    {2, 3, 3, 128, 128, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1, 0},
    {33, 16, 16, 32, 64, 1, 1, {1, 1}, {0, 0}, {1, 1}, 1, 0},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static sl_conv2d_opts opts_of(const shape *s) {
  return (sl_conv2d_opts){{2, {s->stride[0], s->stride[1]}},
                          {2, {s->padding[0], s->padding[1]}},
                          {2, {s->dilation[0], s->dilation[1]}},
                          s->groups};
}

static int out_h(const shape *s) {
  return (s->h + 2 * s->padding[0] - s->dilation[0] * (s->kh - 1) - 1) /
             s->stride[0] +
         1;
}

static int out_w(const shape *s) {
  return (s->w + 2 * s->padding[1] - s->dilation[1] * (s->kw - 1) - 1) /
             s->stride[1] +
         1;
}

typedef struct answer {
  double *y, *dx, *dw, *db;
} answer;

/* One output pixel: y, and its part of every gradient. */
static void pixel(const shape *s, const float *x, const float *w,
                  const float *b, const float *dy, answer *a, int n, int p,
                  int q, int o) {
  const int ipg = s->c / s->groups, first = o / (s->o / s->groups) * ipg;
  const int at = ((n * out_h(s) + p) * out_w(s) + q) * s->o + o;
  const double g = (double)dy[at];
  double sum = b ? (double)b[o] : 0;
  a->db[o] += g;
  for (int i = 0; i < s->kh; i++) {
    for (int j = 0; j < s->kw; j++) {
      const int h = p * s->stride[0] + i * s->dilation[0] - s->padding[0];
      const int v = q * s->stride[1] + j * s->dilation[1] - s->padding[1];
      if (h < 0 || h >= s->h || v < 0 || v >= s->w) continue;
      for (int c = 0; c < ipg; c++) {
        const int ix = ((n * s->h + h) * s->w + v) * s->c + first + c;
        const int iw = ((o * s->kh + i) * s->kw + j) * ipg + c;
        sum += (double)x[ix] * (double)w[iw];
        a->dx[ix] += g * (double)w[iw];
        a->dw[iw] += g * (double)x[ix];
      }
    }
  }
  a->y[at] = sum;
}

static void naive(const shape *s, const float *x, const float *w,
                  const float *b, const float *dy, answer *a) {
  const int ipg = s->c / s->groups;
  a->y = calloc((size_t)(s->n * out_h(s) * out_w(s) * s->o), sizeof(double));
  a->dx = calloc((size_t)(s->n * s->h * s->w * s->c), sizeof(double));
  a->dw = calloc((size_t)(s->o * s->kh * s->kw * ipg), sizeof(double));
  a->db = calloc((size_t)s->o, sizeof(double));
  for (int n = 0; n < s->n; n++)
    for (int p = 0; p < out_h(s); p++)
      for (int q = 0; q < out_w(s); q++)
        for (int o = 0; o < s->o; o++)
          pixel(s, x, w, b, dy, a, n, p, q, o);
}

static void answer_free(answer *a) {
  free(a->y);
  free(a->dx);
  free(a->dw);
  free(a->db);
}

/* Within tol of the largest value: sums of many terms cancel. */
static void near(const sl_tensor *t, const double *want, double times,
                 double tol, const char *what) {
  const int64_t n = sl_tensor_count(t);
  double top = 0;
  for (int64_t i = 0; i < n; i++)
    top = fmax(top, fabs(want[i] * times));
  for (int64_t i = 0; i < n; i++)
    ck_assert_msg(fabs((double)sl_f32(t)[i] - want[i] * times) <=
                      tol * (top + 1e-3),
                  "%s %lld of %s: %.8g, want %.8g", what, (long long)i,
                  sl_shape_text(t), (double)sl_f32(t)[i], want[i] * times);
}

typedef struct tensors {
  sl_tensor *in[3], *dy;
} tensors;

static tensors make(const shape *s) {
  tensors t = {{t_random(1, -1, 1, 4, s->n, s->h, s->w, s->c),
                t_random(2, -1, 1, 4, s->o, s->kh, s->kw, s->c / s->groups),
                s->bias ? t_random(3, -1, 1, 1, s->o) : NULL},
               t_random(4, -1, 1, 4, s->n, out_h(s), out_w(s), s->o)};
  for (int i = 0; i < 3; i++)
    if (t.in[i]) ck_assert_int_eq(sl_require_grad(t.in[i], 1), SL_OK);
  return t;
}

static void tensors_free(tensors *t) {
  for (int i = 0; i < 3; i++)
    sl_tensor_release(t->in[i]);
  sl_tensor_release(t->dy);
}

static sl_tensor *there_and_back(const shape *s, const tensors *t) {
  const sl_conv2d_opts opts = opts_of(s);
  sl_tensor *y = t_run_in(SL_OP_conv2d, &opts, t->in, 3);
  ck_assert_msg(sl_backward(y, t->dy) == SL_OK, "%s", sl_error());
  return y;
}

static void check(const shape *s, const tensors *t, const answer *a,
                  double times) {
  near(sl_grad(t->in[0]), a->dx, times, 2e-5, "dx");
  near(sl_grad(t->in[1]), a->dw, times, 2e-5, "dweight");
  if (s->bias) near(sl_grad(t->in[2]), a->db, times, 2e-5, "dbias");
}

START_TEST(values_and_gradients) {
  const shape *s = &shapes[_i % SHAPES];
  ck_assert_int_eq(sl_pool_resize(1 + _i / SHAPES), SL_OK);
  tensors t = make(s);
  answer a;
  naive(s, sl_f32(t.in[0]), sl_f32(t.in[1]), s->bias ? sl_f32(t.in[2]) : NULL,
        sl_f32(t.dy), &a);
  sl_tensor *y = there_and_back(s, &t);
  near(y, a.y, 1, 1e-5, "y");
  check(s, &t, &a, 1);
  sl_tensor *again = there_and_back(s, &t); /* gradients add up */
  check(s, &t, &a, 2);
  ck_assert_mem_eq(sl_f32(y), sl_f32(again), sl_tensor_bytes(y));
  answer_free(&a);
  sl_tensor_release(y);
  sl_tensor_release(again);
  tensors_free(&t);
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
}
END_TEST

/* The same number of workers gives the same bits every time. */
START_TEST(same_bits) {
  const shape *s = &shapes[12];
  ck_assert_int_eq(sl_pool_resize(3), SL_OK);
  tensors t = make(s);
  sl_tensor *first[3] = {0};
  for (int run = 0; run < 4; run++) {
    for (int i = 0; i < 2; i++)
      sl_grad_clear(t.in[i]);
    sl_tensor *y = there_and_back(s, &t);
    for (int i = 0; i < 3; i++) {
      sl_tensor *now = i < 2 ? sl_grad(t.in[i]) : y;
      if (run == 0)
        ck_assert_int_eq(sl_tensor_copy(&first[i], now, &sl_cpu, SL_F32),
                         SL_OK);
      ck_assert_mem_eq(sl_f32(first[i]), sl_f32(now), sl_tensor_bytes(now));
    }
    sl_tensor_release(y);
  }
  for (int i = 0; i < 3; i++)
    sl_tensor_release(first[i]);
  tensors_free(&t);
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
}
END_TEST

/* Only the weight, only x, only the bias: the rest is not computed. */
START_TEST(some_gradients) {
  const shape *s = &shapes[6];
  tensors t = make(s);
  answer a;
  naive(s, sl_f32(t.in[0]), sl_f32(t.in[1]), sl_f32(t.in[2]), sl_f32(t.dy), &a);
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq(sl_require_grad(t.in[i], i == _i), SL_OK);
  sl_tensor_release(there_and_back(s, &t));
  const double *want[] = {a.dx, a.dw, a.db};
  for (int i = 0; i < 3; i++) {
    if (i == _i) near(sl_grad(t.in[i]), want[i], 1, 2e-5, "gradient");
    if (i != _i) ck_assert(sl_grad(t.in[i]) == NULL);
  }
  answer_free(&a);
  tensors_free(&t);
}
END_TEST

START_TEST(gradcheck) {
  const sl_conv2d_opts opts = {{1, {2}}, {1, {1}}, {1, {1}}, 2};
  sl_tensor *in[] = {t_random(1, -1, 1, 4, 2, 4, 5, 4),
                     t_random(2, -1, 1, 4, 6, 3, 3, 2),
                     t_random(3, -1, 1, 1, 6)};
  for (int i = 0; i < 3; i++)
    t_gradcheck(SL_OP_conv2d, in, 3, &opts, i, 0.05, 1e-3);
  for (int i = 0; i < 3; i++)
    sl_tensor_release(in[i]);
}
END_TEST

/* A lazy x gives what its value gives, and is not materialised. */
START_TEST(lazy_input) {
  const int which[] = {12, 2, 13}; /* images, pixels, split by channels */
  const shape *s = &shapes[which[_i]];
  const sl_conv2d_opts opts = opts_of(s);
  sl_tensor *y = t_random(1, -1, 1, 4, s->n, s->h, s->w, s->c);
  sl_tensor *scale = t_random(2, -2, 2, 1, s->c);
  sl_tensor *shift = t_random(3, -1, 1, 1, s->c);
  sl_tensor *w = t_random(4, -1, 1, 4, s->o, s->kh, s->kw, s->c);
  sl_tensor *dy = t_random(5, -1, 1, 4, s->n, out_h(s), out_w(s), s->o);
  ck_assert_int_eq(sl_require_grad(w, 1), SL_OK);
  sl_tensor *x[2] = {0}, *out[2], *dw[2];
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(sl_tensor_lazy(&x[i], y, scale, shift, SL_ACT_RELU),
                     SL_OK);
    if (i) ck_assert_int_eq(sl_tensor_materialise(x[i]), SL_OK);
    sl_grad_clear(w);
    out[i] = t_run(SL_OP_conv2d, &opts, 2, x[i], w);
    ck_assert_int_eq(sl_backward(out[i], dy), SL_OK);
    ck_assert_int_eq(sl_tensor_copy(&dw[i], sl_grad(w), &sl_cpu, SL_F32),
                     SL_OK);
  }
  ck_assert(x[0]->lazy != NULL);
  t_equal_tensors(out[0], out[1], 0);
  t_equal_tensors(dw[0], dw[1], 0);
  for (int i = 0; i < 2; i++) {
    sl_tensor_release(x[i]);
    sl_tensor_release(out[i]);
    sl_tensor_release(dw[i]);
  }
  sl_tensor *all[] = {y, scale, shift, w, dy};
  for (int i = 0; i < 5; i++)
    sl_tensor_release(all[i]);
}
END_TEST

START_TEST(errors) {
  sl_tensor *x = t_zeros(SL_F32, 4, 2, 4, 4, 6);
  sl_tensor *flat = t_zeros(SL_F32, 2, 4, 6),
            *u8 = t_zeros(SL_U8, 4, 1, 1, 1, 1);
  sl_tensor *w = t_zeros(SL_F32, 4, 8, 3, 3, 6);
  sl_tensor *w3 = t_zeros(SL_F32, 4, 8, 3, 3, 3);
  sl_tensor *big = t_zeros(SL_F32, 4, 8, 7, 3, 6), *b = t_zeros(SL_F32, 1, 7);
  sl_tensor *none = t_zeros(SL_F32, 4, 0, 4, 4, 6);
  sl_conv2d_opts o = {{1, {1}}, {1, {1}}, {1, {1}}, 1};
  t_fails("x has 6 channels but weight is for 3", SL_OP_conv2d, &o, 2, x, w3);
  t_fails("kernel's height is 7 but x has only 6 with its padding",
          SL_OP_conv2d, &o, 2, x, big);
  t_fails("bias must be f32 (8), not f32 (7)", SL_OP_conv2d, &o, 3, x, w, b);
  t_fails("x must be f32 or bf16 (N, H, W, C), not f32 (4, 6)", SL_OP_conv2d,
          &o, 2, flat, w);
  t_fails("x must be f32 or bf16 (N, H, W, C), not u8", SL_OP_conv2d, &o, 2, u8,
          w);
  t_fails("x is empty", SL_OP_conv2d, &o, 2, none, w);
  o.groups = 4;
  t_fails("groups = 4 does not divide both 6 input and 8 output channels",
          SL_OP_conv2d, &o, 2, x, w);
  o.groups = 2;
  t_fails("x has 3 channels per group but weight is for 6", SL_OP_conv2d, &o, 2,
          x, w);
  o = (sl_conv2d_opts){{3, {1, 1, 1}}, {1, {1}}, {1, {1}}, 1};
  t_fails("'stride' is one number or {height, width}", SL_OP_conv2d, &o, 2, x,
          w);
  sl_tensor *all[] = {x, flat, u8, w, w3, big, b, none};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    sl_tensor_release(all[i]);
}
END_TEST

START_TEST(lua_face) {
  t_lua("local x, w = sota.ones(1, 5, 5, 3), sota.ones(2, 3, 3, 3)\n"
        "local y = sota.conv2d(x, w, {padding = 1, stride = 2})\n"
        "assert(y:shape()[2] == 3 and y:shape()[4] == 2)\n"
        "assert(y:totable()[1][2][2][1] == 27)\n"
        "assert(y:totable()[1][1][1][1] == 12)\n"
        "fails('groups', sota.conv2d, x, w, {groups = 0})\n"
        "fails('stride', sota.conv2d, x, w, {strid = 2})\n");
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("conv2d", &tc);
  tcase_add_loop_test(tc, values_and_gradients, 0, SHAPES * 4);
  tcase_add_test(tc, same_bits);
  tcase_add_loop_test(tc, some_gradients, 0, 3);
  tcase_add_test(tc, gradcheck);
  tcase_add_loop_test(tc, lazy_input, 0, 3);
  tcase_add_test(tc, errors);
  tcase_add_test(tc, lua_face);
  return t_main(s);
}
