/* norm_bf16.h -- the row kernels of norm.h that write, for bf16 where the
 * processor rounds to it itself (AVX-512 BF16): rounding in integers is most of
 * the work of the general ones. For no activation or relu. Numbers too small to
 * be normal become 0, as that processor's products take them anyway. */
#ifndef SL_CPU_NORM_BF16_H
#define SL_CPU_NORM_BF16_H

#include "cpu/norm.h"

int sl_norm_bf16_can(sl_dtype type, sl_act act);

/* As sl_norm_apply and sl_norm_grad. */
void sl_norm_bf16_apply(sl_bf16 *z, const sl_bf16 *y, const sl_bf16 *residual,
                        int64_t rows, int64_t c, const float *scale,
                        const float *shift, sl_act act);
void sl_norm_bf16_grad(const sl_norm_dout *d, const sl_norm_rows *in,
                       const sl_norm_coefs *k, sl_act act);

#endif
