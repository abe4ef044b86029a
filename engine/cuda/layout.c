/* layout.c -- operations that only move elements: cat, stack, flip. Each is a
 * copy into or out of a view. */
#include "cuda/cuda.h"
#include "ops/along.h"
#include "ops/flip.h"

/* The part of `whole` from `first` on that has t's shape. With `new_dim` the
 * dimension `dim` is one that t has not. */
static sl_status part(sl_tensor **out, sl_tensor *whole, const sl_tensor *t,
                      int64_t dim, int64_t first, int new_dim) {
  int64_t stride[SL_MAX_RANK] = {0};
  for (int d = 0; d < t->rank; d++)
    stride[d] = whole->stride[new_dim && d >= dim ? d + 1 : d];
  return sl_tensor_view(out, whole, t->rank, t->shape, stride,
                        whole->offset + first * whole->stride[dim]);
}

/* Between input i and its part of the whole: forward into it, backward out. */
static sl_status copy_part(const sl_call *c, int i, int64_t first, int new_dim,
                           int back) {
  const int64_t dim = ((const sl_along_opts *)c->opts)->dim;
  sl_tensor *view = NULL;
  SL_TRY(part(&view, back ? c->dout[0] : c->out[0], c->in[i], dim, first,
              new_dim));
  const sl_status status = back ? sl_cuda_copy(c->din[i], view, c->add[i])
                                : sl_cuda_copy(view, c->in[i], 0);
  sl_tensor_release(view);
  return status;
}

static sl_status copy_parts(const sl_call *c, int new_dim, int back) {
  const int64_t dim = ((const sl_along_opts *)c->opts)->dim;
  int64_t first = 0;
  for (int i = 0; i < c->n_in; i++) {
    if (!back || c->din[i]) SL_TRY(copy_part(c, i, first, new_dim, back));
    first += new_dim ? 1 : c->in[i]->shape[dim];
  }
  return SL_OK;
}

sl_status sl_cuda_cat(const sl_call *c) {
  return copy_parts(c, 0, 0);
}

sl_status sl_cuda_cat_grad(const sl_call *c) {
  return copy_parts(c, 0, 1);
}

sl_status sl_cuda_stack(const sl_call *c) {
  return copy_parts(c, 1, 0);
}

sl_status sl_cuda_stack_grad(const sl_call *c) {
  return copy_parts(c, 1, 1);
}

/* A copy that reads with negative strides. */
static sl_status flipped(const sl_call *c, sl_tensor *to, sl_tensor *from,
                         int add) {
  const sl_flip_opts *o = c->opts;
  int64_t stride[SL_MAX_RANK] = {0}, offset = from->offset;
  for (int d = 0; d < from->rank; d++)
    stride[d] = from->stride[d];
  for (int i = 0; i < o->dims.n; i++) {
    const int64_t d = o->dims.v[i];
    if (from->shape[d] > 0) offset += (from->shape[d] - 1) * stride[d];
    stride[d] = -stride[d];
  }
  sl_tensor *view = NULL;
  SL_TRY(sl_tensor_view(&view, from, from->rank, from->shape, stride, offset));
  const sl_status status = sl_cuda_copy(to, view, add);
  sl_tensor_release(view);
  return status;
}

sl_status sl_cuda_flip(const sl_call *c) {
  return flipped(c, c->out[0], c->in[0], 0);
}

sl_status sl_cuda_flip_grad(const sl_call *c) {
  return flipped(c, c->din[0], c->dout[0], c->add[0]);
}
