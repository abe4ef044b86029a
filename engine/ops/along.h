/* along.h -- options of the operations that work along one dimension and need
 * no other option: cumsum, cat, stack, gather, index_select. */
#ifndef SL_OPS_ALONG_H
#define SL_OPS_ALONG_H

#include "ops/op.h"

typedef struct sl_along_opts {
  int64_t dim;
} sl_along_opts;

#endif
