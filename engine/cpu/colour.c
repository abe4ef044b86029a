/* colour.c -- see colour.h. */
#include "cpu/colour.h"

#include <math.h>
#include <string.h>

#include "cpu/simd.h"

/* --- logarithm and exponential -------------------------------------------- */

SL_INLINE int32_t bits_of(float x) {
  int32_t i;
  memcpy(&i, &x, sizeof i);
  return i;
}

SL_INLINE float float_of(int32_t i) {
  float x;
  memcpy(&x, &i, sizeof x);
  return x;
}

/* ln x for normal x > 0: x = 2^e * (1 + f), 1 + f in [sqrt 1/2, sqrt 2). */
SL_INLINE float ln(float x) {
  const int32_t shifted = bits_of(x) - 0x3f3504f3;
  const int32_t exponent = shifted >> 23;
  const float f = float_of(bits_of(x) - exponent * (1 << 23)) - 1;
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
SL_INLINE float exponential(float x) {
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
  return (p * r * r + r + 1) * float_of(((int32_t)n + 127) << 23);
}

SL_INLINE float inside(float x) {
  const float a = x > 1e-7f ? x : 1e-7f;
  return a < 1 - 1e-7f ? a : 1 - 1e-7f;
}

SL_INLINE float logit(float x) {
  const float a = inside(x);
  return -ln((1 - a) / a);
}

SL_INLINE float sigmoid(float x) {
  return 1 / (1 + exponential(-x));
}

/* --- light ---------------------------------------------------------------- */

/* With mul = 1 neither is needed: sigmoid(logit(x) + add) =
 * x / (x + (1 - x) e^-add). */
static SL_SIMD void colour_brighten(float *restrict row, int64_t n, float add) {
  const float k = expf(-add);
  for (int64_t j = 0; j < n; j++) {
    const float x = inside(row[j]);
    row[j] = x / (x + (1 - x) * k);
  }
}

static SL_SIMD void colour_light(float *restrict row, int64_t n, float mul,
                                 float add) {
  for (int64_t j = 0; j < n; j++)
    row[j] = sigmoid(mul * logit(row[j]) + add);
}

void sl_colour_light(float *row, int64_t n, float mul, float add) {
  if (mul == 1)
    colour_brighten(row, n, add);
  else
    colour_light(row, n, mul, add);
}

/* Split in three loops of one kind each, so that the outer ones vectorise. */
static SL_SIMD void colour_saturate(float *restrict row, int64_t n, float mul,
                                    float add, float saturation) {
  for (int64_t j = 0; j < 3 * n; j++)
    row[j] = mul * logit(row[j]) + add;
  for (int64_t j = 0; j < n; j++) {
    float *p = row + 3 * j;
    const float grey = 0.2989f * p[0] + 0.5870f * p[1] + 0.1140f * p[2];
    for (int c = 0; c < 3; c++)
      p[c] = p[c] * saturation + grey * (1 - saturation);
  }
  for (int64_t j = 0; j < 3 * n; j++)
    row[j] = sigmoid(row[j]);
}

void sl_colour_saturate(float *row, int64_t n, float mul, float add,
                        float saturation) {
  colour_saturate(row, n, mul, add, saturation);
}

/* --- hue ------------------------------------------------------------------ */

/* Hue of r, g, b in turns; 0 for a grey. top and range: the largest of them,
 * and largest minus smallest. */
static float hue_of(const float *p, float top, float range) {
  if (range == 0) return 0;
  const float r = (top - p[0]) / range, g = (top - p[1]) / range;
  const float b = (top - p[2]) / range;
  const float sixths = p[0] == top   ? b - g
                       : p[1] == top ? 2 + r - b
                                     : 4 + g - r;
  const float h = sixths / 6 + 1;
  return h - floorf(h);
}

static void from_hsv(float h, float s, float v, float *p) {
  const float whole = floorf(h * 6), f = h * 6 - whole;
  const float low = v * (1 - s), fall = v * (1 - s * f);
  const float rise = v * (1 - s * (1 - f));
  const float table[6][3] = {{v, rise, low}, {fall, v, low}, {low, v, rise},
                             {low, fall, v}, {rise, low, v}, {v, low, fall}};
  const float *rgb = table[(int)whole % 6];
  for (int c = 0; c < 3; c++)
    p[c] = fminf(fmaxf(rgb[c], 0), 1);
}

void sl_colour_turn(float *row, int64_t n, float hue) {
  for (int64_t j = 0; j < n; j++) {
    float *p = row + 3 * j;
    const float top = fmaxf(p[0], fmaxf(p[1], p[2]));
    const float range = top - fminf(p[0], fminf(p[1], p[2]));
    const float h = hue_of(p, top, range) + hue;
    from_hsv(h - floorf(h), top > 0 ? range / top : 0, top, p);
  }
}
