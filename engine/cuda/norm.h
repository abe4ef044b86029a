/* norm.h -- batch normalisation, for the ops that contain one. */
#ifndef SL_CUDA_NORM_H
#define SL_CUDA_NORM_H

#include "cuda/cuda.h"

typedef struct sl_cuda_batch {
  cu_batch m;
  sl_cuda_scratch scratch;
  void *sums;
} sl_cuda_batch;

/* n->m has its sizes and options already; the rest comes from the call: gamma,
 * beta and the running statistics from input `first` on, mean and 1 / sqrt(var
 * + eps) in saved[saved] and the next, if there. Close it. */
SL_MUST_USE sl_status sl_cuda_batch_open(sl_cuda_batch *n, const sl_call *c,
                                         int first, int saved);
void sl_cuda_batch_close(sl_cuda_batch *n);

/* y = act(norm(x) + residual); y may be x. residual may be NULL. */
SL_MUST_USE sl_status sl_cuda_batch_forward(const sl_cuda_batch *n,
                                            const sl_tensor *x,
                                            const sl_tensor *residual,
                                            sl_tensor *y);

/* Where gradients go; NULL where they are not wanted. */
typedef struct sl_cuda_batch_grads {
  sl_tensor *dx, *dresidual;
  int add_dx, add_dresidual;
} sl_cuda_batch_grads;
SL_MUST_USE sl_status sl_cuda_batch_backward(const sl_cuda_batch *n,
                                             const sl_tensor *x,
                                             const sl_tensor *residual,
                                             const sl_tensor *dy,
                                             const cu_batch_params *p,
                                             const sl_cuda_batch_grads *g);

/* The parameters' gradients of a call whose gamma is input `gamma`. */
cu_batch_params sl_cuda_batch_params(const sl_call *c, int gamma);

#endif
