/* test_wgrad.c -- the weight gradient's own kernels against the plain sum.
 *
 * Values are small integers, so that every product and sum is exact in f32:
 * results must be equal, whatever the order. What nobody may read is NaN
 * before: panels until they are packed, and dW until it is written. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "cpu/amx.h"
#include "cpu/wgrad.h"
#include "cpu/wgrad_tile.h"
#include "support.h"

typedef struct pair {
  int h, v;
} pair;

typedef struct setup {
  int n, h, w, c, o;
  pair kernel, stride, padding, dilation;
  int groups;
} setup;

static const setup setups[] = {
    /* plain products: odd and even numbers of pixels, any channels */
    {1, 1, 1, 16, 16, {1, 1}, {1, 1}, {0, 0}, {1, 1}, 1},
    {1, 1, 37, 16, 16, {1, 1}, {1, 1}, {0, 0}, {1, 1}, 1},
    {1, 8, 8, 64, 100, {1, 1}, {1, 1}, {0, 0}, {1, 1}, 1},
    {3, 5, 7, 17, 48, {1, 1}, {1, 1}, {0, 0}, {1, 1}, 1},
    {2, 40, 32, 27, 64, {1, 1}, {1, 1}, {0, 0}, {1, 1}, 1},
    {3, 33, 31, 100, 17, {1, 1}, {1, 1}, {0, 0}, {1, 1}, 1},
    /* more places than are summed up at a time */
    {1, 51, 83, 48, 32, {1, 1}, {1, 1}, {0, 0}, {1, 1}, 1},
    {5, 34, 33, 3, 16, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 1},
    /* 1x1 that is no plain product */
    {3, 6, 6, 64, 48, {1, 1}, {2, 2}, {0, 0}, {1, 1}, 1},
    {2, 5, 5, 16, 16, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1},
    /* square kernels, odd batches */
    {1, 7, 7, 16, 16, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 1},
    {5, 8, 6, 64, 64, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 1},
    {3, 9, 9, 3, 48, {3, 3}, {2, 2}, {1, 1}, {1, 1}, 1},
    {4, 8, 8, 17, 100, {3, 3}, {2, 2}, {1, 1}, {1, 1}, 1},
    {3, 11, 8, 27, 17, {5, 5}, {1, 1}, {2, 2}, {1, 1}, 1},
    {2, 17, 16, 3, 64, {7, 7}, {2, 2}, {3, 3}, {1, 1}, 1},
    {3, 13, 15, 48, 16, {7, 7}, {4, 4}, {3, 3}, {1, 1}, 1},
    {3, 12, 12, 16, 48, {3, 3}, {3, 3}, {1, 1}, {1, 1}, 1},
    {2, 12, 11, 100, 32, {4, 4}, {4, 4}, {0, 0}, {1, 1}, 1},
    {2, 16, 16, 16, 16, {3, 3}, {5, 5}, {1, 1}, {1, 1}, 1}, /* no AMX */
    /* every axis its own */
    {3, 9, 14, 32, 48, {3, 5}, {1, 2}, {1, 0}, {1, 1}, 1},
    {2, 14, 9, 17, 16, {1, 7}, {3, 1}, {0, 3}, {1, 1}, 1},
    {3, 10, 13, 64, 16, {2, 3}, {2, 4}, {0, 2}, {2, 3}, 1},
    /* dilation; padding that reaches past all pixels; none at all */
    {3, 9, 9, 16, 32, {3, 3}, {1, 1}, {2, 2}, {2, 2}, 1},
    {2, 12, 12, 48, 16, {3, 3}, {2, 2}, {4, 4}, {4, 4}, 1},
    {2, 12, 12, 16, 17, {3, 3}, {3, 3}, {2, 2}, {3, 3}, 1},
    {3, 4, 4, 27, 16, {3, 3}, {1, 1}, {3, 3}, {1, 1}, 1},
    {2, 3, 2, 16, 16, {3, 3}, {2, 2}, {5, 5}, {1, 1}, 1},
    {1, 2, 2, 16, 16, {2, 2}, {3, 3}, {4, 4}, {3, 3}, 1},
    {3, 6, 6, 17, 16, {3, 3}, {1, 1}, {0, 0}, {1, 1}, 1},
    {3, 3, 3, 64, 64, {3, 3}, {1, 1}, {0, 0}, {1, 1}, 1},
    {2, 1, 1, 32, 32, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 1},
    /* groups that share panels, and those of whole panels */
    {3, 6, 6, 24, 24, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 6},
    {3, 7, 7, 48, 48, {3, 3}, {2, 2}, {1, 1}, {1, 1}, 6},
    {2, 5, 5, 100, 100, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 25},
    {3, 6, 6, 64, 96, {3, 3}, {2, 2}, {1, 1}, {1, 1}, 2},
    {3, 6, 6, 64, 64, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 4},
    {3, 5, 5, 96, 64, {1, 1}, {1, 1}, {0, 0}, {1, 1}, 2},
    {2, 5, 5, 128, 128, {5, 5}, {1, 1}, {4, 4}, {2, 2}, 2},
};
enum { SETUPS = sizeof setups / sizeof *setups, GUARD = 64 };

