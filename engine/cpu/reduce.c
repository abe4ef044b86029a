/* reduce.c -- CPU kernels of the family in ops/reduce.def, and of var and std:
 * sums in double, by cpu/reduction.h; gradients element by element. */
#include "ops/reduce.h"

#include <math.h>

#include "base/alloc.h"
#include "cpu/cpu.h"
#include "cpu/reduction.h"
#include "cpu/rows.h"

/* --- forward ---------------------------------------------------------------
 */

/* One double for each result, and the tensor in shape; close both. */
typedef struct results {
  sl_reduction r;
  double *at;
  int64_t n;
} results;

static sl_status results_open(results *s, const sl_call *c) {
  const sl_reduce_opts *o = c->opts;
  *s = (results){.n = sl_tensor_count(c->out[0])};
  s->at = sl_alloc_data((size_t)(s->n + 1) * sizeof *s->at);
  SL_REQUIRE(s->at, SL_ENOMEM, "no memory for sums");
  return sl_reduction_open(&s->r, c->in[0], &o->dims);
}

static void results_close(results *s) {
  sl_reduction_close(&s->r);
  sl_free_data(s->at);
}

typedef double finish_sum(double s, double n);

static sl_status put(sl_tensor *out, int64_t i, double v) {
  SL_REQUIRE(out->dtype != SL_I32 || fabs(v) <= INT32_MAX, SL_EINVAL,
             "the sum %.0f does not fit into i32; cast() to f32 first", v);
  sl_set_element(out, i, v);
  return SL_OK;
}

static sl_status reduce(const sl_call *c, const sl_summand *f,
                        finish_sum *finish) {
  const sl_reduce_opts *o = c->opts;
  const double count = (double)sl_reduce_count(c->in[0], &o->dims);
  results s;
  sl_status status = results_open(&s, c);
  if (status == SL_OK) status = sl_reduce_sums(&s.r, f, NULL, s.at);
  for (int64_t i = 0; i < s.n && status == SL_OK; i++)
    status = put(c->out[0], i, finish(s.at[i], count));
  results_close(&s);
  return status;
}

/* --- backward --------------------------------------------------------------
 */

typedef void slope_block(const float *x, const float *y, const float *dy,
                         const float *mean, float n, float *out, int count);

typedef struct job {
  const sl_tensor *x, *y, *dy, *mean; /* mean: y where there is none */
  sl_tensor *dx;
  slope_block *slope;
  float n;
  int add;
} job;

static void gradient(void *context, const int64_t *at, const int64_t *step,
                     int n) {
  const job *j = context;
  float xs[SL_BLOCK], ys[SL_BLOCK], grad[SL_BLOCK], means[SL_BLOCK];
  float out[SL_BLOCK];
  const float *x = sl_load_f32(j->x, at[1], step[1], n, xs);
  const float *y = sl_load_f32(j->y, at[2], step[2], n, ys);
  const float *dy = sl_load_f32(j->dy, at[2], step[2], n, grad);
  const float *mean = sl_load_f32(j->mean, at[2], step[2], n, means);
  const int direct = !j->add && sl_is_dense_f32(j->dx, step[0]);
  float *d = direct ? sl_f32(j->dx) + at[0] : out;
  j->slope(x, y, dy, mean, j->n, d, n);
  if (!direct) sl_store_f32(j->dx, at[0], step[0], n, d, j->add);
}

/* Strides of a dense result over x's shape: 0 where x was reduced. */
static void result_strides(const sl_tensor *x, const sl_ints *dims,
                           int64_t *stride) {
  int64_t step = 1;
  for (int d = x->rank - 1, i = dims->n - 1; d >= 0; d--) {
    const int reduced = i >= 0 && dims->v[i] == d;
    i -= reduced;
    stride[d] = reduced ? 0 : step;
    if (!reduced) step *= x->shape[d];
  }
}

