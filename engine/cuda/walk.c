/* walk.c -- several tensors of one shape, in step: cu_walk of kernels.h. */
#include <string.h>

#include "cuda/cuda.h"

void sl_walk_begin(cu_walk *w, int rank, const int64_t *shape) {
  *w = (cu_walk){.n = 1, .rank = rank};
  for (int d = 0; d < rank; d++) {
    w->shape[d] = shape[d];
    w->n *= shape[d];
  }
}

void sl_walk_add_strided(cu_walk *w, const sl_tensor *t,
                         const int64_t *stride) {
  cu_view *v = &w->v[w->n_views++];
  *v = (cu_view){.p = sl_data(t), .dtype = (int)t->dtype};
  for (int d = 0; d < w->rank; d++)
    v->stride[d] = stride[d];
}

void sl_walk_add(cu_walk *w, const sl_tensor *t) {
  int64_t stride[SL_MAX_RANK] = {0};
  if (!t) return;
  for (int d = 0; d < t->rank; d++) {
    const int at = w->rank - t->rank + d;
    stride[at] = t->shape[d] == 1 && w->shape[at] != 1 ? 0 : t->stride[d];
  }
  sl_walk_add_strided(w, t, stride);
}

/* Whether dimension d follows `last` without a gap in every view. */
static int follows(const cu_walk *w, int last, int d) {
  for (int k = 0; k < w->n_views; k++)
    if (w->v[k].stride[last] != w->shape[d] * w->v[k].stride[d]) return 0;
  return 1;
}

static void take(cu_walk *w, int to, int from) {
  for (int k = 0; k < w->n_views; k++)
    w->v[k].stride[to] = w->v[k].stride[from];
}

void sl_walk_end(cu_walk *w) {
  int rank = 0;
  for (int d = 0; d < w->rank; d++) {
    if (w->shape[d] == 1) continue;
    if (rank > 0 && follows(w, rank - 1, d)) {
      w->shape[rank - 1] *= w->shape[d];
      take(w, rank - 1, d);
      continue;
    }
    w->shape[rank] = w->shape[d];
    take(w, rank++, d);
  }
  if (rank == 0) { /* a single element */
    w->shape[rank++] = 1;
    for (int k = 0; k < w->n_views; k++)
      w->v[k].stride[0] = 1;
  }
  w->rank = rank;
}
