/* softmax.c -- softmax, log_softmax and their gradients: see ops/softmax.h.
 *
 * Each row (the elements along the dimension) is gathered into a buffer,
 * worked on there, and scattered: one code for every stride and dtype. */
#include "ops/softmax.h"

#include <math.h>

#include "base/alloc.h"
#include "cpu/cpu.h"
#include "cpu/floats.h"

/* Works in place on v; y is the result of forward, for gradients. */
typedef void row_function(float *v, const float *y, int64_t n);

static float largest(const float *v, int64_t n) {
  float top = v[0];
  for (int64_t j = 1; j < n; j++)
    top = v[j] > top ? v[j] : top;
  return top;
}

static void softmax(float *v, const float *y, int64_t n) {
  (void)y;
  const float top = largest(v, n);
  double sum = 0;
  for (int64_t j = 0; j < n; j++) {
    v[j] = expf(v[j] - top);
    sum += (double)v[j];
  }
  const float scale = (float)(1 / sum);
  for (int64_t j = 0; j < n; j++)
    v[j] *= scale;
}

static void softmax_grad(float *v, const float *y, int64_t n) {
  double sum = 0;
  for (int64_t j = 0; j < n; j++)
    sum += (double)v[j] * (double)y[j];
  const float mean = (float)sum;
  for (int64_t j = 0; j < n; j++)
    v[j] = y[j] * (v[j] - mean);
}

static void log_softmax(float *v, const float *y, int64_t n) {
  (void)y;
  const float top = largest(v, n);
  double sum = 0;
  for (int64_t j = 0; j < n; j++)
    sum += (double)expf(v[j] - top);
  const float log_sum = (float)log(sum);
  for (int64_t j = 0; j < n; j++)
    v[j] = v[j] - top - log_sum;
}

static void log_softmax_grad(float *v, const float *y, int64_t n) {
  double sum = 0;
  for (int64_t j = 0; j < n; j++)
    sum += (double)v[j];
  const float total = (float)sum;
  for (int64_t j = 0; j < n; j++)
    v[j] -= expf(y[j]) * total;
}

typedef struct job {
  const sl_tensor *from, *y, *to; /* y: NULL in forward */
  int add;
  int64_t rows, n, inner; /* n elements of a row lie `inner` apart */
  float *scratch;         /* 2 n for each worker */
  row_function *f;
} job;

static void work(void *context, int worker, int n_workers) {
  const job *j = context;
  float *v = j->scratch + 2 * j->n * worker, *y = v + j->n;
  int64_t begin, end;
  sl_share(j->rows, 1, worker, n_workers, &begin, &end);
  for (int64_t r = begin; r < end; r++) {
    const int64_t first = r / j->inner * j->n * j->inner + r % j->inner;
    sl_row_gather(j->from, first, j->inner, j->n, v);
    if (j->y) sl_row_gather(j->y, first, j->inner, j->n, y);
    j->f(v, y, j->n);
    sl_row_scatter(j->to, first, j->inner, j->n, v, j->add);
  }
}

static sl_status run(const sl_call *c, job j) {
  const int64_t dim = ((const sl_softmax_opts *)c->opts)->dim;
  const sl_tensor *x = c->in[0];
  const int64_t count = sl_tensor_count(x);
  if (count == 0) return SL_OK;
  j.n = x->shape[dim];
  j.rows = count / j.n;
  j.inner = 1;
  for (int64_t d = dim + 1; d < x->rank; d++)
    j.inner *= x->shape[d];
  j.scratch = sl_scratch(2 * j.n);
  if (!j.scratch) return SL_ENOMEM;
  sl_parallel_if(count, work, &j);
  sl_free_data(j.scratch);
  return SL_OK;
}

static sl_status forward(const sl_call *c, row_function *f) {
  return run(c, (job){.from = c->in[0], .to = c->out[0], .f = f});
}

static sl_status backward(const sl_call *c, row_function *f) {
  return run(c, (job){.from = c->dout[0],
                      .y = c->out[0],
                      .to = c->din[0],
                      .add = c->add[0],
                      .f = f});
}

sl_status sl_cpu_softmax(const sl_call *c) {
  return forward(c, softmax);
}

sl_status sl_cpu_softmax_grad(const sl_call *c) {
  return backward(c, softmax_grad);
}

sl_status sl_cpu_log_softmax(const sl_call *c) {
  return forward(c, log_softmax);
}

sl_status sl_cpu_log_softmax_grad(const sl_call *c) {
  return backward(c, log_softmax_grad);
}
