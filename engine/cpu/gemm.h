/* gemm.h -- matrix products of f32, split over the compute pool. */
#ifndef SL_CPU_GEMM_H
#define SL_CPU_GEMM_H

#include <stdint.h>

#include "base/status.h"

/* C (m, n) = A B + beta C, row-major. A is (m, k), or (k, m) when trans_a; B
 * is (k, n), or (n, k) when trans_b; ld* is the distance between the rows of
 * each as stored. beta is 0 (C is not read) or 1. */
SL_MUST_USE sl_status sl_cpu_gemm(int trans_a, int trans_b, int64_t m,
                                  int64_t n, int64_t k, const float *a,
                                  int64_t lda, const float *b, int64_t ldb,
                                  float beta, float *c, int64_t ldc);

#endif
