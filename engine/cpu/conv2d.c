/* conv2d.c -- convolution, each worker its chunks. */
#include "ops/conv2d.h"

#include <string.h>

#include "base/threads.h"
#include "cpu/conv.h"
#include "cpu/cpu.h"
#include "cpu/norm.h"
#include "cpu/typed.h"

typedef struct job {
  sl_conv conv;
  sl_source x;
  const float *weight, *bias;
  void *y;
  const void *dy;
  void *dx;
  float *dweight, *dbias;
  int add_x, add_weight, add_bias;
} job;

/* --- forward -------------------------------------------------------------- */

SL_INLINE void add_bias_typed(sl_dtype type, void *y, const float *bias,
                              int64_t rows, int64_t c) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < c; i += SL_LANES) {
      const int n = c - i < SL_LANES ? (int)(c - i) : SL_LANES;
      sl_v16 b;
      sl_load(&b, bias + i, n);
      sl_put_or_add(type, y, r * c + i, &b, 1, n);
    }
}

SL_SIMD
static void add_bias(sl_dtype type, void *y, const float *bias, int64_t rows,
                     int64_t c) {
#define CALL(T) add_bias_typed(T, y, bias, rows, c)
  SL_TYPE_EACH(type, CALL);
#undef CALL
}

static void forward(void *context, int worker, int n) {
  job *j = context;
  sl_conv *v = &j->conv;
  sl_conv_worker w;
  sl_conv_begin(&w, v, worker, n);
  sl_conv_pack(&w, j->weight);
  sl_pool_barrier();
  for (int64_t i = w.begin; i < w.end; i++) {
    const sl_chunk k = sl_conv_chunk(v, i);
    void *y = sl_ahead_to(v->type, j->y, k.out_row * v->o);
    sl_conv_forward(&w, &k, &j->x, y);
    if (j->bias) add_bias(v->type, y, j->bias, k.out_rows, v->o);
  }
  sl_conv_end(&w);
}

sl_status sl_cpu_conv2d(const sl_call *c) {
  sl_conv_geometry g;
  SL_TRY(sl_conv_geometry_of(&g, c->in[0], c->in[1], c->opts));
  job j = {.x = sl_source_of(c->in[0]),
           .weight = sl_f32(c->in[1]),
           .bias = c->in[2] ? sl_f32(c->in[2]) : NULL,
           .y = sl_data(c->out[0])};
  SL_TRY(sl_conv_plan(&j.conv, j.x.type, &g, 1u << SL_DNNL_FORWARD,
                      SL_DNNL_PLAIN, j.x.scale ? SL_CONV_X : 0, 0, 0));
  sl_parallel(forward, &j);
  return sl_conv_done(&j.conv);
}

/* --- backward ------------------------------------------------------------- */

/* The sums of all workers, in their order; by worker 0, after a barrier. */
static void finish_bias(const job *j, const sl_conv_worker *w) {
  for (int64_t i = 0; i < j->conv.o; i++) {
    double sum = j->add_bias ? (double)j->dbias[i] : 0;
    for (int k = 0; k < w->n; k++)
      sum += ((const double *)sl_conv_more(&j->conv, k))[i];
    j->dbias[i] = (float)sum;
  }
}

static void backward_chunk(const job *j, sl_conv_worker *w, int64_t i) {
  const sl_chunk k = sl_conv_chunk(w->v, i);
  const sl_dtype type = w->v->type;
  const void *dy = sl_ahead(type, j->dy, k.out_row * w->v->o);
  if (j->dbias)
    sl_norm_add_rows((double *)(void *)w->more, type, dy, k.out_rows, w->v->o);
  if (j->dweight) sl_conv_wgrad(w, &k, &j->x, dy);
  if (j->dx)
    sl_conv_dgrad(w, &k, dy, sl_ahead_to(type, j->dx, k.in_row * w->v->c),
                  j->add_x);
}

static void backward(void *context, int worker, int n) {
  job *j = context;
  sl_conv_worker w;
  sl_conv_begin(&w, &j->conv, worker, n);
  if (j->dx) sl_conv_pack(&w, j->weight);
  if (j->dbias) memset(w.more, 0, (size_t)j->conv.o * sizeof(double));
  sl_pool_barrier();
  for (int64_t i = w.begin; i < w.end; i++)
    backward_chunk(j, &w, i);
  sl_pool_barrier();
  if (j->dbias && worker == 0) finish_bias(j, &w);
  if (j->dweight)
    sl_conv_finish_wgrad(&w, j->x.scale ? NULL : j->x.data, j->dy, j->dweight,
                         j->add_weight);
  sl_conv_end(&w);
}

sl_status sl_cpu_conv2d_grad(const sl_call *c) {
  sl_conv_geometry g;
  SL_TRY(sl_conv_geometry_of(&g, c->in[0], c->in[1], c->opts));
  job j = {.x = sl_source_of(c->in[0]),
           .weight = sl_f32(c->in[1]),
           .dy = sl_data(c->dout[0]),
           .dx = sl_cpu_grad_data(c, 0),
           .dweight = sl_cpu_grad_f32(c, 1),
           .dbias = sl_cpu_grad_f32(c, 2),
           .add_x = c->add[0],
           .add_weight = c->add[1],
           .add_bias = c->add[2]};
  const unsigned kinds =
      (j.dx ? 1u << SL_DNNL_DGRAD : 0) | (j.dweight ? 1u << SL_DNNL_WGRAD : 0);
  const unsigned buffers = (j.dweight && j.x.scale ? SL_CONV_X : 0) |
                           (j.dx && j.add_x ? SL_CONV_DX : 0);
  SL_TRY(sl_conv_plan(&j.conv, j.x.type, &g, kinds, SL_DNNL_PLAIN, buffers,
                      j.dbias ? (size_t)g.o * sizeof(double) : 0,
                      j.add_weight));
  sl_parallel(backward, &j);
  return sl_conv_done(&j.conv);
}
