/* random.c -- the random operations, and dropout. */
#include "ops/random.h"

#include "cuda/cuda.h"
#include "ops/dropout.h"

/* a and b: the two numbers of the distribution. */
static cu_random random_of(const sl_call *c, double a, double b) {
  const sl_random_opts *o = c->opts;
  return (cu_random){.seed = o->at.seed,
                     .call = o->at.call,
                     .a = a,
                     .b = b,
                     .from = o->from,
                     .to = o->to};
}

static sl_status fill(const sl_call *c, cu_fill *f, double a, double b) {
  const cu_random r = random_of(c, a, b);
  CU_LAUNCHED(
      f(&r, sl_data(c->out[0]), sl_tensor_count(c->out[0]), sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_uniform(const sl_call *c) {
  const sl_random_opts *o = c->opts;
  return fill(c, cu_uniform, o->low, o->high);
}

sl_status sl_cuda_normal(const sl_call *c) {
  const sl_random_opts *o = c->opts;
  return fill(c, cu_normal, o->mean, o->std);
}

sl_status sl_cuda_bernoulli(const sl_call *c) {
  const sl_random_opts *o = c->opts;
  return fill(c, cu_bernoulli, o->p, 0);
}

sl_status sl_cuda_beta(const sl_call *c) {
  const sl_random_opts *o = c->opts;
  return fill(c, cu_beta, o->a, o->b);
}

sl_status sl_cuda_randint(const sl_call *c) {
  return fill(c, cu_randint, 0, 0);
}

sl_status sl_cuda_permutation(const sl_call *c) {
  const int64_t n = sl_tensor_count(c->out[0]);
  const cu_random r = random_of(c, 0, 0);
  sl_cuda_scratch order;
  SL_TRY(sl_cuda_scratch_get(&order, (size_t)n * sizeof(int64_t)));
  const int e =
      cu_permutation(&r, sl_data(c->out[0]), order.p, n, sl_cuda.stream);
  sl_cuda_scratch_drop(&order);
  return sl_cuda_launched(e, "cu_permutation");
}

static sl_status dropout(const sl_call *c, const sl_tensor *from, sl_tensor *to,
                         int add) {
  const sl_dropout_opts *o = c->opts;
  const cu_dropout d = {.seed = o->at.seed,
                        .call = o->at.call,
                        .threshold = (uint32_t)(o->p * 0x1p24),
                        .scale = o->p < 1 ? (float)(1 / (1 - o->p)) : 0.0f};
  CU_LAUNCHED(cu_dropout_run(&d, sl_tensor_count(to), (int)from->dtype,
                             sl_data(from), (int)to->dtype, sl_data(to), add,
                             sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_dropout(const sl_call *c) {
  return dropout(c, c->in[0], c->out[0], 0);
}

sl_status sl_cuda_dropout_grad(const sl_call *c) {
  return dropout(c, c->dout[0], c->din[0], c->add[0]);
}
