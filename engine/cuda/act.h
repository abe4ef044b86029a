/* act.h -- the activations that are fused into other kernels, one element at a
 * time: the formulas of unary.def. For .cu files only. */
#ifndef SL_CUDA_ACT_H
#define SL_CUDA_ACT_H

#include "cuda/device.h"

#define SL_UNARY(name, value, slope, help)                                     \
  CU_DEVICE float name##_value_of(float x) {                                   \
    return value;                                                              \
  }                                                                            \
  CU_DEVICE float name##_slope_at(float x) {                                   \
    const float y CU_MAYBE = value;                                            \
    return slope;                                                              \
  }
#include "ops/unary.def"

/* The order of sl_act (tensor/tensor.h; norm.c compares). */
CU_DEVICE float cu_act_value(int act, float x) {
  switch (act) {
  case CU_RELU:
    return relu_value_of(x);
  case CU_GELU:
    return gelu_value_of(x);
  case CU_SILU:
    return silu_value_of(x);
  case CU_MISH:
    return mish_value_of(x);
  default:
    return x;
  }
}

CU_DEVICE float cu_act_slope(int act, float x) {
  switch (act) {
  case CU_RELU:
    return relu_slope_at(x);
  case CU_GELU:
    return gelu_slope_at(x);
  case CU_SILU:
    return silu_slope_at(x);
  case CU_MISH:
    return mish_slope_at(x);
  default:
    return 1;
  }
}

#endif
