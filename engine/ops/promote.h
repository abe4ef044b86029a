/* promote.h -- the dtype that two inputs meet in.
 *
 * PyTorch's rule for our dtypes: floats win over whole numbers; among equals
 * the wider one wins; a tensor of rank 0 (a number in a script) counts only if
 * it is a float and the other is not. Unlike PyTorch, arithmetic on u8 gives
 * i32: masks can be added up, and pixels subtracted. */
#ifndef SL_OPS_PROMOTE_H
#define SL_OPS_PROMOTE_H

#include "tensor/tensor.h"

/* f32, bf16 or i32. */
sl_dtype sl_promote(const sl_tensor *a, const sl_tensor *b);

/* As it is if a float, else f32. */
sl_dtype sl_float_of(sl_dtype d);

#endif
