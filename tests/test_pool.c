/* test_pool.c -- all pooling operations against plain loops, which follow
 * PyTorch's documentation literally. PyTorch's own numbers are in
 * lua/test_pooling.lua. */
#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "ops/cast.h"
#include "ops/pool.h"
#include "support.h"

/* --- sliding windows ------------------------------------------------------ */

typedef struct window_case {
  int h, w, kh, kw, sh, sw, ph, pw, ceil, count_pad, oh, ow;
} window_case;

/* The last two are the sizes that PyTorch's formula gives. */
static const window_case windows[] = {
    {4, 4, 2, 2, 2, 2, 0, 0, 0, 0, 2, 2}, {5, 7, 2, 2, 2, 2, 0, 0, 1, 0, 3, 4},
    {5, 7, 2, 2, 2, 2, 0, 0, 0, 0, 2, 3}, {5, 7, 3, 3, 2, 2, 1, 1, 0, 1, 3, 4},
    {6, 6, 3, 3, 2, 2, 1, 1, 1, 1, 4, 4}, {1, 1, 2, 2, 2, 2, 0, 0, 1, 0, 1, 1},
    {7, 3, 3, 1, 1, 2, 1, 0, 0, 0, 7, 2}, {9, 8, 2, 3, 3, 2, 0, 1, 1, 1, 3, 5},
    {3, 3, 3, 3, 1, 1, 0, 0, 0, 0, 1, 1}, {8, 8, 1, 1, 3, 3, 0, 0, 0, 0, 3, 3},
    {5, 5, 4, 4, 4, 4, 2, 2, 1, 1, 2, 2},
};
enum { N_WINDOWS = sizeof windows / sizeof *windows };

static sl_max_pool2d_opts max_opts(const window_case *c) {
  return (sl_max_pool2d_opts){.kernel_size = {2, {c->kh, c->kw}},
                              .stride = {2, {c->sh, c->sw}},
                              .padding = {2, {c->ph, c->pw}},
                              .ceil_mode = c->ceil};
}

static sl_avg_pool2d_opts avg_opts(const window_case *c) {
  return (sl_avg_pool2d_opts){.kernel_size = {2, {c->kh, c->kw}},
                              .stride = {2, {c->sh, c->sw}},
                              .padding = {2, {c->ph, c->pw}},
                              .ceil_mode = c->ceil,
                              .count_include_pad = c->count_pad};
}

/* Largest and mean of output (oh, ow), channel i, of image n of x. */
static void pool_at(const window_case *c, const sl_tensor *x, int64_t n, int oh,
                    int ow, int64_t i, double *most, double *mean) {
  double sum = 0;
  int count = 0;
  *most = -HUGE_VAL;
  for (int h = oh * c->sh - c->ph; h < oh * c->sh - c->ph + c->kh; h++)
    for (int w = ow * c->sw - c->pw; w < ow * c->sw - c->pw + c->kw; w++) {
      const int inside = h >= 0 && h < c->h && w >= 0 && w < c->w;
      const int border = h < c->h + c->ph && w < c->w + c->pw;
      count += c->count_pad ? border : inside;
      if (!inside) continue;
      const double v =
          (double)sl_f32(x)[((n * c->h + h) * c->w + w) * x->shape[3] + i];
      sum += v;
      *most = v > *most ? v : *most;
    }
  *mean = sum / count;
}

START_TEST(values) {
  const window_case *c = &windows[_i];
  const sl_max_pool2d_opts mo = max_opts(c);
  const sl_avg_pool2d_opts ao = avg_opts(c);
  sl_tensor *x = t_random(1, -1, 1, 4, 2, c->h, c->w, 5);
  sl_tensor *most = t_run(SL_OP_max_pool2d, &mo, 1, x);
  sl_tensor *mean = t_run(SL_OP_avg_pool2d, &ao, 1, x);
  ck_assert(sl_tensor_same_shape(most, mean));
  ck_assert_int_eq(most->shape[1], c->oh);
  ck_assert_int_eq(most->shape[2], c->ow);
  for (int64_t i = 0; i < sl_tensor_count(most); i++) {
    double want_most, want_mean;
    pool_at(c, x, i / 5 / c->ow / c->oh, (int)(i / 5 / c->ow % c->oh),
            (int)(i / 5 % c->ow), i % 5, &want_most, &want_mean);
    ck_assert_double_eq((double)sl_f32(most)[i], want_most);
    ck_assert_double_eq_tol((double)sl_f32(mean)[i], want_mean, 1e-6);
  }
  sl_tensor_release(most);
  sl_tensor_release(mean);
  sl_tensor_release(x);
}
END_TEST

