/* colour_formulas.h -- light and colour of one pixel, as C and CUDA compile
 * them: see augment_images.h. The logarithm and exponential are polynomials
 * (Cephes) that vectorise: results are within 3e-7 of the exact value. */
#ifndef SL_OPS_COLOUR_FORMULAS_H
#define SL_OPS_COLOUR_FORMULAS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/portable.h"

/* --- logarithm and exponential -------------------------------------------- */

SL_PORTABLE int32_t sl_bits_of(float x) {
  int32_t i;
  memcpy(&i, &x, sizeof i);
  return i;
}

SL_PORTABLE float sl_float_of(int32_t i) {
  float x;
  memcpy(&x, &i, sizeof x);
  return x;
}

/* ln x for normal x > 0: x = 2^e * (1 + f), 1 + f in [sqrt 1/2, sqrt 2). */
SL_PORTABLE float sl_colour_ln(float x) {
  const int32_t shifted = sl_bits_of(x) - 0x3f3504f3;
  const int32_t exponent = shifted >> 23;
  const float f = sl_float_of(sl_bits_of(x) - exponent * (1 << 23)) - 1;
  const float e = (float)exponent, f2 = f * f;
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  const float low = p * f * f2 + e * -2.12194440e-4f - 0.5f * f2;
  return f + low + e * 0.693359375f;
}

/* e^x, x kept inside [-87, 87]: x = n ln 2 + r, |r| <= ln 2 / 2. */
SL_PORTABLE float sl_colour_exp(float x) {
  const float magic = 0x1.8p23f;
  x = x > -87 ? x : -87;
  x = x < 87 ? x : 87;
  const float n = (x * 1.44269504088896341f + magic) - magic;
  const float r = x - n * 0.693359375f - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return (p * r * r + r + 1) * sl_float_of(((int32_t)n + 127) << 23);
}

/* --- light -----------------------------------------------------------------
 */

SL_PORTABLE float sl_colour_inside(float x) {
  const float a = x > 1e-7f ? x : 1e-7f;
  return a < 1 - 1e-7f ? a : 1 - 1e-7f;
}

SL_PORTABLE float sl_colour_logit(float x) {
  const float a = sl_colour_inside(x);
  return -sl_colour_ln((1 - a) / a);
}

SL_PORTABLE float sl_colour_sigmoid(float x) {
  return 1 / (1 + sl_colour_exp(-x));
}

/* sigmoid(logit(x) + add), k = e^-add: needs neither. */
SL_PORTABLE float sl_colour_brighter(float v, float k) {
  const float x = sl_colour_inside(v);
  return x / (x + (1 - x) * k);
}

/* Logits of a pixel, moved towards their grey or away from it. */
SL_PORTABLE void sl_colour_saturated(float *p, float saturation) {
  const float grey = 0.2989f * p[0] + 0.5870f * p[1] + 0.1140f * p[2];
  for (int c = 0; c < 3; c++)
    p[c] = p[c] * saturation + grey * (1 - saturation);
}

/* --- hue -------------------------------------------------------------------
 */

/* Hue of r, g, b in turns; 0 for a grey. top and range: the largest of them,
 * and largest minus smallest. */
SL_PORTABLE float sl_hue_of(const float *p, float top, float range) {
  if (range == 0) return 0;
  const float r = (top - p[0]) / range, g = (top - p[1]) / range;
  const float b = (top - p[2]) / range;
  const float sixths = p[0] == top   ? b - g
                       : p[1] == top ? 2 + r - b
                                     : 4 + g - r;
  const float h = sixths / 6 + 1;
  return h - floorf(h);
}

SL_PORTABLE void sl_from_hsv(float h, float s, float v, float *p) {
  const float whole = floorf(h * 6), f = h * 6 - whole;
  const float low = v * (1 - s), fall = v * (1 - s * f);
  const float rise = v * (1 - s * (1 - f));
  const float table[6][3] = {{v, rise, low}, {fall, v, low}, {low, v, rise},
                             {low, fall, v}, {rise, low, v}, {v, low, fall}};
  const float *rgb = table[(int)whole % 6];
  for (int c = 0; c < 3; c++)
    p[c] = fminf(fmaxf(rgb[c], 0), 1);
}

/* Turns a pixel's hue; 1 is a full turn. */
SL_PORTABLE void sl_hue_turned(float *p, float hue) {
  const float top = fmaxf(p[0], fmaxf(p[1], p[2]));
  const float range = top - fminf(p[0], fminf(p[1], p[2]));
  const float h = sl_hue_of(p, top, range) + hue;
  sl_from_hsv(h - floorf(h), top > 0 ? range / top : 0, top, p);
}

#endif
