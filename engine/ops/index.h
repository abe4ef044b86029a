/* index.h -- picking elements by number: gather, index_select, one_hot.
 *
 * Numbers are i32 and count from 1, along the dimension `dim` of x:
 *   gather        out[i][j] = x[index[i][j]][j]         (dim = 1; so for all)
 *   index_select  out[i][..] = x[index[i]][..]          (dim = 1)
 *   one_hot       out[..][k] = 1 if index[..] == k, else 0
 * A number out of range is an error. The gradient of x adds up what was picked
 * several times. */
#ifndef SL_OPS_INDEX_H
#define SL_OPS_INDEX_H

#include "ops/along.h"

typedef struct sl_one_hot_opts {
  int64_t classes;
} sl_one_hot_opts;

#endif
