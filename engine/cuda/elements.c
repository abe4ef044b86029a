/* elements.c -- element-wise operations and copies, whose kernels walk over
 * tensors of any strides. */
#include <math.h>

#include "cuda/cuda.h"
#include "ops/clamp.h"

static void begin(cu_walk *w, const sl_tensor *out) {
  sl_walk_begin(w, out->rank, out->shape);
  sl_walk_add(w, out);
}

static sl_status run(cu_walk *w, cu_each *f, int add) {
  sl_walk_end(w);
  CU_LAUNCHED(f(w, add, sl_cuda.stream));
  return SL_OK;
}

/* out = f(in...), or a gradient with dy behind. */
static sl_status each(sl_tensor *out, const sl_call *c, const sl_tensor *dy,
                      cu_each *f, int add) {
  cu_walk w;
  begin(&w, out);
  for (int i = 0; i < c->n_in; i++)
    sl_walk_add(&w, c->in[i]);
  sl_walk_add(&w, dy);
  return run(&w, f, add);
}

/* --- families ------------------------------------------------------------- */

#define SL_UNARY(name, value, slope, help)                                     \
  sl_status sl_cuda_##name(const sl_call *c) {                                 \
    return each(c->out[0], c, NULL, cu_##name, 0);                             \
  }                                                                            \
  sl_status sl_cuda_##name##_grad(const sl_call *c) {                          \
    return each(c->din[0], c, c->dout[0], cu_##name##_grad, c->add[0]);        \
  }
#include "ops/unary.def"

static sl_status gradient(const sl_call *c, int i, cu_each *f) {
  if (!c->din[i]) return SL_OK;
  sl_tensor *target = NULL;
  int add;
  SL_TRY(sl_cuda_grad_begin(c, i, &target, &add));
  const sl_status status = each(target, c, c->dout[0], f, add);
  const sl_status done = sl_cuda_grad_finish(c, i, target);
  return status == SL_OK ? done : status;
}

#define SL_BINARY(name, value, slope_a, slope_b, help)                         \
  sl_status sl_cuda_##name(const sl_call *c) {                                 \
    return each(c->out[0], c, NULL, cu_##name, 0);                             \
  }                                                                            \
  sl_status sl_cuda_##name##_grad(const sl_call *c) {                          \
    SL_TRY(gradient(c, 0, cu_##name##_grad_a));                                \
    return gradient(c, 1, cu_##name##_grad_b);                                 \
  }
#include "ops/binary.def"

#define SL_COMPARE(name, value, help)                                          \
  sl_status sl_cuda_##name(const sl_call *c) {                                 \
    return each(c->out[0], c, NULL, cu_##name, 0);                             \
  }
#include "ops/compare.def"

/* --- where ---------------------------------------------------------------- */

sl_status sl_cuda_where(const sl_call *c) {
  return each(c->out[0], c, NULL, cu_where, 0);
}

static sl_status where_grad(const sl_call *c, int i, cu_each *f) {
  if (!c->din[i]) return SL_OK;
  sl_tensor *target = NULL;
  int add;
  cu_walk w;
  SL_TRY(sl_cuda_grad_begin(c, i, &target, &add));
  begin(&w, target);
  sl_walk_add(&w, c->in[0]);
  sl_walk_add(&w, c->dout[0]);
  const sl_status status = run(&w, f, add);
  const sl_status done = sl_cuda_grad_finish(c, i, target);
  return status == SL_OK ? done : status;
}

sl_status sl_cuda_where_grad(const sl_call *c) {
  SL_TRY(where_grad(c, 1, cu_where_grad_a));
  return where_grad(c, 2, cu_where_grad_b);
}

/* --- clamp ---------------------------------------------------------------- */

static int32_t whole(double v) {
  return (int32_t)fmin(fmax(v, INT32_MIN), INT32_MAX);
}

static sl_status clamp(const sl_call *c, sl_tensor *out, const sl_tensor *dy,
                       int add) {
  const sl_clamp_opts *o = c->opts;
  const cu_clamp k = {(float)o->min, (float)o->max, whole(ceil(o->min)),
                      whole(floor(o->max))};
  cu_walk w;
  begin(&w, out);
  sl_walk_add(&w, c->in[0]);
  sl_walk_add(&w, dy);
  sl_walk_end(&w);
  CU_LAUNCHED(cu_clamp_run(&w, k, dy != NULL, add, sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_clamp(const sl_call *c) {
  return clamp(c, c->out[0], NULL, 0);
}

sl_status sl_cuda_clamp_grad(const sl_call *c) {
  return clamp(c, c->din[0], c->dout[0], c->add[0]);
}

/* --- copies --------------------------------------------------------------- */

static int overlaps(const sl_tensor *t) {
  for (int d = 0; d < t->rank; d++)
    if (t->stride[d] == 0 && t->shape[d] > 1) return 1;
  return 0;
}

/* dst's elements, each once. */
static sl_status distinct(sl_tensor **out, sl_tensor *dst) {
  int64_t shape[SL_MAX_RANK];
  for (int d = 0; d < dst->rank; d++)
    shape[d] = dst->stride[d] == 0 ? 1 : dst->shape[d];
  return sl_tensor_view(out, dst, dst->rank, shape, dst->stride, dst->offset);
}

/* Where dst is broadcast, several sources meet in one place: they are summed
 * up first. */
static sl_status gather(sl_tensor *dst, const sl_tensor *src, int add) {
  sl_tensor *once = NULL, *sum = NULL, *dense = NULL;
  SL_TRY(distinct(&once, dst));
  sl_status status =
      sl_tensor_new(&dense, src->backend, SL_F32, src->rank, src->shape);
  if (status == SL_OK) status = sl_cuda_copy(dense, src, 0);
  if (status == SL_OK)
    status = sl_tensor_new(&sum, src->backend, SL_F32, once->rank, once->shape);
  if (status == SL_OK) status = sl_cuda_reduce_to(sum, dense, 0);
  if (status == SL_OK) status = sl_cuda_copy(once, sum, add);
  sl_tensor_release(once);
  sl_tensor_release(dense);
  sl_tensor_release(sum);
  return status;
}

static sl_status move_bytes(sl_tensor *dst, const sl_tensor *src) {
  if (sl_tensor_count(dst) == 0) return SL_OK;
  CU_TRY(cudaMemcpyAsync(sl_data(dst), sl_data(src), sl_tensor_bytes(dst),
                         cudaMemcpyDeviceToDevice, sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_copy(sl_tensor *dst, const sl_tensor *src, int add) {
  cu_walk w;
  if (overlaps(dst) && add) return gather(dst, src, add);
  if (!add && dst->dtype == src->dtype && sl_tensor_is_contiguous(dst) &&
      sl_tensor_is_contiguous(src))
    return move_bytes(dst, src);
  begin(&w, dst);
  sl_walk_add(&w, src);
  return run(&w, cu_copy, add);
}

sl_status sl_cuda_cast(const sl_call *c) {
  return sl_cuda_copy(c->out[0], c->in[0], 0);
}

sl_status sl_cuda_cast_grad(const sl_call *c) {
  return sl_cuda_copy(c->din[0], c->dout[0], c->add[0]);
}

sl_status sl_cuda_contiguous(const sl_call *c) {
  return sl_cuda_copy(c->out[0], c->in[0], 0);
}

sl_status sl_cuda_contiguous_grad(const sl_call *c) {
  return sl_cuda_copy(c->din[0], c->dout[0], c->add[0]);
}
