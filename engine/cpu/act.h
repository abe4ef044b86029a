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

/* e^x to 2 units in the last place; x is clamped to where that is finite and
 * normal. 2^n comes from the exponent bits, e^r from its series. */
SL_INLINE float sl_exp_lane(float x) {
  const float round = 12582912.0f; /* 1.5 * 2^23: adding it rounds */
  x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
  const float n = (x * 1.44269504f + round) - round;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t bits = ((int32_t)n + 127) * (1 << 23);
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

/* erf as a quotient of polynomials (the one of Eigen and XLA): 4e-7. */
SL_INLINE float sl_erf_lane(float x) {
  x = x < -4.0f ? -4.0f : x > 4.0f ? 4.0f : x;
  const float s = x * x;
  float p = -2.72614225801306e-10f;
  p = p * s + 2.77068142495902e-08f;
  p = p * s - 2.10102402082508e-06f;
  p = p * s - 5.69250639462346e-05f;
  p = p * s - 7.34990630326855e-04f;
  p = p * s - 2.95459980854025e-03f;
  p = p * s - 1.60960333262415e-02f;
  float q = -1.45660718464996e-05f;
  q = q * s - 2.13374055278905e-04f;
  q = q * s - 1.68282697438203e-03f;
  q = q * s - 7.37332916720468e-03f;
  q = q * s - 1.42647390514189e-02f;
  return x * p / q;
}

SL_INLINE float sl_sigmoid_lane(float x) {
  return 1.0f / (1.0f + sl_exp_lane(-x));
}

/* tanh(log(1 + e^x)), which is 1 in f32 long before e^x overflows. */
SL_INLINE float sl_mish_gate_lane(float x) {
  const float e = sl_exp_lane(x > 30.0f ? 30.0f : x), n = e * e + 2.0f * e;
  return n / (n + 2.0f);
}

SL_INLINE float sl_act_lane(sl_act act, float x) {
  switch (act) {
  case SL_ACT_NONE:
    return x;
  case SL_ACT_RELU:
    return x < 0 ? 0 : x; /* NaN stays */
  case SL_ACT_GELU:
    return 0.5f * x * (1.0f + sl_erf_lane(x * 0.70710678f));
  case SL_ACT_SILU:
    return x * sl_sigmoid_lane(x);
  case SL_ACT_MISH:
    return x * sl_mish_gate_lane(x);
  }
  return x;
}

SL_INLINE float sl_slope_lane(sl_act act, float x) {
  switch (act) {
  case SL_ACT_NONE:
    return 1;
  case SL_ACT_RELU:
    return x > 0;
  case SL_ACT_GELU:
    return 0.5f * (1.0f + sl_erf_lane(x * 0.70710678f)) +
           x * 0.39894228f * sl_exp_lane(-0.5f * x * x);
  case SL_ACT_SILU: {
    const float s = sl_sigmoid_lane(x);
    return s * (1.0f + x * (1.0f - s));
  }
  case SL_ACT_MISH: {
    const float t = sl_mish_gate_lane(x);
    return t + x * sl_sigmoid_lane(x) * (1.0f - t * t);
  }
  }
  return 1;
}

/* v = act(v) */
SL_INLINE void sl_act_apply(sl_act act, sl_v16 *v) {
  if (act == SL_ACT_NONE) return;
  float t[SL_LANES];
  memcpy(t, v, sizeof t);
  for (int i = 0; i < SL_LANES; i++)
    t[i] = sl_act_lane(act, t[i]);
  memcpy(v, t, sizeof t);
}

/* d = d * act'(pre) */
SL_INLINE void sl_act_slope(sl_act act, sl_v16 *d, const sl_v16 *pre) {
  if (act == SL_ACT_NONE) return;
  if (act == SL_ACT_RELU) {
    *d = (sl_v16)((sl_v16i)*d & (*pre > 0));
    return;
  }
  float t[SL_LANES];
  memcpy(t, pre, sizeof t);
  for (int i = 0; i < SL_LANES; i++)
    t[i] = sl_slope_lane(act, t[i]);
  sl_v16 s;
  memcpy(&s, t, sizeof s);
  *d *= s;
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
