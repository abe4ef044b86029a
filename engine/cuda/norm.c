/* norm.c -- batch normalisation: see norm.h. */
#include "cuda/norm.h"

#include "ops/batch_norm.h"

_Static_assert((int)SL_ACT_NONE == CU_NO_ACT && (int)SL_ACT_RELU == CU_RELU &&
                   (int)SL_ACT_GELU == CU_GELU && (int)SL_ACT_SILU == CU_SILU &&
                   (int)SL_ACT_MISH == CU_MISH,
               "the kernels' numbers of activations");

enum { IN_X, IN_GAMMA, IN_BETA, IN_MEAN, IN_VAR, IN_RESIDUAL, VECTORS = 6 };

static sl_status open_scratch(sl_cuda_batch *n) {
  cu_batch *m = &n->m;
  const size_t vector = ((size_t)m->c * sizeof(float) + 255) & ~(size_t)255;
  SL_TRY(
      sl_cuda_scratch_get(&n->scratch, VECTORS * vector + cu_batch_scratch(m)));
  float **const at[VECTORS] = {&m->scale, &m->shift, &m->k0,
                               &m->k1,    &m->mean,  &m->rstd};
  char *p = n->scratch.p;
  for (int i = 0; i < VECTORS; i++, p += vector)
    if (!*at[i]) *at[i] = (float *)(void *)p;
  n->sums = p;
  return SL_OK;
}

sl_status sl_cuda_batch_open(sl_cuda_batch *n, const sl_call *c, int first,
                             int saved) {
  sl_tensor *const *in = c->in + first;
  const sl_tensor *mean = c->saved[saved], *rstd = c->saved[saved + 1];
  n->m.gamma = sl_f32(in[0]);
  n->m.beta = sl_f32(in[1]);
  n->m.running_mean = sl_f32(in[2]);
  n->m.running_var = sl_f32(in[3]);
  n->m.mean = mean ? sl_f32(mean) : NULL;
  n->m.rstd = rstd ? sl_f32(rstd) : NULL;
  return open_scratch(n);
}

void sl_cuda_batch_close(sl_cuda_batch *n) {
  sl_cuda_scratch_drop(&n->scratch);
}

static void *data_of(const sl_tensor *t) {
  return t ? sl_data(t) : NULL;
}

sl_status sl_cuda_batch_forward(const sl_cuda_batch *n, const sl_tensor *x,
                                const sl_tensor *residual, sl_tensor *y) {
  CU_LAUNCHED(cu_batch_learn(&n->m, sl_data(x), n->sums, sl_cuda.stream));
  CU_LAUNCHED(cu_batch_apply(&n->m, sl_data(x), data_of(residual), sl_data(y),
                             sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_batch_backward(const sl_cuda_batch *n, const sl_tensor *x,
                                 const sl_tensor *residual, const sl_tensor *dy,
                                 const cu_batch_params *p,
                                 const sl_cuda_batch_grads *g) {
  CU_LAUNCHED(cu_batch_reduce(&n->m, sl_data(x), data_of(residual), sl_data(dy),
                              p, n->sums, sl_cuda.stream));
  CU_LAUNCHED(cu_batch_grad(&n->m, sl_data(x), data_of(residual), sl_data(dy),
                            data_of(g->dx), g->add_dx, data_of(g->dresidual),
                            g->add_dresidual, sl_cuda.stream));
  return SL_OK;
}

cu_batch_params sl_cuda_batch_params(const sl_call *c, int gamma) {
  const int beta = gamma + 1;
  return (cu_batch_params){.dgamma =
                               c->din[gamma] ? sl_f32(c->din[gamma]) : NULL,
                           .dbeta = c->din[beta] ? sl_f32(c->din[beta]) : NULL,
                           .add_gamma = c->add[gamma],
                           .add_beta = c->add[beta]};
}

/* --- batch_norm ------------------------------------------------------------
 */

static sl_status open_call(sl_cuda_batch *n, const sl_call *c) {
  const sl_norm_opts *o = c->opts;
  const sl_tensor *x = c->in[IN_X];
  const int64_t channels = sl_cuda_channels(x);
  *n = (sl_cuda_batch){.m = {.rows = sl_tensor_count(x) / channels,
                             .c = channels,
                             .dtype = (int)x->dtype,
                             .act = o->act,
                             .training = o->training,
                             .eps = o->eps,
                             .momentum = o->momentum}};
  return sl_cuda_batch_open(n, c, IN_GAMMA, 0);
}

sl_status sl_cuda_batch_norm(const sl_call *c) {
  sl_cuda_batch n;
  SL_TRY(open_call(&n, c));
  const sl_status status =
      sl_cuda_batch_forward(&n, c->in[IN_X], c->in[IN_RESIDUAL], c->out[0]);
  sl_cuda_batch_close(&n);
  return status;
}

sl_status sl_cuda_batch_norm_grad(const sl_call *c) {
  const sl_cuda_batch_grads g = {c->din[IN_X], c->din[IN_RESIDUAL],
                                 c->add[IN_X], c->add[IN_RESIDUAL]};
  const cu_batch_params p = sl_cuda_batch_params(c, IN_GAMMA);
  sl_cuda_batch n;
  SL_TRY(open_call(&n, c));
  const sl_status status = sl_cuda_batch_backward(
      &n, c->in[IN_X], c->in[IN_RESIDUAL], c->dout[0], &p, &g);
  sl_cuda_batch_close(&n);
  return status;
}

/* --- materialise -----------------------------------------------------------
 */

sl_status sl_cuda_materialise(sl_tensor *out, const sl_lazy *lazy) {
  const int64_t channels = sl_cuda_channels(lazy->y);
  if (sl_tensor_count(out) == 0) return SL_OK;
  const cu_batch m = {.rows = sl_tensor_count(out) / channels,
                      .c = channels,
                      .dtype = (int)out->dtype,
                      .act = (int)lazy->act,
                      .scale = sl_f32(lazy->scale),
                      .shift = sl_f32(lazy->shift)};
  CU_LAUNCHED(
      cu_batch_apply(&m, sl_data(lazy->y), NULL, sl_data(out), sl_cuda.stream));
  return SL_OK;
}