/* Values far enough apart that a step of the check changes no maximum. */
static sl_tensor *distinct(int n, int h, int w, int c) {
  sl_tensor *x = t_zeros(SL_F32, 4, n, h, w, c);
  const int64_t count = sl_tensor_count(x);
  for (int64_t i = 0; i < count; i++)
    sl_f32(x)[i] = (float)(i * 7919 % 4001) * 0.01f;
  return x;
}

START_TEST(gradients) {
  const window_case *c = &windows[_i];
  const sl_max_pool2d_opts mo = max_opts(c);
  const sl_avg_pool2d_opts ao = avg_opts(c);
  sl_tensor *x = distinct(2, c->h, c->w, 3);
  t_gradcheck(SL_OP_max_pool2d, &x, 1, &mo, 0, 4e-3, 2e-2);
  sl_tensor_release(x);
  x = t_random(1, -1, 1, 4, 2, c->h, c->w, 3);
  t_gradcheck(SL_OP_avg_pool2d, &x, 1, &ao, 0, 1e-2, 1e-3);
  sl_tensor_release(x);
}
END_TEST

/* Ties: the first, row by row. NaN: the last NaN. All -infinity: the first. */
START_TEST(which_is_largest) {
  const float v[] = {1,   1, 1,         1,         2,         NAN,
                     NAN, 3, -INFINITY, -INFINITY, -INFINITY, -INFINITY,
                     0,   4, 4,         0};
  const float most[] = {1, NAN, -INFINITY, 4};
  const float slope[] = {1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0};
  const sl_max_pool2d_opts two = {.kernel_size = {1, {2}}, .padding = {1, {0}}};
  const float ones[] = {1, 1, 1, 1};
  for (int global = 0; global < 2; global++) {
    sl_tensor *x = t_f32(v, 4, 4, 2, 2, 1), *y = NULL, *seed = NULL;
    ck_assert_int_eq(sl_require_grad(x, 1), SL_OK);
    y = global ? t_run(SL_OP_global_max_pool, NULL, 1, x)
               : t_run(SL_OP_max_pool2d, &two, 1, x);
    t_close(y, most, 4, 0);
    seed = global ? t_f32(ones, 2, 4, 1) : t_f32(ones, 4, 4, 1, 1, 1);
    ck_assert_int_eq(sl_backward(y, seed), SL_OK);
    t_close(sl_grad(x), slope, 16, 0);
    sl_tensor_release(seed);
    sl_tensor_release(y);
    sl_tensor_release(x);
  }
}
END_TEST

/* --- bins ----------------------------------------------------------------- */

typedef struct bin_case {
  int h, w, oh, ow;
} bin_case;

static const bin_case bins[] = {{5, 7, 2, 3}, {4, 4, 1, 1}, {3, 3, 5, 4},
                                {6, 6, 6, 6}, {1, 1, 3, 2}, {10, 9, 7, 7}};
enum { N_BINS = sizeof bins / sizeof *bins };

