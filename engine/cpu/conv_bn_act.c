/* conv_bn_act.c -- convolution, batch norm, residual and activation, in
 * phases over chunks that stay in cache.
 *
 *   forward   each chunk: x (normalised if lazy) -> y, statistics of y
 *             -- barrier (training) --
 *             each chunk, if there is a residual: z = act(bn(y) + residual)
 *   backward  each chunk: sums of g and g * (y - mean)
 *             -- barrier --
 *             each chunk: dy -> weight gradient, dx; residual's gradient
 *
 * In eval mode, where nothing is recorded, the norm is folded into weights and
 * bias of the convolution (or done to each chunk while it is in cache).
 *
 * Without a residual training's forward ends at the barrier: the result is y
 * with its coefficients, and whoever reads it normalises. Backward recomputes
 * what it needs of bn(x) and the slope of the activation from the ys. */
#include "ops/conv_bn_act.h"

#include "base/threads.h"
#include "cpu/conv.h"
#include "cpu/cpu.h"
#include "cpu/norm_batch.h"
#include "cpu/typed.h"

typedef struct job {
  sl_conv conv;
  sl_norm_batch norm;
  sl_source x, residual;
  const float *weight;
  float *scaled; /* weights with the norm folded in */
  sl_act act;
  void *y; /* NULL: y lives only in the worker's chunk (eval) */
  void *z; /* NULL: the result stays lazy */
  const void *dz;
  void *dx, *dresidual;
  float *dweight;
  int add_x, add_weight, add_residual;
  sl_norm_dparams params;
} job;

static sl_status job_new(job *j, const sl_call *c, sl_conv_geometry *g) {
  const sl_conv_bn_act_opts *o = c->opts;
  SL_TRY(sl_conv_bn_act_geometry(g, c, o));
  *j = (job){.x = sl_source_of(c->in[SL_CBA_X]),
             .residual = sl_source_of(c->in[SL_CBA_RESIDUAL]),
             .weight = sl_f32(c->in[SL_CBA_WEIGHT]),
             .act = (sl_act)o->act};
  j->norm.eps = o->eps;
  j->norm.momentum = o->momentum;
  j->norm.training = o->training;
  return sl_norm_batch_new(&j->norm, c, SL_CBA_GAMMA, 1, g->n * g->oh * g->ow,
                           g->o);
}

static const void *residual_chunk(const job *j, const sl_conv_worker *w,
                                  const sl_chunk *k) {
  return sl_source_read(&j->residual, k->out_row, k->out_rows, w->r);
}

/* The chunk's part of a tensor shaped as y. */
static void *out_chunk(const job *j, void *p, const sl_chunk *k) {
  return sl_ahead_to(j->x.type, p, k->out_row * j->norm.c);
}

/* --- forward -------------------------------------------------------------- */

static void normalise_chunk(const job *j, const sl_conv_worker *w,
                            const sl_chunk *k, const void *y) {
  const sl_norm_coefs *f = &j->norm.workers[w->index].k;
  sl_norm_apply(j->x.type, out_chunk(j, j->z, k), y, residual_chunk(j, w, k),
                k->out_rows, j->norm.c, f->scale, f->shift, j->act);
}

static void convolve_chunk(const job *j, const sl_conv_worker *w, int64_t i) {
  const sl_chunk k = sl_conv_chunk(w->v, i);
  void *y = j->y ? out_chunk(j, j->y, &k) : w->y;
  sl_conv_forward(w, &k, &j->x, y);
  if (j->norm.training)
    sl_norm_stats(&j->norm.workers[w->index].sums, j->x.type, y, k.out_rows,
                  j->norm.c);
  else if (j->z)
    normalise_chunk(j, w, &k, y);
}

static void forward(void *context, int worker, int n) {
  job *j = context;
  sl_conv_worker w;
  sl_conv_begin(&w, &j->conv, worker, n);
  sl_conv_pack(&w, j->weight);
  if (!j->norm.training) sl_norm_batch_learn(&j->norm, worker, n);
  sl_pool_barrier();
  for (int64_t i = w.begin; i < w.end; i++)
    convolve_chunk(j, &w, i);
  if (j->norm.training) {
    sl_pool_barrier();
    sl_norm_batch_learn(&j->norm, worker, n);
  }
  /* Backwards: the last chunks may still be in cache. */
  for (int64_t i = w.end - 1; j->norm.training && j->z && i >= w.begin; i--) {
    const sl_chunk k = sl_conv_chunk(&j->conv, i);
    normalise_chunk(j, &w, &k, out_chunk(j, j->y, &k));
  }
  sl_conv_end(&w);
}

/* --- inference: the norm folded into the weights ---------------------------
 */

/* How the convolution itself can end where nothing else needs y: in eval mode,
 * unrecorded, without a residual, with an activation that oneDNN has. */
