/* colour.c -- see colour.h. */
#include "cpu/colour.h"

#include "cpu/simd.h"
#include "ops/colour_formulas.h"

static SL_SIMD void colour_brighten(float *restrict row, int64_t n, float add) {
  const float k = expf(-add);
  for (int64_t j = 0; j < n; j++)
    row[j] = sl_colour_brighter(row[j], k);
}

static SL_SIMD void colour_light(float *restrict row, int64_t n, float mul,
                                 float add) {
  for (int64_t j = 0; j < n; j++)
    row[j] = sl_colour_sigmoid(mul * sl_colour_logit(row[j]) + add);
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
    row[j] = mul * sl_colour_logit(row[j]) + add;
  for (int64_t j = 0; j < n; j++)
    sl_colour_saturated(row + 3 * j, saturation);
  for (int64_t j = 0; j < 3 * n; j++)
    row[j] = sl_colour_sigmoid(row[j]);
}

void sl_colour_saturate(float *row, int64_t n, float mul, float add,
                        float saturation) {
  colour_saturate(row, n, mul, add, saturation);
}

void sl_colour_turn(float *row, int64_t n, float hue) {
  for (int64_t j = 0; j < n; j++)
    sl_hue_turned(row + 3 * j, hue);
}
