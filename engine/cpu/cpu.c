/* cpu.c -- the CPU backend. A missing kernel is a link error that names it.
 *
 * The folder: one file per op (or family of ops) with its kernels; dnnl.c
 * alone knows oneDNN; cpu_alloc.c has the caching allocator. */
#include "cpu/cpu.h"

#include <string.h>

#include "base/room.h"
#include "base/threads.h"
#include "cpu/dnnl.h"

static sl_status zero(void *p, size_t bytes) {
  memset(p, 0, bytes);
  return SL_OK;
}

static sl_status move(void *to, const void *from, size_t bytes) {
  if (bytes) memcpy(to, from, bytes);
  return SL_OK;
}

static sl_status synchronise(void) {
  return SL_OK;
}

static void trim(void) {
  sl_dnnl_trim();
  sl_cpu_trim();
}

typedef struct ranges {
  int64_t n;
  sl_range_work *f;
  void *context;
} ranges;

static void run_range(void *p, int worker, int n_workers) {
  const ranges *r = p;
  int64_t begin, end;
  sl_share(r->n, 16, worker, n_workers, &begin, &end);
  if (begin < end) r->f(r->context, begin, end);
}

void sl_cpu_ranges(int64_t n, sl_range_work *f, void *context) {
  ranges r = {n, f, context};
  if (n < 2 * SL_CPU_GRAIN) {
    if (n > 0) f(context, 0, n);
  } else {
    sl_parallel(run_range, &r);
  }
}

#define SL_OP(name)        [SL_OP_##name] = {sl_cpu_##name, sl_cpu_##name##_grad},
#define SL_OP_NOGRAD(name) [SL_OP_##name] = {sl_cpu_##name, NULL},
#define SL_OP_VIEW(name)   [SL_OP_##name] = {NULL, NULL},
static const sl_kernels kernels[SL_OP_COUNT] = {
#include "ops/ops.def"
};

const sl_backend sl_cpu = {
    .name = "cpu",
    .alloc = sl_cpu_alloc,
    .free = sl_cpu_free,
    .trim = trim,
    .describe = sl_cpu_describe,
    .bf16 = sl_cpu_bf16,
    .used = sl_cpu_used,
    .peak = sl_cpu_peak,
    .room = sl_memory_room,
    .zero = zero,
    .upload = move,
    .download = move,
    .synchronise = synchronise,
    .copy = sl_cpu_copy,
    .materialise = sl_cpu_materialise,
    .update = sl_cpu_update,
    .grad_squares = sl_cpu_grad_squares,
    .average = sl_cpu_average,
    .kernels = kernels,
};
