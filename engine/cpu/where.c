/* where.c -- CPU kernels of where: see ops/where.c. */
#include "cpu/cpu.h"
#include "cpu/reduction.h"
#include "cpu/rows.h"

typedef struct job {
  const sl_tensor *cond, *a, *b; /* backward: a or b is dout, the other NULL */
  sl_tensor *out;
  int add;
} job;

static void floats(void *context, const int64_t *at, const int64_t *step,
                   int n) {
  const job *j = context;
  int32_t mask[SL_BLOCK];
  float left[SL_BLOCK], right[SL_BLOCK], y[SL_BLOCK];
  const int32_t *m = sl_load_i32(j->cond, at[1], step[1], n, mask);
  const float *a = sl_load_f32(j->a, at[2], step[2], n, left);
  const float *b = sl_load_f32(j->b, at[3], step[3], n, right);
  for (int i = 0; i < n; i++)
    y[i] = m[i] ? a[i] : b[i];
  sl_store_f32(j->out, at[0], step[0], n, y, 0);
}

static void wholes(void *context, const int64_t *at, const int64_t *step,
                   int n) {
  const job *j = context;
  int32_t mask[SL_BLOCK], left[SL_BLOCK], right[SL_BLOCK], y[SL_BLOCK];
  const int32_t *m = sl_load_i32(j->cond, at[1], step[1], n, mask);
  const int32_t *a = sl_load_i32(j->a, at[2], step[2], n, left);
  const int32_t *b = sl_load_i32(j->b, at[3], step[3], n, right);
  for (int i = 0; i < n; i++)
    y[i] = m[i] ? a[i] : b[i];
  sl_store_i32(j->out, at[0], step[0], n, y);
}

sl_status sl_cpu_where(const sl_call *c) {
  job j = {c->in[0], c->in[1], c->in[2], c->out[0], 0};
  sl_rows r;
  sl_rows_begin(&r, j.out->rank, j.out->shape);
  sl_rows_add(&r, j.out);
  for (int i = 0; i < 3; i++)
    sl_rows_add(&r, c->in[i]);
  sl_rows_run(&r, j.out->dtype == SL_I32 ? wholes : floats, &j);
  return SL_OK;
}

static void gradient(void *context, const int64_t *at, const int64_t *step,
                     int n) {
  const job *j = context;
  int32_t mask[SL_BLOCK];
  float grad[SL_BLOCK], d[SL_BLOCK];
  const int32_t *m = sl_load_i32(j->cond, at[1], step[1], n, mask);
  const float *dy = sl_load_f32(j->a ? j->a : j->b, at[2], step[2], n, grad);
  const int wanted = j->a != NULL;
  for (int i = 0; i < n; i++)
    d[i] = (m[i] != 0) == wanted ? dy[i] : 0.0f;
  sl_store_f32(j->out, at[0], step[0], n, d, j->add);
}

static sl_status gradient_of(const sl_call *c, int i) {
  if (!c->din[i]) return SL_OK;
  job j = {.cond = c->in[0],
           .a = i == 1 ? c->dout[0] : NULL,
           .b = i == 2 ? c->dout[0] : NULL};
  sl_rows r;
  SL_TRY(sl_grad_begin(c, i, &j.out, &j.add));
  sl_rows_begin(&r, j.out->rank, j.out->shape);
  sl_rows_add(&r, j.out);
  sl_rows_add(&r, j.cond);
  sl_rows_add(&r, c->dout[0]);
  sl_rows_run(&r, gradient, &j);
  return sl_grad_finish(c, i, j.out);
}

sl_status sl_cpu_where_grad(const sl_call *c) {
  SL_TRY(gradient_of(c, 1));
  return gradient_of(c, 2);
}
