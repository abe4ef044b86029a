/* histogram.h -- how often values occur. */
#ifndef SL_TENSOR_HISTOGRAM_H
#define SL_TENSOR_HISTOGRAM_H

#include "tensor/tensor.h"

/* counts[i], i from 0 to n - 1, becomes the number of elements of t in the i-th
 * of n equal parts of [low, high], whose last part has its upper end too, as
 * torch.histc. Elements outside, and NaN, count nowhere. t of any dtype and
 * device; n above 0, low below high. */
SL_MUST_USE sl_status sl_tensor_histogram(sl_tensor *t, double low, double high,
                                          int64_t n, int64_t *counts);

#endif
