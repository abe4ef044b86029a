/* rows.c -- see rows.h. */
#include "cpu/rows.h"

#include "base/threads.h"

void sl_rows_begin(sl_rows *r, int rank, const int64_t *shape) {
  *r = (sl_rows){.rank = rank};
  for (int d = 0; d < rank; d++)
    r->shape[d] = shape[d];
}

void sl_rows_add_strided(sl_rows *r, const int64_t *stride, int64_t base) {
  for (int d = 0; d < r->rank; d++)
    r->stride[r->n_tensors][d] = stride[d];
  r->base[r->n_tensors++] = base;
}

void sl_rows_add(sl_rows *r, const sl_tensor *t) {
  int64_t stride[SL_MAX_RANK] = {0};
  const int lead = r->rank - t->rank;
  for (int d = 0; d < t->rank; d++)
    stride[lead + d] = t->shape[d] == 1 ? 0 : t->stride[d];
  sl_rows_add_strided(r, stride, 0);
}

/* Dimension d follows dimension e of every tensor without a gap. */
static int dense_after(const sl_rows *r, int e, int d) {
  for (int k = 0; k < r->n_tensors; k++)
    if (r->stride[k][e] != r->stride[k][d] * r->shape[d]) return 0;
  return 1;
}

static void copy_dim(sl_rows *r, int to, int from) {
  r->shape[to] = r->shape[from];
  for (int k = 0; k < r->n_tensors; k++)
    r->stride[k][to] = r->stride[k][from];
}

static void merge(sl_rows *r) {
  int last = -1; /* dimensions 0..last are done */
  for (int d = 0; d < r->rank; d++) {
    if (r->shape[d] == 1) continue;
    if (last >= 0 && dense_after(r, last, d)) {
      const int64_t n = r->shape[last] * r->shape[d];
      copy_dim(r, last, d);
      r->shape[last] = n;
    } else {
      copy_dim(r, ++last, d);
    }
  }
  r->rank = last + 1;
  if (r->rank > 0) return;
  r->rank = 1;
  r->shape[0] = 1;
  for (int k = 0; k < r->n_tensors; k++)
    r->stride[k][0] = 1;
}

typedef struct walk {
  const sl_rows *rows;
  sl_rows_work *f;
  void *context;
  int64_t count; /* of elements */
} walk;

/* Where row number `row` begins, and its index. */
static void go_to_row(const sl_rows *r, int64_t row, int64_t *index,
                      int64_t *at) {
  for (int k = 0; k < r->n_tensors; k++)
    at[k] = r->base[k];
  for (int d = r->rank - 2; d >= 0; d--) {
    index[d] = row % r->shape[d];
    row /= r->shape[d];
    for (int k = 0; k < r->n_tensors; k++)
      at[k] += index[d] * r->stride[k][d];
  }
}

static void next_row(const sl_rows *r, int64_t *index, int64_t *at) {
  for (int d = r->rank - 2; d >= 0; d--) {
    const int wrap = ++index[d] == r->shape[d];
    const int64_t move = wrap ? 1 - r->shape[d] : 1;
    for (int k = 0; k < r->n_tensors; k++)
      at[k] += move * r->stride[k][d];
    if (!wrap) return;
    index[d] = 0;
  }
}

static void one_row(const walk *w, const int64_t *at, int64_t begin,
                    int64_t end) {
  const sl_rows *r = w->rows;
  int64_t step[SL_ROWS_MAX], here[SL_ROWS_MAX];
  for (int k = 0; k < r->n_tensors; k++)
    step[k] = r->stride[k][r->rank - 1];
  while (begin < end) {
    const int n = end - begin < SL_BLOCK ? (int)(end - begin) : SL_BLOCK;
    for (int k = 0; k < r->n_tensors; k++)
      here[k] = at[k] + begin * step[k];
    w->f(w->context, here, step, n);
    begin += n;
  }
}

static void share(void *context, int worker, int n_workers) {
  const walk *w = context;
  const sl_rows *r = w->rows;
  const int64_t n = r->shape[r->rank - 1];
  int64_t begin, end, index[SL_MAX_RANK], at[SL_ROWS_MAX];
  sl_share(w->count, SL_BLOCK, worker, n_workers, &begin, &end);
  if (begin >= end) return;
  go_to_row(r, begin / n, index, at);
  for (int64_t column = begin % n; begin < end; column = 0) {
    const int64_t left = end - begin, stop = n - column;
    const int64_t take = left < stop ? left : stop;
    one_row(w, at, column, column + take);
    begin += take;
    next_row(r, index, at);
  }
}

void sl_rows_run(sl_rows *r, sl_rows_work *f, void *context) {
  walk w = {r, f, context, 1};
  for (int d = 0; d < r->rank; d++)
    w.count *= r->shape[d];
  if (w.count == 0) return;
  merge(r);
  if (w.count > SL_PARALLEL_MIN)
    sl_parallel(share, &w);
  else
    share(&w, 0, 1);
}
