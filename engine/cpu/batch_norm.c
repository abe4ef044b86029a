/* batch_norm.c -- batch normalisation of any (.., C): workers share the rows.
 * A pass for the statistics, a barrier, a pass that normalises; the same two
 * in backward. */
#include "ops/batch_norm.h"

#include "base/threads.h"
#include "cpu/cpu.h"
#include "cpu/norm_batch.h"
#include "cpu/typed.h"

enum { IN_X, IN_GAMMA, IN_BETA, IN_MEAN, IN_VAR, IN_RESIDUAL };

typedef struct job {
  sl_norm_batch norm;
  sl_dtype type;
  const void *x, *residual;
  sl_act act;
  void *y;
  const void *dy; /* backward */
  sl_norm_dout d;
  sl_norm_dparams params;
} job;

static sl_status job_new(job *j, const sl_call *c) {
  const sl_norm_opts *o = c->opts;
  const sl_tensor *x = c->in[IN_X], *r = c->in[IN_RESIDUAL];
  const int64_t channels = x->shape[x->rank - 1];
  *j = (job){.type = x->dtype,
             .x = sl_data(x),
             .residual = r ? sl_data(r) : NULL,
             .act = (sl_act)o->act};
  j->norm.eps = o->eps;
  j->norm.momentum = o->momentum;
  j->norm.training = o->training;
  return sl_norm_batch_new(&j->norm, c, IN_GAMMA, 0,
                           sl_tensor_count(x) / channels, channels);
}

/* This worker's rows: [*at, *at + rows), where *at counts elements. */
static int64_t share(const job *j, int worker, int n, int64_t *at) {
  int64_t begin, end;
  sl_share(j->norm.rows, 1, worker, n, &begin, &end);
  *at = begin * j->norm.c;
  return end - begin;
}

static void forward(void *context, int worker, int n) {
  job *j = context;
  sl_norm_worker *w = &j->norm.workers[worker];
  int64_t at;
  const int64_t rows = share(j, worker, n, &at);
  if (j->norm.training) {
    sl_norm_stats(&w->sums, j->type, sl_ahead(j->type, j->x, at), rows,
                  j->norm.c);
    sl_pool_barrier();
  }
  sl_norm_batch_learn(&j->norm, worker, n);
  sl_norm_apply(j->type, sl_ahead_to(j->type, j->y, at),
                sl_ahead(j->type, j->x, at), sl_ahead(j->type, j->residual, at),
                rows, j->norm.c, w->k.scale, w->k.shift, j->act);
}

sl_status sl_cpu_batch_norm(const sl_call *c) {
  job j;
  SL_TRY(job_new(&j, c));
  j.y = sl_data(c->out[0]);
  sl_parallel(forward, &j);
  sl_norm_batch_free(&j.norm);
  return SL_OK;
}

static void backward(void *context, int worker, int n) {
  job *j = context;
  sl_norm_worker *w = &j->norm.workers[worker];
  int64_t at;
  const int64_t rows = share(j, worker, n, &at);
  const sl_norm_rows in = {j->type,
                           sl_ahead(j->type, j->dy, at),
                           sl_ahead(j->type, j->x, at),
                           sl_ahead(j->type, j->residual, at),
                           rows,
                           j->norm.c};
  sl_norm_batch_recall(&j->norm, worker);
  sl_norm_reduce(&w->sums, &in, &w->k, j->act);
  sl_pool_barrier();
  sl_norm_batch_finish(&j->norm, worker, n, &j->params);
  sl_norm_dout d = j->d;
  d.dy = sl_ahead_to(j->type, d.dy, at);
  d.dresidual = sl_ahead_to(j->type, d.dresidual, at);
  sl_norm_grad(&d, &in, &w->k, j->act);
}

sl_status sl_cpu_batch_norm_grad(const sl_call *c) {
  job j;
  SL_TRY(job_new(&j, c));
  j.dy = sl_data(c->dout[0]);
  j.d = (sl_norm_dout){sl_cpu_grad_data(c, IN_X),
                       sl_cpu_grad_data(c, IN_RESIDUAL), c->add[IN_X],
                       c->add[IN_RESIDUAL]};
  j.params = (sl_norm_dparams){sl_cpu_grad_f32(c, IN_GAMMA),
                               sl_cpu_grad_f32(c, IN_BETA), c->add[IN_GAMMA],
                               c->add[IN_BETA]};
  sl_parallel(backward, &j);
  sl_norm_batch_free(&j.norm);
  return SL_OK;
}
