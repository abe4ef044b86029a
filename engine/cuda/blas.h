/* blas.h -- matrix products by cuBLASLt. blas.c is the only file that knows it.
 */
#ifndef SL_CUDA_BLAS_H
#define SL_CUDA_BLAS_H

#include "tensor/tensor.h"

SL_MUST_USE sl_status sl_blas_open(void);
const char *sl_blas_version(void);

/* c (m, n) = op(a) (m, k) op(b) (k, n) (+ c), row-major and dense; with _t the
 * factor is stored transposed. a and b have one type, c the same or f32. All of
 * that `batches` times, with steps from one matrix to the next. No padding
 * bytes: caches use it as a key. */
typedef struct sl_blas_product {
  int64_t m, n, k, batches;
  int64_t a_step, b_step, c_step; /* in elements */
  int32_t a_t, b_t, add;
  int32_t type, c_type;              /* sl_dtype */
  int32_t a_align, b_align, c_align; /* bytes; sl_blas_run sets them */
} sl_blas_product;

SL_MUST_USE sl_status sl_blas_run(const sl_blas_product *p, const void *a,
                                  const void *b, void *c);

#endif
