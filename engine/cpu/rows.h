/* rows.h -- walking several tensors of one shape in step.
 *
 * A plan is a shape with, for each tensor, strides over it (0 where it is
 * broadcast). Dimensions that lie dense after each other in all tensors are
 * merged, so equal dense shapes become one long row; then the plan hands out
 * pieces of rows, in parallel when there are many elements. */
#ifndef SL_CPU_ROWS_H
#define SL_CPU_ROWS_H

#include "cpu/elements.h"
#include "tensor/tensor.h"

enum { SL_ROWS_MAX = 5, SL_PARALLEL_MIN = 32768 };

typedef struct sl_rows {
  int rank, n_tensors;
  int64_t shape[SL_MAX_RANK];
  int64_t stride[SL_ROWS_MAX][SL_MAX_RANK];
  int64_t base[SL_ROWS_MAX];
} sl_rows;

/* A piece of a row: n <= SL_BLOCK elements; of tensor k they begin at at[k]
 * and are step[k] apart. */
typedef void sl_rows_work(void *context, const int64_t *at, const int64_t *step,
                          int n);

void sl_rows_begin(sl_rows *r, int rank, const int64_t *shape);

/* Adds a tensor that broadcasts to the shape; or one by its strides and the
 * position of its first element. */
void sl_rows_add(sl_rows *r, const sl_tensor *t);
void sl_rows_add_strided(sl_rows *r, const int64_t *stride, int64_t base);

/* Merges dimensions and walks. Every element is visited once; which worker
 * visits it depends on the number of threads only. */
void sl_rows_run(sl_rows *r, sl_rows_work *f, void *context);

#endif
