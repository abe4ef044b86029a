/* cross_entropy.h -- softmax cross-entropy with label smoothing.
 *
 * logits z (N, K); target: class numbers 1..K (i32, N), or probabilities q
 * (f32, N x K). With log p = log_softmax(z), class weights w (K; all 1 unless
 * given), smoothing e, and q one-hot for class numbers,
 *   nll[i]    = - sum over k of w[k] q[i][k] log p[i][k]
 *   smooth[i] = - 1/K sum over k of log p[i][k]
 *   none:  loss[i] = (1 - e) nll[i] + e smooth[i]
 *   sum:   the sum of those
 *   mean:  (1 - e) sum of nll / W + e mean of smooth
 * where W = sum of w[target] for class numbers, N for probabilities (as in
 * PyTorch). Weights enter the nll only, as in fastai's
 * LabelSmoothingCrossEntropy; PyTorch's label_smoothing weights both terms.
 * The mean is NaN when the weights of all targets are 0.
 * Gradient: with a[k] = A w[k] q[k] + B the factor of -log p[k] in the loss,
 *   dz = softmax(z) * sum over k of a[k] - a
 * Targets and weights are constants. */
#ifndef SL_OPS_CROSS_ENTROPY_H
#define SL_OPS_CROSS_ENTROPY_H

#include "ops/loss.h"
#include "ops/op.h"

typedef struct sl_cross_entropy_opts {
  double label_smoothing; /* e, in [0, 1] */
  int reduction;          /* sl_reduction */
} sl_cross_entropy_opts;

#endif
