/* cross_entropy.c -- the kernels of ops/cross_entropy.h.
 *
 * Forward computes the two terms of each item, on all workers, and then adds
 * them up in order, so that the sum does not depend on the threads. Backward
 * computes the softmax again: cheaper than to keep it. */
#include "ops/cross_entropy.h"

#include <inttypes.h>
#include <math.h>

#include "base/alloc.h"
#include "cpu/cpu.h"
#include "cpu/floats.h"

typedef struct job {
  const sl_call *c;
  int64_t n, k;
  const int32_t *label; /* (N), 1..K; NULL: soft targets */
  const float *soft;    /* (N, K); NULL: labels */
  const float *weight;  /* (K); NULL: all 1 */
  double e;
  float *scratch; /* K for each worker */
  double *nll;    /* forward: (N), and smooth (N) after it */
} job;

static float weight_of(const job *j, int64_t k) {
  return j->weight ? j->weight[k] : 1.0f;
}

static sl_status check_labels(const job *j) {
  for (int64_t i = 0; j->label && i < j->n; i++)
    SL_REQUIRE(j->label[i] >= 1 && j->label[i] <= j->k, SL_EINVAL,
               "label %" PRId32 " of sample %" PRId64
               " is not a class number: 1..%" PRId64,
               j->label[i], i + 1, j->k);
  return SL_OK;
}

static job job_of(const sl_call *c) {
  const sl_tensor *z = c->in[0], *t = c->in[1], *w = c->in[2];
  const sl_cross_entropy_opts *o = c->opts;
  const int hard = t->dtype == SL_I32;
  return (job){.c = c,
               .n = z->shape[0],
               .k = z->shape[1],
               .label = hard ? sl_i32(t) : NULL,
               .soft = hard ? NULL : sl_f32(t),
               .weight = w ? sl_f32(w) : NULL,
               .e = o->label_smoothing};
}

/* log(sum of exp(z)) = top + log(sum): no expf() overflows. */
typedef struct normaliser {
  float top;
  double sum;
} normaliser;

static normaliser normaliser_of(const float *z, int64_t k) {
  normaliser s = {z[0], 0};
  for (int64_t j = 1; j < k; j++)
    s.top = z[j] > s.top ? z[j] : s.top;
  for (int64_t j = 0; j < k; j++)
    s.sum += (double)expf(z[j] - s.top);
  return s;
}

static double log_sum_exp(const float *z, int64_t k) {
  const normaliser s = normaliser_of(z, k);
  return (double)s.top + log(s.sum);
}

/* A class of probability 0 does not count, be its logit -infinity. */
static double nll_of(const job *j, int64_t i, const float *z, double lse) {
  if (j->label) {
    const int64_t t = j->label[i] - 1;
    return (double)weight_of(j, t) * (lse - (double)z[t]);
  }
  const float *q = j->soft + i * j->k;
  double sum = 0;
  for (int64_t k = 0; k < j->k; k++)
    if (q[k] != 0)
      sum += (double)(weight_of(j, k) * q[k]) * (lse - (double)z[k]);
  return sum;
}

static double smooth_of(const float *z, int64_t k, double lse) {
  double sum = 0;
  for (int64_t j = 0; j < k; j++)
    sum += lse - (double)z[j];
  return sum / (double)k;
}

/* Without smoothing its term is not touched: a logit of -infinity, a class
 * masked out, would make it 0 * infinity. */
static void forward(void *context, int worker, int n_workers) {
  const job *j = context;
  float *buffer = j->scratch + j->k * worker;
  int64_t begin, end;
  sl_share(j->n, 1, worker, n_workers, &begin, &end);
  for (int64_t i = begin; i < end; i++) {
    const float *z = sl_row_get(j->c->in[0], i * j->k, j->k, buffer);
    const double lse = log_sum_exp(z, j->k);
    j->nll[i] = nll_of(j, i, z, lse);
    j->nll[j->n + i] = j->e > 0 ? smooth_of(z, j->k, lse) : 0;
  }
}

/* W: what the sum of nll is divided by for a mean. */
static double total_weight(const job *j) {
  if (!j->label || !j->weight) return (double)j->n;
  double sum = 0;
  for (int64_t i = 0; i < j->n; i++)
    sum += (double)j->weight[j->label[i] - 1];
  return sum;
}

