/* metrics.h -- how many predictions are right: exact counts over a batch.
 *
 * Rates are made of them by whoever asks: accuracy is hits / n, error_rate is
 * 1 - that. Class numbers are 1..K. */
#ifndef SL_TRAIN_METRICS_H
#define SL_TRAIN_METRICS_H

#include "tensor/tensor.h"

/* Rows of pred (N, K), float, whose target is among the k largest; k = 1 is
 * argmax. targ: i32 (N), or float (N, K), whose largest is the target. Of
 * equal scores the first counts as larger, NaN as the largest. */
SL_MUST_USE sl_status sl_count_top_k(sl_tensor *pred, sl_tensor *targ,
                                     int64_t k, int64_t *hits, int64_t *n);

/* Elements of pred for which (x > thresh) equals (target > 0.5); x is
 * sigmoid(pred) if asked. pred and targ have one shape; targ of any dtype. */
SL_MUST_USE sl_status sl_count_multi(sl_tensor *pred, sl_tensor *targ,
                                     double thresh, int sigmoid, int64_t *hits,
                                     int64_t *n);

#endif
