/* colour.h -- light and colour of rows of packed RGB, floats in [0, 1].
 *
 * Light acts on logits: y = sigmoid(mul * logit(x) + add), with x kept inside
 * [1e-7, 1 - 1e-7] as fastai does. The logarithm and exponential are
 * polynomials (Cephes) that the compiler vectorises: y is within 3e-7 of the
 * exact value. Used by augment_images.c alone. */
#ifndef SL_CPU_COLOUR_H
#define SL_CPU_COLOUR_H

#include <stdint.h>

/* n floats. */
void sl_colour_light(float *row, int64_t n, float mul, float add);

/* n pixels; saturation as in ops/augment_images.h. */
void sl_colour_saturate(float *row, int64_t n, float mul, float add,
                        float saturation);

/* Turns the hue of n pixels, in HSV; 1 is a full turn. */
void sl_colour_turn(float *row, int64_t n, float hue);

#endif
