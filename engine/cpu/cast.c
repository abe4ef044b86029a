/* cast.c -- cast and contiguous are copies; so are their gradients. */
#include "cpu/cpu.h"

sl_status sl_cpu_cast(const sl_call *c) {
  return sl_cpu_copy(c->out[0], c->in[0], 0);
}

sl_status sl_cpu_cast_grad(const sl_call *c) {
  return sl_cpu_copy(c->din[0], c->dout[0], c->add[0]);
}

sl_status sl_cpu_contiguous(const sl_call *c) {
  return sl_cpu_copy(c->out[0], c->in[0], 0);
}

sl_status sl_cpu_contiguous_grad(const sl_call *c) {
  return sl_cpu_copy(c->din[0], c->dout[0], c->add[0]);
}
