/* act.h -- the activations that are fused into other kernels: their value and
 * slope from the value before activation, over 16 lanes.
 *
 *   relu max(x, 0)         silu x sigmoid(x)
 *   gelu x Phi(x)          mish x tanh(log(1 + e^x))
 *
 * The activation is a constant argument: each kernel is compiled once per
 * activation (SL_ACT_EACH), so that no loop asks which one it is. */
#ifndef SL_CPU_ACT_H
#define SL_CPU_ACT_H

#include "cpu/simd.h"
#include "tensor/tensor.h"

/* v = from where mask is set, which is all ones or zeros in each lane. */
SL_INLINE void sl_take(sl_v16 *v, const sl_v16i *mask, const sl_v16 *from) {
  *v = (sl_v16)(((sl_v16i)*from & *mask) | ((sl_v16i)*v & ~*mask));
}

SL_INLINE void sl_clamp_lanes(sl_v16 *v, float low, float high) {
  const sl_v16 lows = (sl_v16){0} + low, highs = (sl_v16){0} + high;
  const sl_v16i below = *v < low;
  const sl_v16i above = *v > high;
  sl_take(v, &below, &lows);
  sl_take(v, &above, &highs);
}

/* v = e^v to 2 units in the last place; v is clamped to where that is finite
 * and normal. 2^n comes from the exponent bits, e^r from its series. */
SL_INLINE void sl_exp_lanes(sl_v16 *v) {
  const float round = 12582912.0f; /* 1.5 * 2^23: adding it rounds */
  sl_clamp_lanes(v, -87.0f, 88.0f);
  const sl_v16 n = (*v * 1.44269504f + round) - round;
  const sl_v16 r = (*v - n * 0.693359375f) + n * 2.12194440e-4f;
  sl_v16 p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  *v = p * (sl_v16)((__builtin_convertvector(n, sl_v16i) + 127) << 23);
}

/* v = erf(v) as a quotient of polynomials (the one of Eigen and XLA): 4e-7. */
SL_INLINE void sl_erf_lanes(sl_v16 *v) {
  sl_clamp_lanes(v, -4.0f, 4.0f);
  const sl_v16 s = *v * *v;
  sl_v16 p = s * -2.72614225801306e-10f + 2.77068142495902e-08f;
  p = p * s - 2.10102402082508e-06f;
  p = p * s - 5.69250639462346e-05f;
  p = p * s - 7.34990630326855e-04f;
  p = p * s - 2.95459980854025e-03f;
  p = p * s - 1.60960333262415e-02f;
  sl_v16 q = s * -1.45660718464996e-05f - 2.13374055278905e-04f;
  q = q * s - 1.68282697438203e-03f;
  q = q * s - 7.37332916720468e-03f;
  q = q * s - 1.42647390514189e-02f;
  *v = *v * p / q;
}

/* v = 1 / (1 + e^-v) */
SL_INLINE void sl_sigmoid_lanes(sl_v16 *v) {
  *v = -*v;
  sl_exp_lanes(v);
  *v = 1.0f / (1.0f + *v);
}

/* v = Phi(v), the share of a normal distribution below v. */
SL_INLINE void sl_phi_lanes(sl_v16 *v) {
  *v *= 0.70710678f;
  sl_erf_lanes(v);
  *v = 0.5f * (1.0f + *v);
}

/* v = tanh(log(1 + e^v)), which is 1 in f32 long before e^v overflows. */
SL_INLINE void sl_mish_gate_lanes(sl_v16 *v) {
  const sl_v16 most = (sl_v16){0} + 30.0f;
  const sl_v16i above = *v > 30.0f;
  sl_take(v, &above, &most);
  sl_exp_lanes(v);
  const sl_v16 n = *v * *v + 2.0f * *v;
  *v = n / (n + 2.0f);
}

/* v = act(v) */
SL_INLINE void sl_act_apply(sl_act act, sl_v16 *v) {
  sl_v16 gate = *v;
  switch (act) {
  case SL_ACT_NONE:
    return;
  case SL_ACT_RELU:
    *v = (sl_v16)((sl_v16i)*v & ~(*v < 0)); /* NaN stays */
    return;
  case SL_ACT_GELU:
    sl_phi_lanes(&gate);
    break;
  case SL_ACT_SILU:
    sl_sigmoid_lanes(&gate);
    break;
  case SL_ACT_MISH:
    sl_mish_gate_lanes(&gate);
    break;
  }
  *v *= gate;
}

/* d = d * act'(pre) */
SL_INLINE void sl_act_slope(sl_act act, sl_v16 *d, const sl_v16 *pre) {
  sl_v16 x = *pre, gate = *pre, other = *pre;
  switch (act) {
  case SL_ACT_NONE:
    return;
  case SL_ACT_RELU:
    *d = (sl_v16)((sl_v16i)*d & (x > 0));
    return;
  case SL_ACT_GELU: /* Phi(x) + x phi(x) */
    sl_phi_lanes(&gate);
    other = -0.5f * x * x;
    sl_exp_lanes(&other);
    *d *= gate + x * 0.39894228f * other;
    return;
  case SL_ACT_SILU:
    sl_sigmoid_lanes(&gate);
    *d *= gate * (1.0f + x * (1.0f - gate));
    return;
  case SL_ACT_MISH:
    sl_mish_gate_lanes(&gate);
    sl_sigmoid_lanes(&other);
    *d *= gate + x * other * (1.0f - gate * gate);
    return;
  }
}

/* Runs CALL(activation) with the activation as a constant. */
#define SL_ACT_EACH(act, CALL)                                                 \
  switch (act) {                                                               \
  case SL_ACT_NONE:                                                            \
    CALL(SL_ACT_NONE);                                                         \
    break;                                                                     \
  case SL_ACT_RELU:                                                            \
    CALL(SL_ACT_RELU);                                                         \
    break;                                                                     \
  case SL_ACT_GELU:                                                            \
    CALL(SL_ACT_GELU);                                                         \
    break;                                                                     \
  case SL_ACT_SILU:                                                            \
    CALL(SL_ACT_SILU);                                                         \
    break;                                                                     \
  case SL_ACT_MISH:                                                            \
    CALL(SL_ACT_MISH);                                                         \
    break;                                                                     \
  }

#endif
