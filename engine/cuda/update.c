/* update.c -- the optimiser's step, running averages and the gradients' norm:
 * the list of tensors goes to the device, and one launch does them all. */
#include "backend/update.h"

#include <string.h>

#include "base/alloc.h"
#include "cuda/cuda.h"

/* A list of n items of `size` bytes, each beginning with its number of
 * elements, and where its blocks begin; then scratch of `more` bytes. */
typedef struct list {
  sl_cuda_scratch memory;
  int64_t blocks;
  const void *items;
  const int64_t *first;
  void *more;
} list;

static size_t aligned(size_t bytes) {
  return (bytes + 255) & ~(size_t)255;
}

static int64_t count_blocks(const void *items, size_t size, int n,
                            int64_t *first) {
  int64_t blocks = 0;
  for (int i = 0; i < n; i++) {
    int64_t count;
    memcpy(&count, (const char *)items + (size_t)i * size, sizeof count);
    if (first) first[i] = blocks;
    blocks += (count + CU_UPDATE_BLOCK - 1) / CU_UPDATE_BLOCK;
  }
  if (first) first[n] = blocks;
  return blocks;
}

/* The items and the blocks as one upload. */
static sl_status upload(list *l, const void *items, size_t bytes, size_t size,
                        int n) {
  const size_t all = aligned(bytes) + (size_t)(n + 1) * sizeof(int64_t);
  char *host = sl_alloc(1, all);
  SL_REQUIRE(host, SL_ENOMEM, "no memory for a list of %d tensors", n);
  memcpy(host, items, bytes);
  count_blocks(items, size, n, (int64_t *)(void *)(host + aligned(bytes)));
  const sl_status status = sl_cuda_upload(l->memory.p, host, all);
  sl_free(host);
  return status;
}

static sl_status list_open(list *l, const void *items, size_t size, int n,
                           size_t per_block, size_t per_item) {
  const size_t bytes = size * (size_t)n;
  const size_t head =
      aligned(aligned(bytes) + (size_t)(n + 1) * sizeof(int64_t));
  *l = (list){.blocks = count_blocks(items, size, n, NULL)};
  SL_TRY(sl_cuda_scratch_get(&l->memory, head + per_block * (size_t)l->blocks +
                                             per_item * (size_t)n +
                                             sizeof(double)));
  l->items = l->memory.p;
  l->first = (const int64_t *)(void *)((char *)l->memory.p + aligned(bytes));
  l->more = (char *)l->memory.p + head;
  const sl_status status = n > 0 ? upload(l, items, bytes, size, n) : SL_OK;
  if (status != SL_OK) sl_cuda_scratch_drop(&l->memory);
  return status;
}

static cu_update update_of(const sl_update *u, const list *l) {
  double *sums = l->more;
  return (cu_update){.rule = u->rule,
                     .alpha = u->alpha,
                     .n_items = u->n_items,
                     .blocks = l->blocks,
                     .items = l->items,
                     .first = l->first,
                     .sums = sums,
                     .ratio = (float *)(void *)(sums + 2 * l->blocks)};
}

static sl_status open_update(list *l, const sl_update *u) {
  return list_open(l, u->items, sizeof *u->items, u->n_items,
                   2 * sizeof(double), sizeof(float));
}

sl_status sl_cuda_update(const sl_update *u) {
  list l;
  SL_TRY(open_update(&l, u));
  const cu_update k = update_of(u, &l);
  const int e = cu_update_run(&k, sl_cuda.stream);
  sl_cuda_scratch_drop(&l.memory);
  return sl_cuda_launched(e, "cu_update_run");
}

sl_status sl_cuda_grad_squares(const sl_update *u, double *sum) {
  list l;
  SL_TRY(open_update(&l, u));
  const cu_update k = update_of(u, &l);
  double *total = k.sums + 2 * l.blocks; /* no ratios here */
  sl_status status = sl_cuda_launched(
      cu_grad_squares(&k, total, sl_cuda.stream), "cu_grad_squares");
  if (status == SL_OK) status = sl_cuda_download(sum, total, sizeof *sum);
  sl_cuda_scratch_drop(&l.memory);
  return status;
}

sl_status sl_cuda_average(const sl_average *w) {
  list l;
  SL_TRY(list_open(&l, w->items, sizeof *w->items, w->n_items, 0, 0));
  const cu_average k = {.keep = w->keep,
                        .n_items = w->n_items,
                        .blocks = l.blocks,
                        .items = l.items,
                        .first = l.first};
  const int e = cu_average_run(&k, sl_cuda.stream);
  sl_cuda_scratch_drop(&l.memory);
  return sl_cuda_launched(e, "cu_average_run");
}
