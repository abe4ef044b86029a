/* bf16.h -- runs of bf16 numbers to and from floats, in wide vectors. */
#ifndef SL_CPU_BF16_H
#define SL_CPU_BF16_H

#include "tensor/dtype.h"

void sl_bf16_widen(float *to, const sl_bf16 *from, int64_t n);
void sl_bf16_round(sl_bf16 *to, const float *from, int64_t n);
void sl_bf16_add(sl_bf16 *to, const float *from, int64_t n); /* to += from */

#endif