/* What one item's nll and smooth are multiplied by in the loss. */
static void factors(const job *j, double *of_nll, double *of_smooth) {
  const int reduction = ((const sl_cross_entropy_opts *)j->c->opts)->reduction;
  const int mean = reduction == SL_REDUCTION_MEAN;
  *of_nll = (1 - j->e) / (mean ? total_weight(j) : 1);
  *of_smooth = j->e / (mean ? (double)j->n : 1);
}

static void reduce(const job *j, float *out) {
  const int reduction = ((const sl_cross_entropy_opts *)j->c->opts)->reduction;
  double of_nll, of_smooth, total = 0;
  factors(j, &of_nll, &of_smooth);
  for (int64_t i = 0; i < j->n; i++) {
    const double item = of_nll * j->nll[i] + of_smooth * j->nll[j->n + i];
    if (reduction == SL_REDUCTION_NONE)
      out[i] = (float)item;
    else
      total += item;
  }
  if (reduction != SL_REDUCTION_NONE) *out = (float)total;
}

sl_status sl_cpu_cross_entropy(const sl_call *c) {
  job j = job_of(c);
  SL_TRY(check_labels(&j));
  j.scratch = sl_scratch(j.k);
  if (!j.scratch) return SL_ENOMEM;
  j.nll = sl_alloc((size_t)j.n + 1, 2 * sizeof *j.nll);
  if (j.nll) {
    sl_parallel_if(j.n * j.k, forward, &j);
    reduce(&j, sl_f32(c->out[0]));
  }
  sl_free_data(j.scratch);
  SL_REQUIRE(j.nll, SL_ENOMEM, "no memory for %" PRId64 " losses", j.n);
  sl_free(j.nll);
  return SL_OK;
}

/* dz = softmax(z) * sum of a - a, a[k] = nll w[k] q[k] + smooth. */
static void row_grad(const job *j, int64_t i, const float *z, double nll,
                     double smooth, float *dz) {
  const normaliser s = normaliser_of(z, j->k);
  double sum = smooth;
  if (j->label) {
    sum += nll * (double)weight_of(j, j->label[i] - 1);
  } else {
    for (int64_t k = 0; k < j->k; k++)
      sum += nll * (double)(weight_of(j, k) * j->soft[i * j->k + k]);
  }
  const float scale = (float)(sum / s.sum);
  const float share = (float)(smooth / (double)j->k);
  for (int64_t k = 0; k < j->k; k++)
    dz[k] = scale * expf(z[k] - s.top) - share;
  if (j->label) {
    const int64_t t = j->label[i] - 1;
    dz[t] -= (float)nll * weight_of(j, t);
  } else {
    for (int64_t k = 0; k < j->k; k++)
      dz[k] -= (float)nll * weight_of(j, k) * j->soft[i * j->k + k];
  }
}

static void backward(void *context, int worker, int n_workers) {
  const job *j = context;
  const sl_call *c = j->c;
  float *buffer = j->scratch + 2 * j->k * worker;
  const int each = c->dout[0]->rank == 1;
  double of_nll, of_smooth;
  factors(j, &of_nll, &of_smooth);
  int64_t begin, end;
  sl_share(j->n, 1, worker, n_workers, &begin, &end);
  for (int64_t i = begin; i < end; i++) {
    const double g = (double)sl_f32(c->dout[0])[each ? i : 0];
    const float *z = sl_row_get(c->in[0], i * j->k, j->k, buffer);
    float *dz = sl_row_place(c->din[0], i * j->k, c->add[0], buffer + j->k);
    row_grad(j, i, z, g * of_nll, g * of_smooth, dz);
    sl_row_put(c->din[0], i * j->k, j->k, dz, c->add[0]);
  }
}

sl_status sl_cpu_cross_entropy_grad(const sl_call *c) {
  job j = job_of(c);
  j.scratch = sl_scratch(2 * j.k);
  if (!j.scratch) return SL_ENOMEM;
  sl_parallel_if(j.n * j.k, backward, &j);
  sl_free_data(j.scratch);
  return SL_OK;
}
