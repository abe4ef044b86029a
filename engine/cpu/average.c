/* average.c -- running averages on the CPU: one pass over all tensors, cut
 * into blocks that are shared out as in update.c. */
#include <string.h>

#include "base/threads.h"
#include "cpu/cpu.h"

enum { BLOCK = 4096 };

typedef struct pass {
  const sl_average *w;
  int64_t n_blocks;
} pass;

static void average(double keep, int64_t n, float *restrict a,
                    const float *restrict b) {
  const float k = (float)keep, d = (float)(1 - keep);
  if (keep == 0) {
    memcpy(a, b, (size_t)n * sizeof *a);
    return;
  }
  for (int64_t i = 0; i < n; i++)
    a[i] = k * a[i] + d * b[i];
}

static int64_t blocks_of(const sl_average_item *it) {
  return (it->n + BLOCK - 1) / BLOCK;
}

static void run(void *context, int worker, int n_workers) {
  const pass *p = context;
  int64_t begin, end, first = 0; /* blocks; those of the item from first on */
  sl_share(p->n_blocks, 1, worker, n_workers, &begin, &end);
  for (int t = 0; t < p->w->n_items && first < end; t++) {
    const sl_average_item *it = &p->w->items[t];
    const int64_t n = blocks_of(it);
    int64_t from = (begin > first ? begin - first : 0) * BLOCK;
    int64_t to = (end - first < n ? end - first : n) * BLOCK;
    if (to > it->n) to = it->n;
    if (from < to) average(p->w->keep, to - from, it->a + from, it->b + from);
    first += n;
  }
}

sl_status sl_cpu_average(const sl_average *w) {
  pass p = {w, 0};
  for (int t = 0; t < w->n_items; t++)
    p.n_blocks += blocks_of(&w->items[t]);
  if (p.n_blocks < 4) {
    run(&p, 0, 1);
  } else {
    sl_parallel(run, &p);
  }
  return SL_OK;
}