static int current; /* setup, for messages */

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
      s->groups};
}

static int is_product(const sl_conv_geometry *g) {
  return g->kh * g->kw == 1 && g->stride[0] * g->stride[1] == 1 &&
         g->padding[0] + g->padding[1] == 0;
}

/* --- the plain sum -------------------------------------------------------- */

/* Over the images' output pixels, of weight (o, i, j, c of the group). */
static double plain_sum(const sl_conv_geometry *g, const float *x,
                        const float *dy, int64_t o, int64_t i, int64_t j,
                        int64_t c) {
  const int64_t in = o / (g->o / g->groups) * (g->c / g->groups) + c;
  double sum = 0;
  for (int64_t m = 0; m < g->n; m++)
    for (int64_t p = 0; p < g->oh; p++)
      for (int64_t q = 0; q < g->ow; q++) {
        const int64_t h = p * g->stride[0] + i * g->dilation[0] - g->padding[0];
        const int64_t v = q * g->stride[1] + j * g->dilation[1] - g->padding[1];
        if (h < 0 || h >= g->h || v < 0 || v >= g->w) continue;
        sum += (double)dy[((m * g->oh + p) * g->ow + q) * g->o + o] *
               (double)x[((m * g->h + h) * g->w + v) * g->c + in];
      }
  return sum;
}

/* --- the kernels ---------------------------------------------------------- */

/* A problem: its values, and those in the kernels' type. */
typedef struct problem {
  sl_wgrad w;
  int64_t units, x_n, y_n, dw_n;
  float *x, *dy;
  void *x_typed, *dy_typed;
  char *x_panels, *y_panels;
  void *table;
  float *dw;
  float *scale, *shift; /* NULL, or x is lazy, and p.x what it means */
} problem;

/* Whole numbers in -3..3, or (fine) any in [-1, 1). */
static float *values(int64_t n, uint32_t item, int fine) {
  float *v = sl_alloc_data((size_t)n * sizeof *v);
  sl_rng r = sl_rng_at(1, 2, item, SL_RNG_USER);
  for (int64_t i = 0; i < n; i++)
    v[i] = fine ? (float)sl_rng_range(&r, -1, 1)
                : (float)sl_rng_below(&r, 7) - 3.0F;
  return v;
}

static void *typed(const float *v, int64_t n, sl_dtype type) {
  void *out = sl_alloc_data((size_t)n * sl_dtype_size(type));
  for (int64_t i = 0; i < n; i++)
    if (type == SL_F32)
      ((float *)out)[i] = v[i];
    else
      ((sl_bf16 *)out)[i] = sl_bf16_from_f32(v[i]);
  return out;
}

static problem problem_new(const setup *s, sl_dtype type, int fine) {
  const sl_conv_geometry g = geometry_of(s);
  const int product = is_product(&g);
  problem p = {.w = sl_wgrad_new(&g, type, product),
               .units = product ? g.n * g.h * g.w : g.n,
               .x_n = g.n * g.h * g.w * g.c,
               .y_n = g.n * g.oh * g.ow * g.o};
  p.x = values(p.x_n, 1, fine);
  p.dy = values(p.y_n, 2, fine);
  p.x_typed = typed(p.x, p.x_n, type);
  p.dy_typed = typed(p.dy, p.y_n, type);
  p.x_panels = sl_alloc_data(sl_wgrad_x_bytes(&p.w, p.units) + GUARD);
  p.y_panels = sl_alloc_data(sl_wgrad_y_bytes(&p.w, p.units) + GUARD);
  p.table = sl_alloc_data(sl_wgrad_table_bytes(&p.w));
  p.dw_n = sl_wgrad_floats(&p.w, g.o);
  p.dw = sl_alloc_data((size_t)(p.dw_n + GUARD) * sizeof(float));
  for (int64_t i = 0; i < p.dw_n + GUARD; i++)
    p.dw[i] = i < p.dw_n ? NAN : 7.0F;
  return p;
}

