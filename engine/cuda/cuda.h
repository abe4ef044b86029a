/* cuda.h -- the CUDA backend, from the inside.
 *
 * All work of a process is queued in order on one stream, so memory that was
 * given back may be handed out again at once: whoever gets it is later in the
 * queue. Only images come in on a second stream (transfer.c). The host waits
 * only where it reads results.
 *
 * .cu files have kernels and know no tensors (kernels.h); C files check, plan
 * and call them. cudnn.h appears in dnn*.c, cublasLt.h in blas.c. */
#ifndef SL_CUDA_CUDA_H
#define SL_CUDA_CUDA_H

#include <cuda_runtime_api.h>

#include "backend/update.h"
#include "cuda/kernels.h"
#include "ops/op.h"

/* What the plugin is called: the emulated one has another name. */
#ifndef SL_CUDA_NAME
#define SL_CUDA_NAME "cuda"
#endif

typedef struct sl_cuda_device {
  int number;
  int capability; /* 90 for 9.0 */
  cudaStream_t stream;
  int checks; /* SOTA_CUDA_SYNC: wait after each kernel, and say which failed */
  int tf32;   /* products of f32 may round their factors to 10 bits */
  int deterministic;
} sl_cuda_device;

extern sl_cuda_device sl_cuda; /* the one of this process */

#define SL_OP(name)        sl_kernel sl_cuda_##name, sl_cuda_##name##_grad;
#define SL_OP_NOGRAD(name) sl_kernel sl_cuda_##name;
#define SL_OP_VIEW(name)
#include "ops/ops.def"

/* --- errors --------------------------------------------------------------- */

/* A status from what a call of the runtime returned, or a launcher. */
sl_status sl_cuda_status(int error, const char *what);
#define CU_TRY(expr)    SL_TRY(sl_cuda_status((int)(expr), #expr))
#define CU_LAUNCHED(fn) SL_TRY(sl_cuda_launched((fn), #fn))
sl_status sl_cuda_launched(int error, const char *what);

/* --- memory: memory.c ----------------------------------------------------- */

void *sl_cuda_alloc(size_t bytes);
void sl_cuda_free(void *p, size_t bytes);
void sl_cuda_trim(void);
int64_t sl_cuda_used(void);
int64_t sl_cuda_peak(int reset);
int64_t sl_cuda_room(void);

/* Scratch on the device; NULL p with a message when there is none. */
typedef struct sl_cuda_scratch {
  void *p;
  size_t bytes;
} sl_cuda_scratch;
SL_MUST_USE sl_status sl_cuda_scratch_get(sl_cuda_scratch *s, size_t bytes);
void sl_cuda_scratch_drop(sl_cuda_scratch *s);

/* --- between host and device: transfer.c ---------------------------------- */

SL_MUST_USE sl_status sl_cuda_transfer_open(void);
sl_status sl_cuda_zero(void *p, size_t bytes);
sl_status sl_cuda_upload(void *device, const void *host, size_t bytes);
sl_status sl_cuda_download(void *host, const void *device, size_t bytes);
sl_status sl_cuda_synchronise(void);
cu_fault *sl_cuda_fault(cu_fault_kind k); /* where kernels report it */

/* --- tensors -------------------------------------------------------------- */

/* Adds tensors to a walk; cu_walk_end merges dimensions. Those that have fewer
 * dimensions broadcast; NULL adds nothing. */
void sl_walk_begin(cu_walk *w, int rank, const int64_t *shape);
void sl_walk_add(cu_walk *w, const sl_tensor *t);
void sl_walk_add_strided(cu_walk *w, const sl_tensor *t, const int64_t *stride);
void sl_walk_end(cu_walk *w);

sl_status sl_cuda_copy(sl_tensor *dst, const sl_tensor *src, int add);
sl_status sl_cuda_materialise(sl_tensor *out, const sl_lazy *lazy);
sl_status sl_cuda_update(const sl_update *u);
sl_status sl_cuda_grad_squares(const sl_update *u, double *sum);
sl_status sl_cuda_average(const sl_average *w);

/* x as (outer, n, inner); copied into place first where it does not fit as it
 * lies: close it. dims: 0-based, rising; x contiguous. */
typedef struct sl_cuda_reduction {
  cu_reduction r;
  sl_tensor *x;
  sl_cuda_scratch scratch;
} sl_cuda_reduction;
SL_MUST_USE sl_status sl_cuda_reduction_open(sl_cuda_reduction *r, sl_tensor *x,
                                             const sl_ints *dims);
void sl_cuda_reduction_close(sl_cuda_reduction *r);

/* din (+)= g summed over the dimensions in which din was broadcast to g. */
SL_MUST_USE sl_status sl_cuda_reduce_to(sl_tensor *din, sl_tensor *g, int add);
/* As cpu/reduction.h's: where the gradient of input i of a broadcasting op is
 * to be computed, and summing it up into din. */
SL_MUST_USE sl_status sl_cuda_grad_begin(const sl_call *c, int i,
                                         sl_tensor **target, int *add);
SL_MUST_USE sl_status sl_cuda_grad_finish(const sl_call *c, int i,
                                          sl_tensor *target);

/* Sums over all rows of a matrix (rows, c) into out (c). */
SL_MUST_USE sl_status sl_cuda_sum_rows(const void *x, sl_dtype dtype,
                                       int64_t rows, int64_t c, sl_tensor *out,
                                       int add);

/* t's values as that dtype: t itself, retained, or a new tensor. */
SL_MUST_USE sl_status sl_cuda_as(sl_tensor **out, sl_tensor *t, sl_dtype d);

static inline int64_t sl_cuda_channels(const sl_tensor *t) {
  return t->shape[t->rank - 1];
}

static inline void *sl_cuda_grad_data(const sl_call *c, int i) {
  return c->din[i] ? sl_data(c->din[i]) : NULL;
}

static inline cu_lines sl_cuda_lines(const sl_tensor *t, int64_t dim) {
  cu_lines l = {1, t->shape[dim], 1};
  for (int d = 0; d < t->rank; d++) {
    if (d < dim) l.outer *= t->shape[d];
    if (d > dim) l.step *= t->shape[d];
  }
  return l;
}

#endif
