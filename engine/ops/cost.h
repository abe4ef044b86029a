/* cost.h -- what a call has to do at the least: its arithmetic and its memory
 * traffic, from the shapes alone.
 *
 * flops: two for each multiplication with its addition, of convolutions,
 * linear and matmul; 0 for all others, which memory decides. A backward counts
 * as many for each gradient that is wanted.
 *
 * bytes: each tensor that the call reads or writes, once; one that is added to
 * is read and written. Kernels that pass over a tensor twice, or whose
 * operands stay in a cache, differ from it: it is a yardstick. */
#ifndef SL_OPS_COST_H
#define SL_OPS_COST_H

#include "ops/op.h"

typedef struct sl_cost {
  double flops, bytes;
} sl_cost;

/* c after its kernel has run: out (forward), or dout and din (backward), are
 * there. */
sl_cost sl_op_cost(sl_op_id id, const sl_call *c, int backward);

#endif
