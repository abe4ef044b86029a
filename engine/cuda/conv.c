/* conv.c -- conv2d and conv_bn_act: cuDNN's convolutions (dnn.h) and our own
 * batch norm (norm.h).
 *
 * cuDNN wants x, weight and y of one type. Weights are f32: for bf16 images
 * they are rounded at each call, and their gradients come as bf16. A GPU whose
 * tensor cores do not know bf16 computes in f32. */
#include "cuda/dnn.h"
#include "cuda/norm.h"
#include "ops/conv_bn_act.h"

static sl_dtype type_for(const sl_tensor *x) {
  return x->dtype == SL_BF16 && sl_cuda.capability >= 80 ? SL_BF16 : SL_F32;
}

/* What cuDNN may read: of that type, its address a multiple of 16. */
static sl_status readable(sl_tensor **out, sl_tensor *t, sl_dtype type) {
  if (t->dtype != type || (uintptr_t)sl_data(t) % 16)
    return sl_tensor_copy(out, t, t->backend, type);
  *out = sl_tensor_retain(t);
  return SL_OK;
}

/* Where cuDNN may write what goes to t: t itself, or a new tensor. */
static sl_status writable(sl_tensor **out, sl_tensor *t, sl_dtype type,
                          int add) {
  if (add || t->dtype != type || (uintptr_t)sl_data(t) % 16)
    return sl_tensor_new(out, t->backend, type, t->rank, t->shape);
  *out = sl_tensor_retain(t);
  return SL_OK;
}

/* The way from there to t. */
static sl_status deliver(sl_tensor *t, const sl_tensor *from, int add) {
  return from == t ? SL_OK : sl_cuda_copy(t, from, add);
}

/* Of the three tensors of a convolution the last is written, to `to`. */
static sl_status convolve(sl_dnn_kind kind, const sl_conv_geometry *g,
                          sl_dtype type, sl_tensor *a, sl_tensor *b,
                          sl_tensor *to, int add) {
  sl_tensor *x = NULL, *y = NULL, *z = NULL;
  sl_status status = readable(&x, a, type);
  if (status == SL_OK) status = readable(&y, b, type);
  if (status == SL_OK) status = writable(&z, to, type, add);
  if (status == SL_OK) {
    void *const p = sl_data(x), *const q = sl_data(y), *const r = sl_data(z);
    status = kind == SL_DNN_FORWARD ? sl_dnn_conv(kind, g, type, p, q, r)
             : kind == SL_DNN_DGRAD ? sl_dnn_conv(kind, g, type, r, q, p)
                                    : sl_dnn_conv(kind, g, type, p, r, q);
  }
  if (status == SL_OK) status = deliver(to, z, add);
  sl_tensor_release(x);
  sl_tensor_release(y);
  sl_tensor_release(z);
  return status;
}

/* Gradients of x and weight, where they are wanted. */
static sl_status convolve_back(const sl_call *c, const sl_conv_geometry *g,
                               int x, int weight, sl_tensor *dy) {
  const sl_dtype type = type_for(c->in[x]);
  if (c->din[x])
    SL_TRY(convolve(SL_DNN_DGRAD, g, type, dy, c->in[weight], c->din[x],
                    c->add[x]));
  if (c->din[weight])
    SL_TRY(convolve(SL_DNN_WGRAD, g, type, c->in[x], dy, c->din[weight],
                    c->add[weight]));
  return SL_OK;
}

/* --- conv2d ----------------------------------------------------------------
 */

