/* flip.c -- CPU kernels of flip: a copy that reads with negative strides. */
#include "ops/flip.h"

#include "cpu/cpu.h"

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
  const sl_status status = sl_cpu_copy(to, view, add);
  sl_tensor_release(view);
  return status;
}

sl_status sl_cpu_flip(const sl_call *c) {
  return flipped(c, c->out[0], c->in[0], 0);
}

sl_status sl_cpu_flip_grad(const sl_call *c) {
  return flipped(c, c->din[0], c->dout[0], c->add[0]);
}
