/* cat.c -- CPU kernels of cat and stack: see ops/cat.c. Each tensor is copied
 * into, and its gradient out of, a view of the whole. */
#include "ops/along.h"

#include "cpu/cpu.h"

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

static sl_status join(const sl_call *c, int new_dim) {
  const int64_t dim = ((const sl_along_opts *)c->opts)->dim;
  int64_t first = 0;
  for (int i = 0; i < c->n_in; i++) {
    sl_tensor *view = NULL;
    SL_TRY(part(&view, c->out[0], c->in[i], dim, first, new_dim));
    const sl_status status = sl_cpu_copy(view, c->in[i], 0);
    sl_tensor_release(view);
    SL_TRY(status);
    first += new_dim ? 1 : c->in[i]->shape[dim];
  }
  return SL_OK;
}

static sl_status divide(const sl_call *c, int new_dim) {
  const int64_t dim = ((const sl_along_opts *)c->opts)->dim;
  int64_t first = 0;
  for (int i = 0; i < c->n_in; i++) {
    if (c->din[i]) {
      sl_tensor *view = NULL;
      SL_TRY(part(&view, c->dout[0], c->in[i], dim, first, new_dim));
      const sl_status status = sl_cpu_copy(c->din[i], view, c->add[i]);
      sl_tensor_release(view);
      SL_TRY(status);
    }
    first += new_dim ? 1 : c->in[i]->shape[dim];
  }
  return SL_OK;
}

sl_status sl_cpu_cat(const sl_call *c) {
  return join(c, 0);
}

sl_status sl_cpu_cat_grad(const sl_call *c) {
  return divide(c, 0);
}

sl_status sl_cpu_stack(const sl_call *c) {
  return join(c, 1);
}

sl_status sl_cpu_stack_grad(const sl_call *c) {
  return divide(c, 1);
}