START_TEST(adaptive) {
  const bin_case *c = &bins[_i];
  const sl_adaptive_avg_pool2d_opts o = {{2, {c->oh, c->ow}}};
  sl_tensor *x = t_random(1, -1, 1, 4, 2, c->h, c->w, 3);
  sl_tensor *y = t_run(SL_OP_adaptive_avg_pool2d, &o, 1, x);
  for (int64_t i = 0; i < sl_tensor_count(y); i++) {
    const int64_t n = i / 3 / c->ow / c->oh;
    const double h = (double)(i / 3 / c->ow % c->oh),
                 w = (double)(i / 3 % c->ow);
    double sum = 0;
    int count = 0;
    for (int r = (int)floor(h * c->h / c->oh);
         r < (int)ceil((h + 1) * c->h / c->oh); r++)
      for (int s = (int)floor(w * c->w / c->ow);
           s < (int)ceil((w + 1) * c->w / c->ow); s++, count++)
        sum += (double)sl_f32(x)[((n * c->h + r) * c->w + s) * 3 + i % 3];
    ck_assert_double_eq_tol((double)sl_f32(y)[i], sum / count, 1e-6);
  }
  t_gradcheck(SL_OP_adaptive_avg_pool2d, &x, 1, &o, 0, 1e-2, 1e-3);
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

START_TEST(global) {
  sl_tensor *x = distinct(2, 3, 4, 5);
  sl_tensor *mean = t_run(SL_OP_global_avg_pool, NULL, 1, x);
  sl_tensor *most = t_run(SL_OP_global_max_pool, NULL, 1, x);
  ck_assert(most->rank == 2 && most->shape[0] == 2 && most->shape[1] == 5);
  ck_assert(sl_tensor_same_shape(mean, most));
  for (int i = 0; i < 10; i++) {
    double sum = 0, largest = -HUGE_VAL;
    for (int p = 0; p < 12; p++) {
      const double v = (double)sl_f32(x)[(i / 5 * 12 + p) * 5 + i % 5];
      sum += v;
      largest = v > largest ? v : largest;
    }
    ck_assert_double_eq_tol((double)sl_f32(mean)[i], sum / 12, 1e-5);
    ck_assert_double_eq((double)sl_f32(most)[i], largest);
  }
  t_gradcheck(SL_OP_global_max_pool, &x, 1, NULL, 0, 4e-3, 2e-2);
  t_gradcheck(SL_OP_global_avg_pool, &x, 1, NULL, 0, 1e-2, 5e-3);
  sl_tensor_release(mean);
  sl_tensor_release(most);
  sl_tensor_release(x);
}
END_TEST

/* --- all ------------------------------------------------------------------ */

static const sl_max_pool2d_opts max3 = {
    .kernel_size = {1, {3}}, .stride = {1, {2}}, .padding = {1, {1}}};
static const sl_avg_pool2d_opts avg2 = {.kernel_size = {1, {2}},
                                        .padding = {1, {0}}};
static const sl_adaptive_avg_pool2d_opts bins3 = {{1, {3}}};
static const struct {
  sl_op_id id;
  const void *opts;
} all[] = {{SL_OP_max_pool2d, &max3},
           {SL_OP_avg_pool2d, &avg2},
           {SL_OP_adaptive_avg_pool2d, &bins3},
           {SL_OP_global_avg_pool, NULL},
           {SL_OP_global_max_pool, NULL}};
enum { N_ALL = sizeof all / sizeof *all };

/* Result and gradient of op i, on that many threads. */
static void both(int i, sl_tensor *x, int threads, sl_tensor **y,
                 sl_tensor **dx) {
  sl_tensor *seed = NULL;
  ck_assert_int_eq(sl_pool_resize(threads), SL_OK);
  sl_grad_clear(x);
  *y = t_run(all[i].id, all[i].opts, 1, x);
  ck_assert_int_eq(sl_tensor_copy(&seed, *y, &sl_cpu, SL_F32), SL_OK);
  ck_assert_int_eq(sl_backward(*y, seed), SL_OK);
  sl_tensor_release(seed);
  ck_assert_int_eq(sl_tensor_copy(dx, sl_grad(x), &sl_cpu, SL_F32), SL_OK);
}

START_TEST(any_number_of_threads) {
  sl_tensor *x = t_random(1, -1, 1, 4, 3, 21, 23, 24), *y[2], *dx[2];
  ck_assert_int_eq(sl_require_grad(x, 1), SL_OK);
  both(_i, x, 1, &y[0], &dx[0]);
  both(_i, x, 4, &y[1], &dx[1]);
  t_equal_tensors(y[0], y[1], 0);
  t_equal_tensors(dx[0], dx[1], 0);
  for (int k = 0; k < 2; k++) {
    sl_tensor_release(y[k]);
    sl_tensor_release(dx[k]);
  }
  sl_tensor_release(x);
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
}
END_TEST

START_TEST(bf16) {
  sl_tensor *x = t_random(1, -1, 1, 4, 2, 5, 7, 3), *back = NULL, *y[2], *seed;
  ck_assert_int_eq(sl_require_grad(x, 1), SL_OK);
  sl_tensor *h = t_run(SL_OP_cast, &(sl_cast_opts){SL_BF16}, 1, x);
  ck_assert_int_eq(sl_tensor_copy(&back, h, &sl_cpu, SL_F32), SL_OK);
  ck_assert_int_eq(sl_require_grad(back, 1), SL_OK);
  y[0] = t_run(all[_i].id, all[_i].opts, 1, h);
  y[1] = t_run(all[_i].id, all[_i].opts, 1, back);
  ck_assert_int_eq(y[0]->dtype, SL_BF16);
  t_equal_tensors(y[0], y[1], 4e-3);
  ck_assert_int_eq(sl_tensor_copy(&seed, y[0], &sl_cpu, SL_F32), SL_OK);
  ck_assert_int_eq(sl_backward(y[0], seed), SL_OK);
  ck_assert_int_eq(sl_backward(y[1], seed), SL_OK);
  t_equal_tensors(sl_grad(x), sl_grad(back), 1e-2);
  sl_tensor *made[] = {x, back, h, seed, y[0], y[1]};
  for (int k = 0; k < 6; k++)
    sl_tensor_release(made[k]);
}
END_TEST

/* A gradient that is already there is added to. */
START_TEST(gradients_add_up) {
  sl_tensor *x = t_random(1, -1, 1, 4, 2, 5, 7, 3), *y = NULL, *once = NULL;
  ck_assert_int_eq(sl_require_grad(x, 1), SL_OK);
  both(_i, x, 1, &y, &once);
  sl_tensor *again = t_run(all[_i].id, all[_i].opts, 1, x), *seed = NULL;
  ck_assert_int_eq(sl_tensor_copy(&seed, again, &sl_cpu, SL_F32), SL_OK);
  ck_assert_int_eq(sl_backward(again, seed), SL_OK);
  sl_tensor *twice = t_run(SL_OP_add, NULL, 2, once, once);
  t_equal_tensors(sl_grad(x), twice, 1e-6);
  sl_tensor *made[] = {x, y, once, again, seed, twice};
  for (int k = 0; k < 6; k++)
    sl_tensor_release(made[k]);
}
END_TEST

START_TEST(no_images) {
  sl_tensor *x = t_zeros(SL_F32, 4, 0, 5, 7, 3);
  sl_tensor *y = t_run(all[_i].id, all[_i].opts, 1, x);
  ck_assert(y->shape[0] == 0 && y->shape[y->rank - 1] == 3);
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

START_TEST(wrong_images) {
  sl_tensor *flat = t_zeros(SL_F32, 3, 5, 7, 3);
  sl_tensor *bytes = t_zeros(SL_U8, 4, 1, 5, 7, 3);
  sl_tensor *none = t_zeros(SL_F32, 4, 1, 0, 7, 3);
  t_fails("x must be f32 or bf16 (N, H, W, C), not f32 (5, 7, 3)", all[_i].id,
          all[_i].opts, 1, flat);
  t_fails("x must be f32 or bf16 (N, H, W, C), not u8", all[_i].id,
          all[_i].opts, 1, bytes);
  t_fails("images without pixels", all[_i].id, all[_i].opts, 1, none);
  sl_tensor_release(flat);
  sl_tensor_release(bytes);
  sl_tensor_release(none);
}
END_TEST

START_TEST(wrong_windows) {
  sl_tensor *x = t_zeros(SL_F32, 4, 1, 3, 4, 2);
  sl_max_pool2d_opts o = {.kernel_size = {1, {4}}, .padding = {1, {0}}};
  t_fails("kernel_size 4 is larger than the height 3 with padding 0",
          SL_OP_max_pool2d, &o, 1, x);
  o.kernel_size = (sl_ints){2, {3, 5}};
  t_fails("larger than the width 4", SL_OP_max_pool2d, &o, 1, x);
  o.kernel_size = (sl_ints){1, {2}};
  o.padding = (sl_ints){1, {2}};
  t_fails("padding 2 is more than half of kernel_size 2", SL_OP_max_pool2d, &o,
          1, x);
  o.padding = (sl_ints){3, {0, 0, 0}};
  t_fails("option 'padding' is one number or", SL_OP_max_pool2d, &o, 1, x);
  sl_avg_pool2d_opts a = {.kernel_size = {1, {8}},
                          .padding = {1, {0}},
                          .stride = {1, {2}},
                          .ceil_mode = 1};
  t_fails("kernel_size 8 is larger", SL_OP_avg_pool2d, &a, 1, x);
  sl_tensor_release(x);
}
END_TEST

START_TEST(lua_face) {
  t_lua("local x = sota.ones(1, 5, 5, 2)\n"
        "assert(#x:max_pool2d(2):totable()[1] == 2)\n"
        "assert(#x:avg_pool2d(2, {ceil_mode = true}):totable()[1] == 3)\n"
        "fails('kernel_size', x.max_pool2d, x)\n"
        "fails('kernel_size', x.max_pool2d, x, {kernel_size = 17})\n"
        "fails('stride', x.avg_pool2d, x, {kernel_size = 2, stride = 0})\n"
        "fails('ceil_mode', x.avg_pool2d, x, 2, {ceilmode = true})\n"
        "fails('output_size', x.adaptive_avg_pool2d, x, {output_size = 0})\n");
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("pool", &tc);
  tcase_add_loop_test(tc, values, 0, N_WINDOWS);
  tcase_add_loop_test(tc, gradients, 0, N_WINDOWS);
  tcase_add_test(tc, which_is_largest);
  tcase_add_loop_test(tc, adaptive, 0, N_BINS);
  tcase_add_test(tc, global);
  tcase_add_loop_test(tc, any_number_of_threads, 0, N_ALL);
  tcase_add_loop_test(tc, bf16, 0, N_ALL);
  tcase_add_loop_test(tc, gradients_add_up, 0, N_ALL);
  tcase_add_loop_test(tc, no_images, 0, N_ALL);
  tcase_add_loop_test(tc, wrong_images, 0, N_ALL);
  tcase_add_test(tc, wrong_windows);
  tcase_add_test(tc, lua_face);
  return t_main(s);
}
