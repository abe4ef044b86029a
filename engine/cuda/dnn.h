/* dnn.h -- convolutions by cuDNN. Only the dnn files know it. */
#ifndef SL_CUDA_DNN_H
#define SL_CUDA_DNN_H

#include "ops/conv2d.h"

SL_MUST_USE sl_status sl_dnn_open(void);
const char *sl_dnn_version(void); /* "9.19.0" */

typedef enum sl_dnn_kind {
  SL_DNN_FORWARD, /* y of x and weight */
  SL_DNN_DGRAD,   /* dx of dy and weight */
  SL_DNN_WGRAD,   /* dweight of x and dy */
} sl_dnn_kind;

/* One convolution, all three tensors of `type` (f32 or bf16), dense NHWC, their
 * addresses multiples of 16. The plan is made at the first call of a geometry
 * and kept. */
SL_MUST_USE sl_status sl_dnn_conv(sl_dnn_kind kind, const sl_conv_geometry *g,
                                  sl_dtype type, void *x, void *weight,
                                  void *y);

#endif
