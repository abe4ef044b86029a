/* test_conv_amx.c -- forward and the input's gradient in tiles of AMX against
 * the plain sum.
 *
 * Values are small integers, so that every product and sum is exact in f32, and
 * is rounded once: results must be equal. Memory is NaN before it is written;
 * what lies behind the output must stay as it was. Without AMX only the choice
 * of kernels is tested. */
#include "cpu/conv_amx.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "cpu/amx.h"
#include "support.h"

typedef struct pair {
  int h, v;
} pair;

typedef struct setup {
  int n, h, w, c, o;
  pair kernel, stride, padding, dilation;
} setup;

static const setup setups[] = {
    /* plain products: whole blocks, what is left of one, any channels */
    {1, 1, 32, 32, 32, {1, 1}, {1, 1}, {0, 0}, {1, 1}},
    {1, 1, 1, 64, 16, {1, 1}, {1, 1}, {0, 0}, {1, 1}},
    {2, 5, 9, 64, 96, {1, 1}, {1, 1}, {0, 0}, {1, 1}},
    {3, 7, 7, 17, 100, {1, 1}, {1, 1}, {0, 0}, {1, 1}},
    {1, 8, 12, 100, 33, {1, 1}, {1, 1}, {0, 0}, {1, 1}},
    /* 1x1 that is no plain product */
    {3, 6, 6, 64, 48, {1, 1}, {2, 2}, {0, 0}, {1, 1}},
    {2, 5, 5, 16, 32, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
    /* square kernels */
    {1, 7, 7, 32, 32, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {5, 8, 6, 64, 64, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {4, 4, 4, 96, 48, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {3, 9, 9, 16, 48, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
    {4, 8, 8, 17, 100, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
    {3, 11, 8, 27, 20, {5, 5}, {1, 1}, {2, 2}, {1, 1}},
    {2, 17, 16, 16, 64, {7, 7}, {2, 2}, {3, 3}, {1, 1}},
    {2, 13, 15, 48, 16, {7, 7}, {4, 4}, {3, 3}, {1, 1}},
    {3, 12, 12, 16, 48, {3, 3}, {3, 3}, {1, 1}, {1, 1}},
    {2, 12, 11, 100, 32, {2, 2}, {4, 4}, {0, 0}, {1, 1}},
    /* a weight that is gone through once: more than a MiB */
    {1, 6, 6, 256, 288, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    /* every axis its own */
    {3, 9, 14, 32, 48, {3, 5}, {1, 2}, {1, 0}, {1, 1}},
    {2, 14, 9, 17, 16, {1, 7}, {3, 1}, {0, 3}, {1, 1}},
    {3, 10, 13, 64, 16, {2, 3}, {2, 4}, {0, 2}, {2, 3}},
    /* dilation; padding that reaches past all pixels; none at all */
    {3, 9, 9, 16, 32, {3, 3}, {1, 1}, {2, 2}, {2, 2}},
    {2, 12, 12, 48, 16, {3, 3}, {2, 2}, {4, 4}, {4, 4}},
    {2, 12, 12, 16, 17, {3, 3}, {3, 3}, {2, 2}, {3, 3}},
    {3, 4, 4, 27, 16, {3, 3}, {1, 1}, {3, 3}, {1, 1}},
    {2, 3, 2, 16, 16, {3, 3}, {2, 2}, {5, 5}, {1, 1}},
    {1, 2, 2, 16, 16, {2, 2}, {3, 3}, {4, 4}, {3, 3}},
    {3, 3, 3, 64, 64, {3, 3}, {1, 1}, {0, 0}, {1, 1}},
    {2, 1, 1, 32, 32, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
};
enum { SETUPS = sizeof setups / sizeof *setups, GUARD = 64 };

static int64_t out_size(int size, int kernel, int stride, int padding,
                        int dilation) {
  return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

static sl_conv_geometry geometry_of(const setup *s) {
  return (sl_conv_geometry){
      s->n,
      s->h,
      s->w,
      s->c,
      s->o,
      s->kernel.h,
      s->kernel.v,
      out_size(s->h, s->kernel.h, s->stride.h, s->padding.h, s->dilation.h),
      out_size(s->w, s->kernel.v, s->stride.v, s->padding.v, s->dilation.v),
      {s->stride.h, s->stride.v},
      {s->padding.h, s->padding.v},
      {s->dilation.h, s->dilation.v},
      1};
}

static int is_product(const sl_conv_geometry *g) {
  return g->kh * g->kw == 1 && g->stride[0] * g->stride[1] == 1 &&
         g->padding[0] + g->padding[1] == 0;
}

/* --- a problem ------------------------------------------------------------ */

/* What is asked for beside the product. */
typedef struct extra {
  int lazy, relu, bias, end_relu, add;
} extra;

typedef struct problem {
  sl_conv_geometry g;
  int back;
  int64_t in_n, out_n, in_c, out_c;
  sl_bf16 *in, *out, *before;
  float *weight, *scale, *shift, *bias;
} problem;

/* Whole numbers in -2..2. */
static float *values(int64_t n, uint32_t item) {
  float *v = sl_alloc_data((size_t)n * sizeof *v);
  sl_rng r = sl_rng_at(1, 2, item, SL_RNG_USER);
  for (int64_t i = 0; i < n; i++)
    v[i] = (float)sl_rng_below(&r, 5) - 2.0F;
  return v;
}

static sl_bf16 *typed(int64_t n, uint32_t item) {
  float *v = values(n, item);
  sl_bf16 *b = sl_alloc_data((size_t)n * sizeof *b);
  for (int64_t i = 0; i < n; i++)
    b[i] = sl_bf16_from_f32(v[i]);
  sl_free_data(v);
  return b;
}

static problem problem_of(const setup *s, int back) {
  const sl_conv_geometry g = geometry_of(s);
  const int64_t x = g.n * g.h * g.w * g.c, y = g.n * g.oh * g.ow * g.o;
  problem p = {.g = g,
               .back = back,
               .in_n = back ? y : x,
               .out_n = back ? x : y,
               .in_c = back ? g.o : g.c,
               .out_c = back ? g.c : g.o};
  p.in = typed(p.in_n, 1);
  p.out = typed(p.out_n + GUARD, 2);
  p.before = sl_alloc_data((size_t)(p.out_n + GUARD) * sizeof *p.before);
  memcpy(p.before, p.out, (size_t)(p.out_n + GUARD) * sizeof *p.out);
  p.weight = values(g.o * g.kh * g.kw * g.c, 3);
  p.scale = values(p.in_c, 4);
  p.shift = values(p.in_c, 5);
  p.bias = values(p.out_c, 6);
  return p;
}

static void problem_free(problem *p) {
  void *all[] = {p->in,    p->out,   p->before, p->weight,
                 p->scale, p->shift, p->bias};
  for (int i = 0; i < 7; i++)
    sl_free_data(all[i]);
}

/* --- the plain sum -------------------------------------------------------- */

static float read_in(const problem *p, const extra *e, int64_t pixel,
                     int64_t c) {
  float v = sl_bf16_to_f32(p->in[pixel * p->in_c + c]);
  if (!e->lazy) return v;
  v = v * p->scale[c] + p->shift[c];
  return e->relu && v < 0 ? 0 : v;
}

/* Over all channels of the input's pixel, for one point of the kernel. */
static float dot(const problem *p, const extra *e, int64_t pixel, int64_t point,
                 int64_t out) {
  const int64_t points = p->g.kh * p->g.kw;
  float sum = 0;
  for (int64_t c = 0; c < p->in_c; c++) {
    const int64_t o = p->back ? c : out, i = p->back ? out : c;
    sum +=
        read_in(p, e, pixel, c) * p->weight[(o * points + point) * p->g.c + i];
  }
  return sum;
}

/* Where the pixel at `at` of the output finds the input's by a point of the
 * kernel along an axis; -1: nowhere. */
static int64_t meets(const problem *p, int axis, int64_t at, int64_t k) {
  const sl_conv_geometry *g = &p->g;
  const int64_t s = g->stride[axis];
  const int64_t off = k * g->dilation[axis] - g->padding[axis];
  const int64_t x = axis ? g->w : g->h, y = axis ? g->ow : g->oh;
  if (!p->back) {
    const int64_t from = at * s + off;
    return from >= 0 && from < x ? from : -1;
  }
  const int64_t from = at - off;
  return from >= 0 && from % s == 0 && from / s < y ? from / s : -1;
}

static float plain(const problem *p, const extra *e, int64_t pixel,
                   int64_t out) {
  const sl_conv_geometry *g = &p->g;
  const int64_t height = p->back ? g->h : g->oh, width = p->back ? g->w : g->ow;
  const int64_t in_h = p->back ? g->oh : g->h, in_w = p->back ? g->ow : g->w;
  const int64_t m = pixel / (height * width), q = pixel % (height * width);
  float sum = 0;
  for (int64_t i = 0; i < g->kh; i++)
    for (int64_t j = 0; j < g->kw; j++) {
      const int64_t h = meets(p, 0, q / width, i);
      const int64_t v = meets(p, 1, q % width, j);
      if (h >= 0 && v >= 0)
        sum += dot(p, e, (m * in_h + h) * in_w + v, i * g->kw + j, out);
    }
  if (e->bias) sum += p->bias[out];
  if (e->end_relu && sum < 0) sum = 0;
  if (e->add) sum += sl_bf16_to_f32(p->before[pixel * p->out_c + out]);
  return sum;
}

/* -------------------------------------------------------------------------- */

static void run(problem *p, const extra *e) {
  const int product = is_product(&p->g);
  const sl_conv_amx v = sl_conv_amx_new(&p->g, p->back, product);
  const int64_t units = product ? p->g.n * p->g.h * p->g.w : p->g.n;
  const size_t weight = sl_conv_amx_weight_bytes(&v);
  const size_t scratch = sl_conv_amx_scratch_bytes(&v, units);
  char *packed = sl_alloc_data(weight), *room = sl_alloc_data(scratch);
  memset(packed, 0xff, weight);
  memset(room, 0xff, scratch);
  for (int i = 0; i < 3; i++)
    sl_conv_amx_pack(&v, p->weight, packed, i, 3);
  const sl_lazy_rows in = {p->in, e->lazy ? p->scale : NULL, p->shift, e->relu};
  const sl_conv_amx_out out = {p->out, e->bias ? p->bias : NULL, e->end_relu,
                               e->add};
  sl_conv_amx_run(&v, units, &in, packed, &out, room);
  sl_free_data(packed);
  sl_free_data(room);
}

static void check(const setup *s, int back, const extra *e, int number) {
  problem p = problem_of(s, back);
  run(&p, e);
  for (int64_t i = 0; i < p.out_n; i++) {
    const float want = plain(&p, e, i / p.out_c, i % p.out_c);
    ck_assert_msg(p.out[i] == sl_bf16_from_f32(want),
                  "setup %d%s: element %lld is %g, not %g", number,
                  back ? ", back" : "", (long long)i,
                  (double)sl_bf16_to_f32(p.out[i]), (double)want);
  }
  for (int64_t i = p.out_n; i < p.out_n + GUARD; i++)
    ck_assert_int_eq(p.out[i], p.before[i]);
  problem_free(&p);
}

static const extra extras[] = {
    {0, 0, 0, 0, 0}, {1, 1, 0, 0, 0}, {1, 0, 0, 0, 1},
    {0, 0, 1, 1, 0}, {0, 0, 1, 0, 1},
};
enum { EXTRAS = sizeof extras / sizeof *extras };

START_TEST(same_as_the_plain_sum) {
  if (!sl_amx_usable()) return;
  for (int e = 0; e < EXTRAS; e++)
    for (int back = 0; back < 2; back++)
      check(&setups[_i], back, &extras[e], _i);
}
END_TEST

/* NaN goes through rectifiers and sums. */
START_TEST(nan_stays) {
  if (!sl_amx_usable()) return;
  problem p = problem_of(&setups[7], 0);
  const extra e = {1, 1, 0, 1, 0};
  p.in[5] = sl_bf16_from_f32(NAN);
  for (int64_t i = 0; i < p.g.o * 9 * p.g.c; i++)
    p.weight[i] = 1;
  run(&p, &e);
  ck_assert(isnan(sl_bf16_to_f32(p.out[0])));
  ck_assert(!isnan(sl_bf16_to_f32(p.out[p.out_n - 1])));
  problem_free(&p);
}
END_TEST

START_TEST(what_it_can) {
  sl_conv_geometry g = geometry_of(&setups[7]);
  ck_assert_int_eq(sl_conv_amx_can(&g, SL_BF16), sl_amx_usable());
  ck_assert(!sl_conv_amx_can(&g, SL_F32));
  g.groups = 2;
  ck_assert(!sl_conv_amx_can(&g, SL_BF16));
  g.groups = 1;
  g.stride[1] = SL_AMX_STRIDES + 1;
  ck_assert(!sl_conv_amx_can(&g, SL_BF16));
  g.stride[1] = 1;
  g.kh = SL_AMX_TAPS;
  ck_assert(!sl_conv_amx_can(&g, SL_BF16));
  g.kh = 3;
  g.c = 3;
  ck_assert(!sl_conv_amx_can(&g, SL_BF16));
  g.c = 32;
  sl_amx_allow(0);
  ck_assert(!sl_conv_amx_can(&g, SL_BF16));
  sl_amx_allow(1);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("conv_amx", &tc);
  tcase_set_timeout(tc, 120);
  tcase_add_loop_test(tc, same_as_the_plain_sum, 0, SETUPS);
  tcase_add_test(tc, nan_stays);
  tcase_add_test(tc, what_it_can);
  return t_main(s);
}
