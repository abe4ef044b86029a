/* formulas.h -- functions of the .def lists that are made of sl_exp.
 *
 * A backend's own header defines sl_exp, then SL_FORMULA (how its functions
 * are declared), then includes this. So each formula stands once. */
#ifndef SL_OPS_FORMULAS_H
#define SL_OPS_FORMULAS_H

/* 1 / (1 + exp(-x)): no overflow at either end. */
SL_FORMULA float sl_sigmoid(float x) {
  return 1.0f / (1.0f + sl_exp(-x));
}

/* tanh(log(1 + exp(x))) of mish, and mish's slope. With e = exp(x) and
 * m = e (e + 2) it is m / (m + 2), which loses no digits; above 20 it is 1. Its
 * own slope is (1 - tanh^2) sigmoid = 4 (m + 1) / (m + 2)^2 * e / (1 + e). */
SL_FORMULA float sl_mish_tanh(float x) {
  const float e = sl_exp(x > 20.0f ? 20.0f : x), m = e * (e + 2.0f);
  return m / (m + 2.0f);
}

SL_FORMULA float sl_mish_slope(float x) {
  const float e = sl_exp(x > 20.0f ? 20.0f : x), m = e * (e + 2.0f);
  const float d = 1.0f / (m + 2.0f);
  return m * d + x * (e / (1.0f + e)) * (4.0f * (m + 1.0f) * d) * d;
}

#endif
