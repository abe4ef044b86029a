/* sort.h -- sort, argsort and topk along a dimension.
 *
 * Stable: equal elements keep their order, whichever way is asked for. NaN
 * counts as the largest. Positions are 1-based (i32). Gradients go back to
 * where the values came from. */
#ifndef SL_OPS_SORT_H
#define SL_OPS_SORT_H

#include "ops/op.h"

typedef struct sl_sort_opts {
  int64_t dim;
  int descending; /* sort, argsort */
  int64_t k;      /* topk */
  int largest;    /* topk: from the largest down, else from the smallest up */
} sl_sort_opts;

#endif
