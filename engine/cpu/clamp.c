/* clamp.c -- CPU kernels of clamp: see ops/clamp.h. */
#include "ops/clamp.h"

#include <math.h>

#include "cpu/cpu.h"
#include "cpu/rows.h"

typedef struct job {
  const sl_tensor *x, *dy;
  sl_tensor *out;
  float min, max;
  int32_t first, last; /* the whole numbers between min and max */
  int add;
} job;

static int32_t whole(double v) {
  return (int32_t)fmin(fmax(v, INT32_MIN), INT32_MAX);
}

static job job_of(const sl_call *c) {
  const sl_clamp_opts *o = c->opts;
  return (job){.x = c->in[0],
               .min = (float)o->min,
               .max = (float)o->max,
               .first = whole(ceil(o->min)),
               .last = whole(floor(o->max))};
}

static void floats(void *context, const int64_t *at, const int64_t *step,
                   int n) {
  const job *j = context;
  float in[SL_BLOCK], y[SL_BLOCK];
  const float *x = sl_load_f32(j->x, at[1], step[1], n, in);
  for (int i = 0; i < n; i++) {
    const float low = x[i] < j->min ? j->min : x[i]; /* a NaN stays */
    y[i] = low > j->max ? j->max : low;
  }
  sl_store_f32(j->out, at[0], step[0], n, y, 0);
}

static void wholes(void *context, const int64_t *at, const int64_t *step,
                   int n) {
  const job *j = context;
  int32_t in[SL_BLOCK], y[SL_BLOCK];
  const int32_t *x = sl_load_i32(j->x, at[1], step[1], n, in);
  for (int i = 0; i < n; i++) {
    const int32_t low = x[i] < j->first ? j->first : x[i];
    y[i] = low > j->last ? j->last : low;
  }
  sl_store_i32(j->out, at[0], step[0], n, y);
}

sl_status sl_cpu_clamp(const sl_call *c) {
  job j = job_of(c);
  j.out = c->out[0];
  sl_rows r;
  sl_rows_begin(&r, j.out->rank, j.out->shape);
  sl_rows_add(&r, j.out);
  sl_rows_add(&r, j.x);
  sl_rows_run(&r, sl_dtype_is_float(j.x->dtype) ? floats : wholes, &j);
  return SL_OK;
}

static void gradient(void *context, const int64_t *at, const int64_t *step,
                     int n) {
  const job *j = context;
  float in[SL_BLOCK], grad[SL_BLOCK], d[SL_BLOCK];
  const float *x = sl_load_f32(j->x, at[1], step[1], n, in);
  const float *dy = sl_load_f32(j->dy, at[2], step[2], n, grad);
  for (int i = 0; i < n; i++)
    d[i] = x[i] > j->min && x[i] < j->max ? dy[i] : 0.0f;
  sl_store_f32(j->out, at[0], step[0], n, d, j->add);
}

sl_status sl_cpu_clamp_grad(const sl_call *c) {
  job j = job_of(c);
  j.out = c->din[0];
  j.dy = c->dout[0];
  j.add = c->add[0];
  sl_rows r;
  sl_rows_begin(&r, j.out->rank, j.out->shape);
  sl_rows_add(&r, j.out);
  sl_rows_add(&r, j.x);
  sl_rows_add(&r, j.dy);
  sl_rows_run(&r, gradient, &j);
  return SL_OK;
}
