/* cpu.h -- the kernels of the CPU backend: one pair for each op of ops.def.
 *
 * A kernel reads c->in, writes c->out (forward) or c->din (backward: adds
 * where c->add[i] is set, overwrites where not; when one tensor is given
 * twice its second place adds, so finish input 0 before 1 element by element).
 * Work is split with sl_parallel and sl_share: same bits every run. */
#ifndef SL_CPU_CPU_H
#define SL_CPU_CPU_H

#include "backend/update.h"
#include "ops/op.h"

#define SL_OP(name)        sl_kernel sl_cpu_##name, sl_cpu_##name##_grad;
#define SL_OP_NOGRAD(name) sl_kernel sl_cpu_##name;
#define SL_OP_VIEW(name)
#include "ops/ops.def"

/* The backend's memory: cpu_alloc.c. */
void *sl_cpu_alloc(size_t bytes);
void sl_cpu_free(void *p, size_t bytes);
void sl_cpu_trim(void);
int64_t sl_cpu_used(void);
int64_t sl_cpu_peak(int reset);

sl_status sl_cpu_copy(sl_tensor *dst, const sl_tensor *src, int add);
sl_status sl_cpu_materialise(sl_tensor *out, const sl_lazy *lazy);

/* One line about the processor: describe.c. */
void sl_cpu_describe(char *out, size_t n);
sl_bf16_support sl_cpu_bf16(void);

/* The optimiser's pass: update.c. */
sl_status sl_cpu_update(const sl_update *u);
sl_status sl_cpu_grad_squares(const sl_update *u, double *sum);
sl_status sl_cpu_average(const sl_average *w); /* average.c */

/* Backward: where input i's gradient goes; NULL where it is not wanted. The
 * first is for parameters, which are f32. */
static inline float *sl_cpu_grad_f32(const sl_call *c, int i) {
  return c->din[i] ? sl_f32(c->din[i]) : NULL;
}

static inline void *sl_cpu_grad_data(const sl_call *c, int i) {
  return c->din[i] ? sl_data(c->din[i]) : NULL;
}

/* Below this many elements a loop is not worth waking other workers. */
enum { SL_CPU_GRAIN = 1 << 14 };

/* Runs f over 0..n-1 in ranges, on all workers when n is large; every worker
 * gets one range, a multiple of 16 long. */
typedef void sl_range_work(void *context, int64_t begin, int64_t end);
void sl_cpu_ranges(int64_t n, sl_range_work *f, void *context);

#endif
