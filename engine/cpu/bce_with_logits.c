/* bce_with_logits.c -- the kernels of ops/bce_with_logits.h.
 *
 * The elements are cut into blocks of a fixed size; each block has a sum of its
 * own, and those are added in order: the result is the same for any number of
 * threads. */
#include "ops/bce_with_logits.h"

#include <inttypes.h>
#include <math.h>

#include "base/alloc.h"
#include "cpu/cpu.h"
#include "cpu/floats.h"

enum { BLOCK = 1024 };

typedef struct job {
  const sl_call *c;
  int64_t count, k; /* elements; classes */
  const float *y, *weight;
  double *sums; /* forward, of each block; NULL: reduction none */
  float scale;  /* backward, of dout */
} job;

static job job_of(const sl_call *c) {
  const sl_tensor *z = c->in[0], *p = c->in[2];
  return (job){.c = c,
               .count = sl_tensor_count(z),
               .k = z->rank ? z->shape[z->rank - 1] : 1,
               .y = sl_f32(c->in[1]),
               .weight = p ? sl_f32(p) : NULL};
}

static int64_t blocks(const job *j) {
  return (j->count + BLOCK - 1) / BLOCK;
}

static int64_t block_size(const job *j, int64_t first) {
  return j->count - first < BLOCK ? j->count - first : BLOCK;
}

/* 1 + (p - 1) y: how often the element's positive part counts. */
static float times(const job *j, int64_t i) {
  return j->weight ? 1 + (j->weight[i % j->k] - 1) * j->y[i] : 1.0f;
}

/* log(1 + exp(-z)) */
static float softplus_of_minus(float z) {
  return (z < 0 ? -z : 0.0f) + log1pf(expf(-fabsf(z)));
}

static float sigmoid_of_minus(float z) {
  const float e = expf(-fabsf(z)); /* never overflows */
  return (z < 0 ? 1.0f : e) / (1 + e);
}

static void forward(void *context, int worker, int n_workers) {
  const job *j = context;
  float buffer[BLOCK], losses[BLOCK];
  int64_t begin, end;
  sl_share(blocks(j), 1, worker, n_workers, &begin, &end);
  for (int64_t b = begin; b < end; b++) {
    const int64_t first = b * BLOCK, n = block_size(j, first);
    const float *z = sl_row_get(j->c->in[0], first, n, buffer);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
      losses[i] = (1 - j->y[first + i]) * z[i] +
                  times(j, first + i) * softplus_of_minus(z[i]);
      sum += (double)losses[i];
    }
    if (j->sums)
      j->sums[b] = sum;
    else
      sl_row_put(j->c->out[0], first, n, losses, 0);
  }
}

static int reduction_of(const sl_call *c) {
  return ((const sl_bce_with_logits_opts *)c->opts)->reduction;
}

sl_status sl_cpu_bce_with_logits(const sl_call *c) {
  job j = job_of(c);
  const int reduction = reduction_of(c);
  if (reduction == SL_REDUCTION_NONE) {
    sl_parallel_if(j.count, forward, &j);
    return SL_OK;
  }
  j.sums = sl_alloc((size_t)blocks(&j) + 1, sizeof *j.sums);
  SL_REQUIRE(j.sums, SL_ENOMEM, "no memory for %" PRId64 " sums", blocks(&j));
  sl_parallel_if(j.count, forward, &j);
  double total = 0;
  for (int64_t b = 0; b < blocks(&j); b++)
    total += j.sums[b];
  if (reduction == SL_REDUCTION_MEAN) total /= (double)j.count;
  *sl_f32(c->out[0]) = (float)total;
  sl_free(j.sums);
  return SL_OK;
}

static void backward(void *context, int worker, int n_workers) {
  const job *j = context;
  const sl_call *c = j->c;
  const float *g = sl_f32(c->dout[0]);
  const int each = reduction_of(c) == SL_REDUCTION_NONE;
  float buffer[BLOCK], slopes[BLOCK];
  int64_t begin, end;
  sl_share(blocks(j), 1, worker, n_workers, &begin, &end);
  for (int64_t b = begin; b < end; b++) {
    const int64_t first = b * BLOCK, n = block_size(j, first);
    const float *z = sl_row_get(c->in[0], first, n, buffer);
    for (int64_t i = 0; i < n; i++)
      slopes[i] = j->scale * g[each ? first + i : 0] *
                  ((1 - j->y[first + i]) -
                   times(j, first + i) * sigmoid_of_minus(z[i]));
    sl_row_put(c->din[0], first, n, slopes, c->add[0]);
  }
}

sl_status sl_cpu_bce_with_logits_grad(const sl_call *c) {
  job j = job_of(c);
  const int mean = reduction_of(c) == SL_REDUCTION_MEAN;
  j.scale = mean ? 1 / (float)j.count : 1.0f;
  sl_parallel_if(j.count, backward, &j);
  return SL_OK;
}