/* x becomes lazy: normalised, with a relu. */
static void make_lazy(problem *p) {
  const int64_t c = p->w.g.c;
  p->scale = values(c, 3, 0);
  p->shift = values(c, 4, 0);
  for (int64_t i = 0; i < p->x_n; i++) {
    const float v = p->x[i] * p->scale[i % c] + p->shift[i % c];
    p->x[i] = v > 0 ? v : 0;
  }
}

static void problem_free(problem *p) {
  void *all[] = {p->x,        p->dy,    p->x_typed, p->dy_typed, p->x_panels,
                 p->y_panels, p->table, p->dw,      p->scale,    p->shift};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    sl_free_data(all[i]);
}

static void *at(const problem *p, void *v, int64_t unit, int64_t rows,
                int64_t c) {
  return (char *)v + (size_t)(unit * rows * c) * sl_dtype_size(p->w.type);
}

static void check_guard(const char *p, size_t bytes) {
  for (int i = 0; i < GUARD; i++)
    ck_assert_msg(p[bytes + (size_t)i] == (char)0xff,
                  "setup %d: written past panels", current);
}

/* Packs units [begin, end) into panels of their own, `step` a call, in an order
 * as threads may have it: the second half first. */
static void pack(const problem *p, int64_t begin, int64_t end, int64_t step) {
  const sl_wgrad *w = &p->w;
  const int64_t all = end - begin, calls = (all + step - 1) / step;
  const size_t x_bytes = sl_wgrad_x_bytes(w, all);
  const size_t y_bytes = sl_wgrad_y_bytes(w, all);
  memset(p->x_panels, 0xff, x_bytes + GUARD); /* NaN in either type */
  memset(p->y_panels, 0xff, y_bytes + GUARD);
  for (int64_t i = 0; i < calls; i++) {
    const int64_t first = (i + calls / 2) % calls * step;
    const int64_t n = all - first < step ? all - first : step;
    const sl_lazy_rows x = {at(p, p->x_typed, begin + first, w->x_rows, w->g.c),
                            p->scale, p->shift, 1};
    sl_wgrad_pack_x(w, p->x_panels, all, first, n, &x);
    sl_wgrad_pack_y(w, p->y_panels, all, first, n,
                    at(p, p->dy_typed, begin + first, w->y_rows, w->g.o));
  }
  check_guard(p->x_panels, x_bytes);
  check_guard(p->y_panels, y_bytes);
}

/* Every output channel, `step` of them a call. */
static void multiply(const problem *p, int64_t units, int64_t step, int add) {
  for (int64_t o = 0; o < p->w.g.o; o += step) {
    const int64_t end = o + step < p->w.g.o ? o + step : p->w.g.o;
    sl_wgrad_add(&p->w, p->x_panels, p->y_panels, units, o, end,
                 p->dw + o * p->w.taps * p->w.c, add, p->table);
  }
}

static void check_sums(const problem *p, const char *how) {
  const sl_conv_geometry *g = &p->w.g;
  const int64_t c_n = g->c / g->groups;
  for (int64_t o = 0; o < g->o; o++)
    for (int64_t tap = 0; tap < p->w.taps; tap++)
      for (int64_t c = 0; c < c_n; c++) {
        const double want =
            plain_sum(g, p->x, p->dy, o, tap / g->kw, tap % g->kw, c);
        const float got = p->dw[(o * p->w.taps + tap) * p->w.c +
                                sl_wgrad_column(&p->w, o) + c];
        ck_assert_msg((double)got == want,
                      "setup %d, %s: weight (%d, %d, %d) has %g instead of %g",
                      current, how, (int)o, (int)tap, (int)c, (double)got,
                      want);
      }
  for (int i = 0; i < GUARD; i++)
    ck_assert_msg(p->dw[p->dw_n + i] == 7.0F, "setup %d, %s: written past dW",
                  current, how);
}

