/* elementwise.cu -- the formulas of unary.def, binary.def, compare.def and
 * update_rules.h as CUDA kernels over dense f32.
 *
 * The beginning of the CUDA backend: compiled by nvcc so that the shared
 * formulas stay CUDA as well as C; not yet run on a GPU, and in no table yet.
 */
#include <stdint.h>

extern "C" {
#include "backend/update_rules.h"
}

#define SL_DEVICE static __device__ __forceinline__

/* What cpu/vmath.h gives the formulas on the CPU. */
SL_DEVICE float sl_exp(float x) {
  return expf(x);
}

SL_DEVICE float sl_tanh(float x) {
  return tanhf(x);
}

#define SL_FORMULA SL_DEVICE
#include "ops/formulas.h"

/* Every thread takes elements one grid apart. */
#define EACH(i, n)                                                             \
  for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < (n);    \
       i += (int64_t)gridDim.x * blockDim.x)

/* Used where a formula needs only some of its names. */
#define MAYBE __attribute__((unused))

/* d is the slope: dx (+)= dy * d. */
SL_DEVICE void put(float *dx, int64_t i, float d, int add) {
  dx[i] = add ? dx[i] + d : d;
}

#define SL_UNARY(name, value, slope, help)                                     \
  __global__ void sl_cuda_##name##_kernel(int64_t n, const float *in,          \
                                          float *out) {                        \
    EACH(i, n) {                                                               \
      const float x = in[i];                                                   \
      out[i] = value;                                                          \
    }                                                                          \
  }                                                                            \
  __global__ void sl_cuda_##name##_grad_kernel(                                \
      int64_t n, const float *in, const float *dy, float *dx, int add) {       \
    EACH(i, n) {                                                               \
      const float x MAYBE = in[i];                                             \
      const float y MAYBE = value;                                             \
      put(dx, i, dy[i] * (slope), add);                                        \
    }                                                                          \
  }
#include "ops/unary.def"

#define SL_BINARY(name, value, slope_a, slope_b, help)                         \
  __global__ void sl_cuda_##name##_kernel(int64_t n, const float *pa,          \
                                          const float *pb, float *out) {       \
    EACH(i, n) {                                                               \
      const float a = pa[i], b = pb[i];                                        \
      out[i] = value;                                                          \
    }                                                                          \
  }                                                                            \
  __global__ void sl_cuda_##name##_grad_kernel(                                \
      int64_t n, const float *pa, const float *pb, const float *dy, float *da, \
      float *db, int add_a, int add_b) {                                       \
    EACH(i, n) {                                                               \
      const float a MAYBE = pa[i], b MAYBE = pb[i];                            \
      const float y MAYBE = value;                                             \
      if (da) put(da, i, dy[i] * (slope_a), add_a);                            \
      if (db) put(db, i, dy[i] * (slope_b), add_b);                            \
    }                                                                          \
  }
#include "ops/binary.def"

#define SL_COMPARE(name, value, help)                                          \
  __global__ void sl_cuda_##name##_kernel(int64_t n, const float *pa,          \
                                          const float *pb, uint8_t *out) {     \
    EACH(i, n) {                                                               \
      const float a = pa[i], b = pb[i];                                        \
      out[i] = value;                                                          \
    }                                                                          \
  }
#include "ops/compare.def"

/* One pass over a parameter: see backend/update.h. q: the trust ratio. */
#define X(name, keeps, trust)                                                  \
  __global__ void sl_cuda_update_##name(sl_update_item t, float q) {           \
    EACH(i, t.n) {                                                             \
      const sl_update_coef *c = &t.c;                                          \
      const float p = c->decay * t.p[i];                                       \
      const float g = c->grad_scale * t.g[i] + c->l2 * p;                      \
      float m = 0, s = 0;                                                      \
      if ((keeps)&SL_KEEPS_AVG) t.m[i] = m = c->mom * t.m[i] + c->damp * g;    \
      if ((keeps)&SL_KEEPS_SQR)                                                \
        t.s[i] = s = c->sqr_mom * t.s[i] + c->sqr_damp * g * g;                \
      t.p[i] = sl_rule_##name(c, q, p, g, m, s);                               \
    }                                                                          \
  }
SL_UPDATE_RULES(X)
#undef X