static sl_dnnl_end fold_end(const job *j) {
  if (j->norm.training || j->y || j->residual.data) return SL_DNNL_PLAIN;
  if (j->act == SL_ACT_NONE) return SL_DNNL_BIAS;
  return j->act == SL_ACT_RELU ? SL_DNNL_BIAS_RELU : SL_DNNL_PLAIN;
}

/* This worker's share of scaled = weight * scale[output channel]. */
static void scale_weights(const job *j, int worker, int n) {
  const float *scale = j->norm.workers[worker].k.scale;
  const int64_t row = j->conv.row_weights;
  int64_t begin, end;
  sl_share(j->conv.o, 1, worker, n, &begin, &end);
  for (int64_t o = begin; o < end; o++)
    for (int64_t i = 0; i < row; i++)
      j->scaled[o * row + i] = j->weight[o * row + i] * scale[o];
}

static void folded(void *context, int worker, int n) {
  job *j = context;
  sl_conv_worker w;
  sl_conv_begin(&w, &j->conv, worker, n);
  sl_norm_batch_learn(&j->norm, worker, n);
  scale_weights(j, worker, n);
  sl_pool_barrier();
  sl_conv_pack(&w, j->scaled);
  sl_pool_barrier();
  for (int64_t i = w.begin; i < w.end; i++) {
    const sl_chunk k = sl_conv_chunk(&j->conv, i);
    sl_conv_forward(&w, &k, &j->x, out_chunk(j, j->z, &k));
  }
  sl_conv_end(&w);
}

static sl_status run_folded(job *j) {
  const size_t bytes =
      (size_t)(j->conv.o * j->conv.row_weights) * sizeof(float);
  j->scaled = sl_cpu_alloc(bytes);
  SL_REQUIRE(j->scaled, SL_ENOMEM, "no memory for %zu bytes of weights", bytes);
  j->conv.bias = j->norm.workers[0].k.shift; /* equal in all of them */
  sl_parallel(folded, j);
  sl_cpu_free(j->scaled, bytes);
  return SL_OK;
}

/* -------------------------------------------------------------------------- */

/* Runs forward with y where it belongs: in saved[0] if backward will want it;
 * else in the result's own memory, which z overwrites, or in chunks. */
static sl_status run_forward(job *j, const sl_call *c,
                             const sl_conv_geometry *g, sl_tensor *y) {
  if (y) j->y = sl_data(y);
  if (c->out[0]) j->z = sl_data(c->out[0]);
  if (!y && j->norm.training) j->y = j->z;
  const unsigned buffers = (j->x.scale ? SL_CONV_X : 0) |
                           (j->y ? 0 : SL_CONV_Y) |
                           (j->residual.scale ? SL_CONV_R : 0);
  const sl_dnnl_end end = fold_end(j);
  SL_TRY(sl_conv_plan(&j->conv, j->x.type, g, 1u << SL_DNNL_FORWARD, end,
                      buffers, 0, 0));
  sl_status status = SL_OK;
  if (end == SL_DNNL_PLAIN)
    sl_parallel(forward, j);
  else
    status = run_folded(j);
  const sl_status done = sl_conv_done(&j->conv);
  return status == SL_OK ? done : status;
}

static sl_status channel_tensor(sl_tensor **out, const float *from,
                                const sl_tensor *like, int64_t c) {
  return sl_tensor_from(out, like->backend, SL_F32, 1, &c, from);
}

static sl_status make_lazy(const job *j, const sl_call *c, sl_tensor *y) {
  const sl_norm_coefs *k = &j->norm.workers[0].k;
  sl_tensor *scale = NULL, *shift = NULL;
  sl_status status = channel_tensor(&scale, k->scale, y, j->norm.c);
  if (status == SL_OK) status = channel_tensor(&shift, k->shift, y, j->norm.c);
  if (status == SL_OK) status = sl_call_make_lazy(c, y, scale, shift, j->act);
  sl_tensor_release(scale);
  sl_tensor_release(shift);
  return status;
}

sl_status sl_cpu_conv_bn_act(const sl_call *c) {
  job j;
  sl_conv_geometry g;
  SL_TRY(job_new(&j, c, &g));
  const int lazy = !c->out[0];
  const int64_t shape[] = {g.n, g.oh, g.ow, g.o};
  sl_tensor *y = c->saved[0] ? sl_tensor_retain(c->saved[0]) : NULL;
  sl_status status = SL_OK;
  if (lazy && !y)
    status = sl_tensor_new(&y, c->in[SL_CBA_X]->backend, j.x.type, 4, shape);
  if (status == SL_OK) status = run_forward(&j, c, &g, y);
  if (status == SL_OK && lazy) status = make_lazy(&j, c, y);
  sl_tensor_release(y);
  sl_norm_batch_free(&j.norm);
  return status;
}