sl_status sl_cuda_conv2d(const sl_call *c) {
  sl_tensor *x = c->in[0], *bias = c->in[2], *y = c->out[0];
  sl_conv_geometry g;
  SL_TRY(sl_conv_geometry_of(&g, x, c->in[1], c->opts));
  SL_TRY(convolve(SL_DNN_FORWARD, &g, type_for(x), x, c->in[1], y, 0));
  if (bias)
    CU_LAUNCHED(cu_add_bias(sl_data(y), (int)y->dtype, sl_f32(bias), SL_F32,
                            g.n * g.oh * g.ow, g.o, sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_conv2d_grad(const sl_call *c) {
  sl_tensor *dy = c->dout[0];
  sl_conv_geometry g;
  SL_TRY(sl_conv_geometry_of(&g, c->in[0], c->in[1], c->opts));
  if (c->din[2])
    SL_TRY(sl_cuda_sum_rows(sl_data(dy), dy->dtype, g.n * g.oh * g.ow, g.o,
                            c->din[2], c->add[2]));
  return convolve_back(c, &g, 0, 1, dy);
}

/* --- conv_bn_act ------------------------------------------------------------
 */

static sl_status open_call(sl_cuda_batch *n, const sl_call *c,
                           sl_conv_geometry *g) {
  const sl_conv_bn_act_opts *o = c->opts;
  SL_TRY(sl_conv_bn_act_geometry(g, c, o));
  *n = (sl_cuda_batch){.m = {.rows = g->n * g->oh * g->ow,
                             .c = g->o,
                             .dtype = (int)c->in[SL_CBA_X]->dtype,
                             .act = o->act,
                             .training = o->training,
                             .eps = o->eps,
                             .momentum = o->momentum}};
  return sl_cuda_batch_open(n, c, SL_CBA_GAMMA, 1);
}

/* The result may be lazy: it is made all the same, since cuDNN could not read
 * it otherwise. */
static sl_status make_result(const sl_call *c, const sl_conv_geometry *g) {
  sl_call *call = (sl_call *)(uintptr_t)c; /* out[0] is ours to write */
  const sl_tensor *x = c->in[SL_CBA_X];
  const int64_t shape[] = {g->n, g->oh, g->ow, g->o};
  if (c->out[0]) return SL_OK;
  return sl_tensor_new(&call->out[0], x->backend, x->dtype, 4, shape);
}

/* The convolution's output is kept for backward, or written over. */
static sl_status forward(const sl_call *c, const sl_cuda_batch *n,
                         const sl_conv_geometry *g) {
  sl_tensor *x = c->in[SL_CBA_X];
  SL_TRY(make_result(c, g));
  sl_tensor *y = c->saved[0] ? c->saved[0] : c->out[0];
  SL_TRY(
      convolve(SL_DNN_FORWARD, g, type_for(x), x, c->in[SL_CBA_WEIGHT], y, 0));
  return sl_cuda_batch_forward(n, y, c->in[SL_CBA_RESIDUAL], c->out[0]);
}

sl_status sl_cuda_conv_bn_act(const sl_call *c) {
  sl_cuda_batch n;
  sl_conv_geometry g;
  SL_TRY(open_call(&n, c, &g));
  const sl_status status = forward(c, &n, &g);
  sl_cuda_batch_close(&n);
  return status;
}

static sl_status backward(const sl_call *c, const sl_cuda_batch *n,
                          const sl_conv_geometry *g, sl_tensor *dy) {
  const cu_batch_params p = sl_cuda_batch_params(c, SL_CBA_GAMMA);
  const sl_cuda_batch_grads grads = {dy, c->din[SL_CBA_RESIDUAL], 0,
                                     c->add[SL_CBA_RESIDUAL]};
  SL_TRY(sl_cuda_batch_backward(n, c->saved[0], c->in[SL_CBA_RESIDUAL],
                                c->dout[0], &p, &grads));
  return convolve_back(c, g, SL_CBA_X, SL_CBA_WEIGHT, dy);
}

sl_status sl_cuda_conv_bn_act_grad(const sl_call *c) {
  const sl_tensor *y = c->saved[0];
  sl_tensor *dy = NULL;
  sl_cuda_batch n;
  sl_conv_geometry g;
  SL_TRY(open_call(&n, c, &g));
  sl_status status =
      sl_tensor_new(&dy, y->backend, y->dtype, y->rank, y->shape);
  if (status == SL_OK) status = backward(c, &n, &g, dy);
  sl_tensor_release(dy);
  sl_cuda_batch_close(&n);
  return status;
}
