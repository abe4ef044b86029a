/* average.h -- running averages of tensors: the exponential moving average of
 * a model's weights. */
#ifndef SL_TRAIN_AVERAGE_H
#define SL_TRAIN_AVERAGE_H

#include "tensor/tensor.h"

/* a[i] = keep * a[i] + (1 - keep) * b[i] for n pairs, in place and in one pass;
 * 0 <= keep <= 1. All are contiguous f32, the two of a pair of one shape and
 * not one memory, all on one backend. Not recorded on the tape. Nothing
 * changes when there is an error. */
SL_MUST_USE sl_status sl_average_tensors(sl_tensor *const *a,
                                         sl_tensor *const *b, int n,
                                         double keep);

#endif
