/* pool.c -- the pooling operations. */
#include "ops/pool.h"

#include "cuda/cuda.h"

static cu_pool pool_of(const sl_call *c, const sl_axis axes[2]) {
  const sl_tensor *x = c->in[0];
  return (cu_pool){.n = x->shape[0],
                   .c = x->shape[3],
                   .h = axes[0],
                   .w = axes[1],
                   .dtype = (int)x->dtype};
}

sl_status sl_cuda_max_pool2d(const sl_call *c) {
  sl_axis axes[2];
  SL_TRY(sl_max_pool2d_axes(c->in[0], c->opts, axes));
  const cu_pool p = pool_of(c, axes);
  CU_LAUNCHED(cu_max_pool(&p, sl_data(c->in[0]), sl_data(c->out[0]),
                          c->saved[0] ? sl_u8(c->saved[0]) : NULL,
                          sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_max_pool2d_grad(const sl_call *c) {
  sl_axis axes[2];
  SL_TRY(sl_max_pool2d_axes(c->in[0], c->opts, axes));
  const cu_pool p = pool_of(c, axes);
  CU_LAUNCHED(cu_max_pool_grad(&p, sl_data(c->dout[0]), sl_u8(c->saved[0]),
                               sl_data(c->din[0]), c->add[0], sl_cuda.stream));
  return SL_OK;
}

/* Averages differ in their axes only. */
static sl_status average(const sl_call *c, const sl_axis axes[2], int back) {
  const cu_pool p = pool_of(c, axes);
  if (back)
    CU_LAUNCHED(cu_avg_pool_grad(&p, sl_data(c->dout[0]), sl_data(c->din[0]),
                                 c->add[0], sl_cuda.stream));
  else
    CU_LAUNCHED(
        cu_avg_pool(&p, sl_data(c->in[0]), sl_data(c->out[0]), sl_cuda.stream));
  return SL_OK;
}

static sl_status windows(const sl_call *c, int back) {
  sl_axis axes[2];
  SL_TRY(sl_avg_pool2d_axes(c->in[0], c->opts, axes));
  return average(c, axes, back);
}

static sl_status bins(const sl_call *c, int back) {
  sl_axis axes[2];
  SL_TRY(sl_adaptive_avg_pool2d_axes(c->in[0], c->opts, axes));
  return average(c, axes, back);
}

static sl_status global(const sl_call *c, int back) {
  sl_axis axes[2];
  SL_TRY(sl_global_pool_axes(c->in[0], axes));
  return average(c, axes, back);
}

sl_status sl_cuda_avg_pool2d(const sl_call *c) {
  return windows(c, 0);
}

sl_status sl_cuda_avg_pool2d_grad(const sl_call *c) {
  return windows(c, 1);
}

sl_status sl_cuda_adaptive_avg_pool2d(const sl_call *c) {
  return bins(c, 0);
}

sl_status sl_cuda_adaptive_avg_pool2d_grad(const sl_call *c) {
  return bins(c, 1);
}

sl_status sl_cuda_global_avg_pool(const sl_call *c) {
  return global(c, 0);
}

sl_status sl_cuda_global_avg_pool_grad(const sl_call *c) {
  return global(c, 1);
}

sl_status sl_cuda_global_max_pool(const sl_call *c) {
  const sl_tensor *x = c->in[0];
  CU_LAUNCHED(cu_global_max(x->shape[0], x->shape[1] * x->shape[2], x->shape[3],
                            (int)x->dtype, sl_data(x), sl_data(c->out[0]),
                            c->saved[0] ? sl_i32(c->saved[0]) : NULL,
                            sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_global_max_pool_grad(const sl_call *c) {
  const sl_tensor *dx = c->din[0];
  CU_LAUNCHED(cu_global_max_grad(dx->shape[0], dx->shape[1] * dx->shape[2],
                                 dx->shape[3], (int)dx->dtype,
                                 sl_data(c->dout[0]), sl_i32(c->saved[0]),
                                 sl_data(dx), c->add[0], sl_cuda.stream));
  return SL_OK;
}