/* --- backward ------------------------------------------------------------- */

static sl_norm_rows rows_of(const job *j, const sl_conv_worker *w,
                            const sl_chunk *k) {
  return (sl_norm_rows){
      .type = j->x.type,
      .dz = sl_ahead(j->x.type, j->dz, k->out_row * j->norm.c),
      .y = out_chunk(j, j->y, k),
      .residual = residual_chunk(j, w, k),
      .rows = k->out_rows,
      .c = j->norm.c,
  };
}

static void reduce_chunk(const job *j, const sl_conv_worker *w, int64_t i) {
  const sl_chunk k = sl_conv_chunk(w->v, i);
  sl_norm_worker *f = &j->norm.workers[w->index];
  const sl_norm_rows in = rows_of(j, w, &k);
  sl_norm_reduce(&f->sums, &in, &f->k, j->act);
}

static void backward_chunk(const job *j, sl_conv_worker *w, int64_t i) {
  const sl_chunk k = sl_conv_chunk(w->v, i);
  void *dy = sl_conv_dy_buffer(w, &k);
  const sl_norm_rows in = rows_of(j, w, &k);
  const sl_norm_dout d = {
      .dy = j->dx || j->dweight ? dy : NULL,
      .dresidual = j->dresidual ? out_chunk(j, j->dresidual, &k) : NULL,
      .add_dresidual = j->add_residual};
  sl_norm_grad(&d, &in, &j->norm.workers[w->index].k, j->act);
  if (j->dweight) sl_conv_wgrad(w, &k, &j->x, dy);
  if (j->dx)
    sl_conv_dgrad(w, &k, dy,
                  sl_ahead_to(j->x.type, j->dx, k.in_row * j->conv.c),
                  j->add_x);
}

static void backward(void *context, int worker, int n) {
  job *j = context;
  sl_conv_worker w;
  sl_conv_begin(&w, &j->conv, worker, n);
  if (j->dx) sl_conv_pack(&w, j->weight);
  sl_norm_batch_recall(&j->norm, worker);
  for (int64_t i = w.begin; i < w.end; i++)
    reduce_chunk(j, &w, i);
  sl_pool_barrier();
  sl_norm_batch_finish(&j->norm, worker, n, &j->params);
  if (j->dx || j->dweight || j->dresidual)
    for (int64_t i = w.end - 1; i >= w.begin; i--)
      backward_chunk(j, &w, i);
  if (j->dweight)
    sl_conv_finish_wgrad(&w, j->x.scale ? NULL : j->x.data, NULL, j->dweight,
                         j->add_weight);
  sl_conv_end(&w);
}

static void gradients(job *j, const sl_call *c) {
  const int R = SL_CBA_RESIDUAL;
  j->dx = sl_cpu_grad_data(c, SL_CBA_X);
  j->dweight = sl_cpu_grad_f32(c, SL_CBA_WEIGHT);
  j->dresidual = sl_cpu_grad_data(c, R);
  j->add_x = c->add[SL_CBA_X];
  j->add_weight = c->add[SL_CBA_WEIGHT];
  j->add_residual = c->add[R];
  if (j->dresidual && j->dresidual == j->dx) {
    /* x is its own residual. The residual's gradient is written first, so it
     * is x's that must add. */
    j->add_residual = j->add_x;
    j->add_x = 1;
  }
  j->params = (sl_norm_dparams){sl_cpu_grad_f32(c, SL_CBA_GAMMA),
                                sl_cpu_grad_f32(c, SL_CBA_BETA),
                                c->add[SL_CBA_GAMMA], c->add[SL_CBA_BETA]};
}

sl_status sl_cpu_conv_bn_act_grad(const sl_call *c) {
  job j;
  sl_conv_geometry g;
  SL_TRY(job_new(&j, c, &g));
  gradients(&j, c);
  j.y = sl_data(c->saved[0]);
  j.dz = sl_data(c->dout[0]);
  const unsigned kinds =
      (j.dx ? 1u << SL_DNNL_DGRAD : 0) | (j.dweight ? 1u << SL_DNNL_WGRAD : 0);
  const unsigned buffers = (j.x.scale && j.dweight ? SL_CONV_X : 0) |
                           (j.dx && j.add_x ? SL_CONV_DX : 0) | SL_CONV_Y |
                           (j.residual.scale ? SL_CONV_R : 0);
  sl_status status = sl_conv_plan(&j.conv, j.x.type, &g, kinds, SL_DNNL_PLAIN,
                                  buffers, 0, j.add_weight);
  if (status == SL_OK) {
    sl_parallel(backward, &j);
    status = sl_conv_done(&j.conv);
  }
  sl_norm_batch_free(&j.norm);
  return status;
}