static sl_status backward(const sl_call *c, slope_block *slope, double n) {
  const sl_reduce_opts *o = c->opts;
  job j = {.x = c->in[0],
           .y = c->out[0],
           .dy = c->dout[0],
           .mean = c->saved[0] ? c->saved[0] : c->out[0],
           .dx = c->din[0],
           .slope = slope,
           .n = (float)n,
           .add = c->add[0]};
  int64_t stride[SL_MAX_RANK];
  sl_rows r;
  result_strides(j.x, &o->dims, stride);
  sl_rows_begin(&r, j.dx->rank, j.dx->shape);
  sl_rows_add(&r, j.dx);
  sl_rows_add(&r, j.x);
  sl_rows_add_strided(&r, stride, 0);
  sl_rows_run(&r, gradient, &j);
  return SL_OK;
}

static double count_of(const sl_call *c) {
  const sl_reduce_opts *o = c->opts;
  return (double)sl_reduce_count(c->in[0], &o->dims);
}

#define FORWARD(name, map, finish)                                             \
  SL_SUMMAND(name##_summand, map)                                              \
  static double name##_finish(double s, double n) {                            \
    (void)n;                                                                   \
    return finish;                                                             \
  }                                                                            \
  sl_status sl_cpu_##name(const sl_call *c) {                                  \
    return reduce(c, &name##_summand, name##_finish);                          \
  }
#define SLOPE(name, slope)                                                     \
  static void name(const float *restrict xs, const float *restrict ys,         \
                   const float *restrict dys, const float *restrict means,     \
                   float n, float *restrict out, int count) {                  \
    for (int i = 0; i < count; i++) {                                          \
      const float x = xs[i], y = ys[i], mean = means[i];                       \
      (void)x, (void)y, (void)mean, (void)n;                                   \
      out[i] = dys[i] * (slope);                                               \
    }                                                                          \
  }
#define SL_REDUCE(name, map, finish, slope, dtype, help)                       \
  FORWARD(name, map, finish)                                                   \
  SLOPE(name##_slope, slope)                                                   \
  sl_status sl_cpu_##name##_grad(const sl_call *c) {                           \
    return backward(c, name##_slope, count_of(c));                             \
  }
#define SL_REDUCE_FLAG(name, map, finish, help) FORWARD(name, map, finish)
#include "ops/reduce.def"

/* --- var, std: the mean first, then squares around it -----------------------
 */

SL_SUMMAND(element, x)
SL_SUMMAND(element_squared, x *x)

/* n - 1, or n. */
static double divisor(const sl_call *c) {
  const sl_reduce_opts *o = c->opts;
  return fmax(count_of(c) - (o->unbiased ? 1 : 0), 0);
}

static sl_status squares(const sl_call *c, results *s, double *means) {
  SL_TRY(sl_reduce_sums(&s->r, &element, NULL, means));
  for (int64_t i = 0; i < s->n; i++) {
    means[i] /= count_of(c);
    if (c->saved[0]) sl_set_element(c->saved[0], i, means[i]);
  }
  return sl_reduce_sums(&s->r, &element_squared, means, s->at);
}

static sl_status spread(const sl_call *c, int root) {
  results s;
  sl_status status = results_open(&s, c);
  double *means = sl_alloc_data((size_t)(s.n + 1) * sizeof *means);
  if (status == SL_OK && !means)
    status = sl_fail(SL_ENOMEM, "no memory for means");
  if (status == SL_OK) status = squares(c, &s, means);
  for (int64_t i = 0; i < s.n && status == SL_OK; i++) {
    const double v = s.at[i] / divisor(c);
    sl_set_element(c->out[0], i, root ? sqrt(v) : v);
  }
  sl_free_data(means);
  results_close(&s);
  return status;
}

SLOPE(var_slope, 2.0f * (x - mean) / n)
SLOPE(std_slope, y > 0 ? (x - mean) / (n * y) : 0.0f)

sl_status sl_cpu_var(const sl_call *c) {
  return spread(c, 0);
}

sl_status sl_cpu_var_grad(const sl_call *c) {
  return backward(c, var_slope, divisor(c));
}

sl_status sl_cpu_std(const sl_call *c) {
  return spread(c, 1);
}

sl_status sl_cpu_std_grad(const sl_call *c) {
  return backward(c, std_slope, divisor(c));
}
