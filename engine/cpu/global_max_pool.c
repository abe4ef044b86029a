/* global_max_pool.c -- the kernels of ops/global_max_pool.c. Each image is one
 * worker's, so that scattering the gradient needs no care. */
#include "base/alloc.h"
#include "cpu/cpu.h"
#include "cpu/floats.h"

typedef struct job {
  const sl_call *c;
  int64_t n, pixels, channels;
  int32_t *places; /* (N, C): the pixel of the largest value; may be NULL */
  float *scratch;  /* 2 C for each worker */
} job;

static void forward(void *context, int worker, int n_workers) {
  const job *j = context;
  float *best = j->scratch + 2 * j->channels * worker;
  float *buffer = best + j->channels;
  int64_t begin, end;
  sl_share(j->n, 1, worker, n_workers, &begin, &end);
  for (int64_t n = begin; n < end; n++) {
    int32_t *place = j->places ? j->places + n * j->channels : NULL;
    for (int64_t p = 0; p < j->pixels; p++) {
      const int64_t at = (n * j->pixels + p) * j->channels;
      const float *v = sl_row_get(j->c->in[0], at, j->channels, buffer);
      for (int64_t i = 0; i < j->channels; i++) {
        if (p > 0 && !(v[i] > best[i] || v[i] != v[i])) continue;
        best[i] = v[i];
        if (place) place[i] = (int32_t)p;
      }
    }
    sl_row_put(j->c->out[0], n * j->channels, j->channels, best, 0);
  }
}

static void backward(void *context, int worker, int n_workers) {
  const job *j = context;
  float *row = j->scratch + 2 * j->channels * worker;
  float *buffer = row + j->channels;
  int64_t begin, end;
  sl_share(j->n, 1, worker, n_workers, &begin, &end);
  for (int64_t n = begin; n < end; n++) {
    const int64_t first = n * j->channels;
    const int32_t *place = j->places + first;
    const float *dy = sl_row_get(j->c->dout[0], first, j->channels, buffer);
    for (int64_t p = 0; p < j->pixels; p++) {
      for (int64_t i = 0; i < j->channels; i++)
        row[i] = place[i] == p ? dy[i] : 0.0f;
      sl_row_put(j->c->din[0], (n * j->pixels + p) * j->channels, j->channels,
                 row, j->c->add[0]);
    }
  }
}

static sl_status run(const sl_call *c, sl_work *f) {
  const sl_tensor *x = c->in[0];
  job j = {.c = c,
           .n = x->shape[0],
           .pixels = x->shape[1] * x->shape[2],
           .channels = x->shape[3],
           .places = c->saved[0] ? sl_i32(c->saved[0]) : NULL,
           .scratch = sl_scratch(2 * x->shape[3])};
  if (!j.scratch) return SL_ENOMEM;
  sl_parallel_if(sl_tensor_count(x), f, &j);
  sl_free_data(j.scratch);
  return SL_OK;
}

sl_status sl_cpu_global_max_pool(const sl_call *c) {
  return run(c, forward);
}

sl_status sl_cpu_global_max_pool_grad(const sl_call *c) {
  return run(c, backward);
}
