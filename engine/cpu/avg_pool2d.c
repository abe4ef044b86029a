/* avg_pool2d.c -- the kernels of ops/avg_pool2d.c: one code for the three ops,
 * which differ in their axes only.
 *
 * Work is split by rows of the result: output rows forward, input rows
 * backward, where each input gathers from the outputs that see it. So no two
 * workers write the same element, and the sums have one order. Loops run over
 * the channels, which are adjacent. */
#include <string.h>

#include "base/alloc.h"
#include "cpu/cpu.h"
#include "cpu/floats.h"
#include "cpu/simd.h"
#include "ops/pool.h"

typedef struct job {
  const sl_tensor *from, *to; /* x and y, or dy and dx */
  int add;
  sl_axis h, w;
  int64_t c;
  float *scratch; /* 2 C for each worker */
} job;

SL_INLINE void add_scaled(float *restrict sum, const float *restrict v, float s,
                          int64_t n) {
  for (int64_t i = 0; i < n; i++)
    sum[i] += s * v[i];
}

SL_INLINE void mean_at(const job *j, int64_t n, int64_t oh, int64_t ow,
                       float *sum, float *buffer) {
  int64_t top, bottom, left, right;
  sl_axis_window(&j->h, oh, &top, &bottom);
  sl_axis_window(&j->w, ow, &left, &right);
  const int64_t divisor =
      sl_axis_divisor(&j->h, oh) * sl_axis_divisor(&j->w, ow);
  memset(sum, 0, (size_t)j->c * sizeof *sum);
  for (int64_t h = top; h < bottom; h++)
    for (int64_t w = left; w < right; w++) {
      const int64_t at = ((n * j->h.in + h) * j->w.in + w) * j->c;
      add_scaled(sum, sl_row_get(j->from, at, j->c, buffer), 1, j->c);
    }
  const float scale = 1 / (float)divisor;
  for (int64_t c = 0; c < j->c; c++)
    sum[c] *= scale;
}

SL_SIMD
static void average_rows(void *context, int worker, int n_workers) {
  const job *j = context;
  float *sum = j->scratch + 2 * j->c * worker, *buffer = sum + j->c;
  int64_t begin, end;
  sl_share(j->from->shape[0] * j->h.out, 1, worker, n_workers, &begin, &end);
  for (int64_t r = begin; r < end; r++)
    for (int64_t ow = 0; ow < j->w.out; ow++) {
      mean_at(j, r / j->h.out, r % j->h.out, ow, sum, buffer);
      sl_row_put(j->to, (r * j->w.out + ow) * j->c, j->c, sum, 0);
    }
}

SL_INLINE void gradient_at(const job *j, int64_t n, int64_t ih, int64_t iw,
                           float *sum, float *buffer) {
  int64_t top, bottom, left, right;
  sl_axis_seen_by(&j->h, ih, &top, &bottom);
  sl_axis_seen_by(&j->w, iw, &left, &right);
  memset(sum, 0, (size_t)j->c * sizeof *sum);
  for (int64_t h = top; h < bottom; h++)
    for (int64_t w = left; w < right; w++) {
      const int64_t at = ((n * j->h.out + h) * j->w.out + w) * j->c;
      const int64_t divisor =
          sl_axis_divisor(&j->h, h) * sl_axis_divisor(&j->w, w);
      add_scaled(sum, sl_row_get(j->from, at, j->c, buffer), 1 / (float)divisor,
                 j->c);
    }
}

SL_SIMD
static void spread_rows(void *context, int worker, int n_workers) {
  const job *j = context;
  float *sum = j->scratch + 2 * j->c * worker, *buffer = sum + j->c;
  int64_t begin, end;
  sl_share(j->to->shape[0] * j->h.in, 1, worker, n_workers, &begin, &end);
  for (int64_t r = begin; r < end; r++)
    for (int64_t iw = 0; iw < j->w.in; iw++) {
      gradient_at(j, r / j->h.in, r % j->h.in, iw, sum, buffer);
      sl_row_put(j->to, (r * j->w.in + iw) * j->c, j->c, sum, j->add);
    }
}

static sl_status run(const sl_call *c, const sl_axis axes[2], int back) {
  job j = {.from = back ? c->dout[0] : c->in[0],
           .to = back ? c->din[0] : c->out[0],
           .add = back ? c->add[0] : 0,
           .h = axes[0],
           .w = axes[1],
           .c = c->in[0]->shape[3]};
  j.scratch = sl_scratch(2 * j.c);
  if (!j.scratch) return SL_ENOMEM;
  sl_parallel_if(sl_tensor_count(c->in[0]), back ? spread_rows : average_rows,
                 &j);
  sl_free_data(j.scratch);
  return SL_OK;
}

static sl_status windows(const sl_call *c, int back) {
  sl_axis axes[2];
  SL_TRY(sl_avg_pool2d_axes(c->in[0], c->opts, axes));
  return run(c, axes, back);
}

static sl_status bins(const sl_call *c, int back) {
  sl_axis axes[2];
  SL_TRY(sl_adaptive_avg_pool2d_axes(c->in[0], c->opts, axes));
  return run(c, axes, back);
}

static sl_status global(const sl_call *c, int back) {
  sl_axis axes[2];
  SL_TRY(sl_global_pool_axes(c->in[0], axes));
  return run(c, axes, back);
}

sl_status sl_cpu_avg_pool2d(const sl_call *c) {
  return windows(c, 0);
}

sl_status sl_cpu_avg_pool2d_grad(const sl_call *c) {
  return windows(c, 1);
}

sl_status sl_cpu_adaptive_avg_pool2d(const sl_call *c) {
  return bins(c, 0);
}

sl_status sl_cpu_adaptive_avg_pool2d_grad(const sl_call *c) {
  return bins(c, 1);
}

sl_status sl_cpu_global_avg_pool(const sl_call *c) {
  return global(c, 0);
}

sl_status sl_cpu_global_avg_pool_grad(const sl_call *c) {
  return global(c, 1);
}
