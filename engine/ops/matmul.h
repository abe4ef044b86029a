/* matmul.h -- matrix products, batched, by PyTorch's rules.
 *
 * a (.., M, K) times b (.., K, N) is y (.., M, N). The leading dimensions
 * count matrices and broadcast. A vector a (K) is a matrix of one row, a
 * vector b (K) of one column; that dimension is not in the result.
 *   da = dy b^T,  db = a^T dy, summed over what was broadcast
 * Computed in f32; y has the dtype of a. */
#ifndef SL_OPS_MATMUL_H
#define SL_OPS_MATMUL_H

#include "ops/op.h"

/* A call as a list of products of dense matrices. */
typedef struct sl_matmul_plan {
  int64_t m, n, k;
  int64_t batches;             /* products */
  int rank;                    /* of their shape: */
  int64_t batch[SL_MAX_RANK];  /* matrices in each leading dimension */
  int64_t a_step[SL_MAX_RANK]; /* elements from one matrix to the next; */
  int64_t b_step[SL_MAX_RANK]; /* 0 where it is broadcast */
} sl_matmul_plan;

/* The plan for contiguous a and b; fills the shape of out. */
SL_MUST_USE sl_status sl_matmul_plan_make(sl_matmul_plan *p, const sl_tensor *a,
                                          const sl_tensor *b, sl_spec *out);

#endif
