/* vmath.h -- functions that the compiler can vectorise inside a loop.
 *
 * The expressions of ops/unary.def and friends call these names; another
 * backend's header gives them its own meaning. */
#ifndef SL_CPU_VMATH_H
#define SL_CPU_VMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float sl_float_of_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

/* e to the power of x, within 2 ulp; 0, infinity and NaN as expf. x = n log 2
 * + r with |r| <= log(2) / 2, and exp(r) by a polynomial (Cephes expf, Moshier
 * 1992). Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low
 * bits. 2^n goes in two halves, so that neither end of the range is cut. */
static inline float sl_exp(float x) {
  const float magic = 12582912.0f;
  x = x > 89.0f ? 89.0f : x < -104.0f ? -104.0f : x;
  const float t = x * 1.44269504088896341f + magic;
  const float n = t - magic;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  int32_t k;
  memcpy(&k, &t, sizeof k);
  k -= 0x4B400000;
  const int32_t half = k >> 1;
  return p * sl_float_of_bits((uint32_t)(half + 127) << 23) *
         sl_float_of_bits((uint32_t)(k - half + 127) << 23);
}

/* Within 2 ulp. Near 0 by a polynomial (Cephes tanhf), so that no digits are
 * lost there; else 1 - 2 / (exp(2 |x|) + 1). Both are computed: a choice
 * vectorises, a branch does not. */
static inline float sl_tanh(float x) {
  const float size = x < 0 ? -x : x, z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = p * z * x + x;
  const float far = 1.0f - 2.0f / (sl_exp(2.0f * size) + 1.0f);
  return size < 0.625f ? near : x < 0 ? -far : far;
}

#define SL_FORMULA static inline
#include "ops/formulas.h"

#endif
