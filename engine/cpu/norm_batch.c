/* norm_batch.c -- see norm_batch.h. */
#include "cpu/norm_batch.h"

#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "cpu/cpu.h"

static size_t aligned(size_t bytes) {
  return (bytes + 63) & ~(size_t)63;
}

/* Places a worker's arrays from p on; returns the end. */
static char *place(sl_norm_worker *w, char *p, size_t c) {
  float **f[] = {&w->k.scale, &w->k.shift, &w->k.mean,    &w->k.rstd,
                 &w->k.k0,    &w->k.k1,    &w->sums.pivot};
  double **d[] = {&w->sums.a, &w->sums.b, &w->mean, &w->var};
  const size_t n_f = sizeof f / sizeof *f, n_d = sizeof d / sizeof *d;
  for (size_t i = 0; i < n_f; i++, p += aligned(c * sizeof(float)))
    *f[i] = (float *)(void *)p;
  for (size_t i = 0; i < n_d; i++, p += aligned(c * sizeof(double)))
    *d[i] = (double *)(void *)p;
  return p;
}

static sl_status get_memory(sl_norm_batch *b) {
  const size_t n = (size_t)sl_pool_size(), c = (size_t)b->c;
  sl_norm_worker none;
  const size_t head = aligned(n * sizeof *b->workers);
  const size_t each =
      7 * aligned(c * sizeof(float)) + 4 * aligned(c * sizeof(double));
  b->bytes = head + n * each;
  b->workers = sl_cpu_alloc(b->bytes);
  SL_REQUIRE(b->workers, SL_ENOMEM, "no memory for a batch norm's sums");
  memset(b->workers, 0, n * sizeof none);
  char *p = (char *)b->workers + head;
  for (size_t i = 0; i < n; i++) {
    p = place(&b->workers[i], p, c);
    sl_norm_sums_clear(&b->workers[i].sums, b->c);
  }
  return SL_OK;
}

sl_status sl_norm_batch_new(sl_norm_batch *b, const sl_call *c, int first,
                            int saved, int64_t rows, int64_t channels) {
  const sl_tensor *mean = c->saved[saved], *rstd = c->saved[saved + 1];
  b->gamma = sl_f32(c->in[first]);
  b->beta = sl_f32(c->in[first + 1]);
  b->running_mean = sl_f32(c->in[first + 2]);
  b->running_var = sl_f32(c->in[first + 3]);
  b->mean = mean ? sl_f32(mean) : NULL;
  b->rstd = rstd ? sl_f32(rstd) : NULL;
  b->rows = rows;
  b->c = channels;
  return get_memory(b);
}

void sl_norm_batch_free(sl_norm_batch *b) {
  sl_cpu_free(b->workers, b->bytes);
  b->workers = NULL;
}

/* --- forward -------------------------------------------------------------- */

/* Mean and biased variance of all workers' rows, each with its own pivot, in
 * the order of workers (Chan, Golub and LeVeque's rule). */
static void merge(const sl_norm_batch *b, int n, double *mean, double *var) {
  memset(mean, 0, (size_t)b->c * sizeof *mean);
  memset(var, 0, (size_t)b->c * sizeof *var);
  double count = 0;
  for (int w = 0; w < n; w++) {
    const sl_norm_sums *s = &b->workers[w].sums;
    if (s->rows == 0) continue;
    const double rows = (double)s->rows, all = count + rows;
    for (int64_t i = 0; i < b->c; i++) {
      const double off = s->a[i] / rows, m2 = s->b[i] - off * s->a[i];
      const double d = (double)s->pivot[i] + off - mean[i];
      mean[i] += d * rows / all;
      var[i] += (m2 > 0 ? m2 : 0) + d * d * count * rows / all;
    }
    count = all;
  }
  for (int64_t i = 0; i < b->c; i++)
    var[i] /= count;
}

/* A batch that is not finite leaves the averages alone: one such batch would
 * spoil them for good. (A NaN among the values hides from m2 > 0 above, but not
 * from the mean.) */
static void update_running(const sl_norm_batch *b, const double *mean,
                           const double *var) {
  const double m = b->momentum, n = (double)b->rows;
  for (int64_t i = 0; i < b->c; i++) {
    const float to_mean =
        (float)((1 - m) * (double)b->running_mean[i] + m * mean[i]);
    const float to_var =
        (float)((1 - m) * (double)b->running_var[i] + m * var[i] * n / (n - 1));
    if (!isfinite(to_mean) || !isfinite(to_var)) continue;
    b->running_mean[i] = to_mean;
    b->running_var[i] = to_var;
  }
}

void sl_norm_batch_learn(sl_norm_batch *b, int worker, int n_workers) {
  sl_norm_worker *w = &b->workers[worker];
  if (b->training) {
    merge(b, n_workers, w->mean, w->var);
    if (worker == 0) update_running(b, w->mean, w->var);
  } else {
    for (int64_t i = 0; i < b->c; i++) {
      w->mean[i] = (double)b->running_mean[i];
      w->var[i] = (double)b->running_var[i];
    }
  }
  for (int64_t i = 0; i < b->c; i++) {
    w->k.mean[i] = (float)w->mean[i];
    w->k.rstd[i] = (float)(1 / sqrt(w->var[i] + b->eps));
  }
  sl_norm_affine(&w->k, b->gamma, b->beta, b->c);
  if (worker != 0 || !b->mean) return;
  memcpy(b->mean, w->k.mean, (size_t)b->c * sizeof *b->mean);
  memcpy(b->rstd, w->k.rstd, (size_t)b->c * sizeof *b->rstd);
}

/* --- backward ------------------------------------------------------------- */

void sl_norm_batch_recall(sl_norm_batch *b, int worker) {
  sl_norm_worker *w = &b->workers[worker];
  memcpy(w->k.mean, b->mean, (size_t)b->c * sizeof *b->mean);
  memcpy(w->k.rstd, b->rstd, (size_t)b->c * sizeof *b->rstd);
  sl_norm_affine(&w->k, b->gamma, b->beta, b->c);
  sl_norm_sums_clear(&w->sums, b->c);
}

static void put(float *to, int64_t i, double v, int add) {
  if (to) to[i] = add ? (float)((double)to[i] + v) : (float)v;
}

void sl_norm_batch_finish(sl_norm_batch *b, int worker, int n_workers,
                          const sl_norm_dparams *d) {
  const sl_norm_coefs *k = &b->workers[worker].k;
  const double rows = (double)b->rows;
  for (int64_t i = 0; i < b->c; i++) {
    double sum = 0, dot = 0;
    for (int w = 0; w < n_workers; w++) {
      sum += b->workers[w].sums.a[i];
      dot += b->workers[w].sums.b[i];
    }
    const double rstd = (double)k->rstd[i], scale = (double)k->scale[i];
    k->k0[i] = b->training ? (float)(-scale * sum / rows) : 0;
    k->k1[i] = b->training ? (float)(-scale * rstd * rstd * dot / rows) : 0;
    if (worker != 0) continue;
    put(d->dgamma, i, dot * rstd, d->add_gamma);
    put(d->dbeta, i, sum, d->add_beta);
  }
}
