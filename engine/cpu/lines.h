/* lines.h -- a dense tensor as lines along one dimension: n elements, `step`
 * apart, `outer` * `step` lines of them. */
#ifndef SL_CPU_LINES_H
#define SL_CPU_LINES_H

#include "tensor/tensor.h"

typedef struct sl_lines {
  int64_t outer, n, step;
} sl_lines;

static inline sl_lines sl_lines_of(const sl_tensor *t, int64_t dim) {
  sl_lines l = {1, t->shape[dim], 1};
  for (int d = 0; d < t->rank; d++) {
    if (d < dim) l.outer *= t->shape[d];
    if (d > dim) l.step *= t->shape[d];
  }
  return l;
}

/* Where line number i begins in a tensor with n elements along the line. */
static inline int64_t sl_line_at(const sl_lines *l, int64_t i, int64_t n) {
  return i / l->step * n * l->step + i % l->step;
}

#endif
