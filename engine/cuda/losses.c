/* losses.c -- cross-entropy and binary cross-entropy. */
#include "cuda/cuda.h"
#include "ops/bce_with_logits.h"
#include "ops/cross_entropy.h"

static cu_cross_entropy cross_entropy_of(const sl_call *c) {
  const sl_tensor *z = c->in[0], *t = c->in[1], *w = c->in[2];
  const sl_cross_entropy_opts *o = c->opts;
  const int hard = t->dtype == SL_I32;
  return (cu_cross_entropy){.n = z->shape[0],
                            .k = z->shape[1],
                            .dtype = (int)z->dtype,
                            .logits = sl_data(z),
                            .label = hard ? sl_i32(t) : NULL,
                            .soft = hard ? NULL : sl_f32(t),
                            .weight = w ? sl_f32(w) : NULL,
                            .e = o->label_smoothing,
                            .reduction = o->reduction,
                            .fault = sl_cuda_fault(CU_FAULT_LABEL)};
}

static sl_status terms_for(cu_cross_entropy *x, sl_cuda_scratch *s) {
  SL_TRY(sl_cuda_scratch_get(s, (size_t)(2 * x->n + 1) * sizeof *x->terms));
  x->terms = s->p;
  return SL_OK;
}

sl_status sl_cuda_cross_entropy(const sl_call *c) {
  cu_cross_entropy x = cross_entropy_of(c);
  sl_cuda_scratch s;
  SL_TRY(terms_for(&x, &s));
  const int e = cu_cross_entropy_run(&x, sl_f32(c->out[0]), sl_cuda.stream);
  sl_cuda_scratch_drop(&s);
  return sl_cuda_launched(e, "cu_cross_entropy");
}

sl_status sl_cuda_cross_entropy_grad(const sl_call *c) {
  cu_cross_entropy x = cross_entropy_of(c);
  sl_cuda_scratch s;
  SL_TRY(terms_for(&x, &s));
  const int e = cu_cross_entropy_grad(
      &x, sl_f32(c->dout[0]), sl_data(c->din[0]), c->add[0], sl_cuda.stream);
  sl_cuda_scratch_drop(&s);
  return sl_cuda_launched(e, "cu_cross_entropy_grad");
}

static cu_bce bce_of(const sl_call *c) {
  const sl_tensor *z = c->in[0], *p = c->in[2];
  const sl_bce_with_logits_opts *o = c->opts;
  return (cu_bce){.count = sl_tensor_count(z),
                  .k = z->rank ? sl_cuda_channels(z) : 1,
                  .dtype = (int)z->dtype,
                  .logits = sl_data(z),
                  .y = sl_f32(c->in[1]),
                  .weight = p ? sl_f32(p) : NULL,
                  .reduction = o->reduction};
}

sl_status sl_cuda_bce_with_logits(const sl_call *c) {
  cu_bce b = bce_of(c);
  sl_cuda_scratch s;
  SL_TRY(
      sl_cuda_scratch_get(&s, (size_t)(b.count / 1024 + 1) * sizeof *b.sums));
  b.sums = s.p;
  const int e = cu_bce_run(&b, sl_f32(c->out[0]), sl_cuda.stream);
  sl_cuda_scratch_drop(&s);
  return sl_cuda_launched(e, "cu_bce_run");
}

sl_status sl_cuda_bce_with_logits_grad(const sl_call *c) {
  const cu_bce b = bce_of(c);
  CU_LAUNCHED(cu_bce_grad(&b, sl_f32(c->dout[0]), sl_data(c->din[0]), c->add[0],
                          sl_cuda.stream));
  return SL_OK;
}