/* In all the ways that conv_wgrad.c asks for it. */
static void check_setup(const setup *s, sl_dtype type, int lazy) {
  problem p = problem_new(s, type, 0);
  if (lazy) make_lazy(&p);
  pack(&p, 0, p.units, p.units + p.units % 2);
  multiply(&p, p.units, p.w.o, 0);
  check_sums(&p, "at once");

  for (int64_t i = 0; i < p.dw_n; i++)
    p.dw[i] = NAN;
  pack(&p, 0, p.units, 2);
  multiply(&p, p.units, 16, 0);
  check_sums(&p, "packed and multiplied in parts");

  const int64_t half = p.units / 4 * 2;
  if (half > 0) {
    pack(&p, 0, half, half);
    multiply(&p, half, 48, 0);
  }
  pack(&p, half, p.units, 4);
  multiply(&p, p.units - half, p.w.o, half > 0);
  check_sums(&p, "one part added to another");
  problem_free(&p);
}

static void check_bits(const setup *s, sl_dtype type) {
  problem p = problem_new(s, type, 1);
  const size_t bytes = (size_t)p.dw_n * sizeof(float);
  float *first = sl_alloc_data(bytes);
  for (int run = 0; run < 2; run++) {
    memset(p.dw, 0, bytes); /* what is between rows is not written */
    pack(&p, 0, p.units, 2);
    multiply(&p, p.units, p.w.o, 0);
    if (run == 0) memcpy(first, p.dw, bytes);
  }
  ck_assert_msg(memcmp(first, p.dw, bytes) == 0,
                "setup %d: a second run differs", current);
  sl_free_data(first);
  problem_free(&p);
}

/* Returns in how many setups AMX's layout was used. */
static int check_all(sl_dtype type) {
  int amx = 0;
  for (int i = 0; i < SETUPS; i++) {
    const sl_conv_geometry g = geometry_of(&setups[i]);
    ck_assert_msg(sl_wgrad_can(&g, type), "setup %d cannot be done", i);
    current = i;
    check_setup(&setups[i], type, 0);
    if (type == SL_BF16) check_setup(&setups[i], type, 1);
    check_bits(&setups[i], type);
    amx += sl_wgrad_new(&g, type, is_product(&g)).amx;
  }
  return amx;
}

START_TEST(f32) {
  ck_assert_int_eq(check_all(SL_F32), 0);
}
END_TEST

START_TEST(bf16_of_avx512) {
  if (!sl_wgrad_supported(SL_BF16)) return;
  sl_amx_allow(0);
  ck_assert_int_eq(check_all(SL_BF16), 0);
  sl_amx_allow(1);
}
END_TEST

/* All but the stride of 5. */
START_TEST(bf16_of_amx) {
  if (sl_amx_usable()) ck_assert_int_eq(check_all(SL_BF16), SETUPS - 1);
}
END_TEST

/* oneDNN's limit, as a new process sees it. It must be the first test: the
 * answer is kept. */
static int usable_under(const char *limit) {
  fflush(NULL);
  const pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (child == 0) {
    unsetenv("ONEDNN_MAX_CPU_ISA");
    if (limit)
      setenv("DNNL_MAX_CPU_ISA", limit, 1);
    else
      unsetenv("DNNL_MAX_CPU_ISA");
    _exit(sl_amx_usable());
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert(WIFEXITED(status));
  return WEXITSTATUS(status);
}

START_TEST(environment_forbids_amx) {
  ck_assert_int_eq(usable_under("AVX2"), 0);
  ck_assert_int_eq(usable_under("AVX512_CORE_BF16"), 0);
  ck_assert_int_eq(usable_under("avx512_core_amx"), usable_under(NULL));
  ck_assert_int_eq(usable_under("ALL"), usable_under(NULL));
}
END_TEST

int main(void) {
  enum { SKIPPED = 77 };
  if (!sl_wgrad_supported(SL_F32)) return SKIPPED;
  TCase *tc;
  Suite *s = t_suite("wgrad", &tc);
  tcase_set_timeout(tc, 120);
  tcase_add_test(tc, environment_forbids_amx);
  tcase_add_test(tc, f32);
  tcase_add_test(tc, bf16_of_avx512);
  tcase_add_test(tc, bf16_of_amx);
  return t_main(s);
}
