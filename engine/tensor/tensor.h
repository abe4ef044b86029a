/* tensor.h -- reference-counted tensors: views over shared storage.
 *
 * A tensor is a shape and strides over a storage; several tensors may share
 * one (views). Dimensions count from 0 here, from 1 in Lua. Images are NHWC.
 *
 * A tensor may be *lazily normalised*: it has a shape but no storage of its
 * own yet, only `lazy`: the raw output y of a convolution with the scale and
 * shift of its batch norm and its activation,
 *     z[.., c] = act(y[.., c] * scale[c] + shift[c]).
 * An operation that can read this form does (op.h: lazy_in); for any other the
 * tensor is materialised first: z is computed, and lazy is dropped.
 *
 * Ownership: *_new gives one reference through its out parameter; arguments
 * are borrowed; who stores, retains. */
#ifndef SL_TENSOR_TENSOR_H
#define SL_TENSOR_TENSOR_H

#include <stdatomic.h>
#include <stdint.h>

#include "backend/backend.h"
#include "base/status.h"
#include "tensor/dtype.h"

enum { SL_MAX_RANK = 6 };

/* Activations that can be fused into other operations. */
typedef enum sl_act {
  SL_ACT_NONE,
  SL_ACT_RELU,
  SL_ACT_GELU, /* exact, by erf */
  SL_ACT_SILU,
  SL_ACT_MISH,
} sl_act;

typedef struct sl_storage {
  atomic_int refs;
  const sl_backend *backend;
  size_t bytes;
  void *data;
  uint32_t version; /* counts writes in place: caches of it look here */
} sl_storage;

typedef struct sl_lazy {
  struct sl_tensor *y;             /* (.., C), contiguous; owned */
  struct sl_tensor *scale, *shift; /* f32 (C); owned */
  sl_act act;
} sl_lazy;

/* The call that made a tensor; ops/tape.c has the rest of it. Freed when its
 * last tensor lets go of it. */
typedef struct sl_node {
  atomic_int refs;
  void (*free)(struct sl_node *n);
} sl_node;

/* Fields are read-only outside tensor/ and ops/tape.c. */
typedef struct sl_tensor {
  atomic_int refs;
  sl_dtype dtype;
  int rank;
  int64_t shape[SL_MAX_RANK];
  int64_t stride[SL_MAX_RANK]; /* in elements; 0 where broadcast */
  int64_t offset;              /* of the first element, in elements */
  const sl_backend *backend;
  sl_storage *storage; /* NULL while lazy */
  sl_lazy *lazy;       /* NULL, or owned */

  /* Gradient bookkeeping: see ops/tape.h. */
  int requires_grad;
  int grad_fresh;         /* grad is zero but not yet written as such */
  struct sl_tensor *grad; /* of a leaf; owned */
  sl_node *node;          /* the call that made this tensor; owned */
  int node_out;           /* which of its outputs this is */
} sl_tensor;

/* The data are not initialised. */
SL_MUST_USE sl_status sl_tensor_new(sl_tensor **out, const sl_backend *backend,
                                    sl_dtype dtype, int rank,
                                    const int64_t *shape);
SL_MUST_USE sl_status sl_tensor_zeros(sl_tensor **out,
                                      const sl_backend *backend, sl_dtype dtype,
                                      int rank, const int64_t *shape);

/* From dense host memory of that dtype, in row-major order. */
SL_MUST_USE sl_status sl_tensor_from(sl_tensor **out, const sl_backend *backend,
                                     sl_dtype dtype, int rank,
                                     const int64_t *shape, const void *host);

/* To dense host memory of that dtype: n must be the tensor's count. Converts,
 * gathers strides, waits for the device. */
SL_MUST_USE sl_status sl_tensor_read(sl_tensor *t, sl_dtype as, void *host,
                                     int64_t n);

/* A lazily normalised tensor shaped as y; retains the three. */
SL_MUST_USE sl_status sl_tensor_lazy(sl_tensor **out, sl_tensor *y,
                                     sl_tensor *scale, sl_tensor *shift,
                                     sl_act act);

/* Gives a lazy tensor its storage; anything else it leaves alone. */
SL_MUST_USE sl_status sl_tensor_materialise(sl_tensor *t);

/* A tensor over the same storage with other shape, strides and offset (in
 * elements, absolute). No gradient: the view operations are in ops/. */
SL_MUST_USE sl_status sl_tensor_view(sl_tensor **out, sl_tensor *base, int rank,
                                     const int64_t *shape,
                                     const int64_t *stride, int64_t offset);

/* The same values, cut off from the tape. Lazy ones stay lazy. */
SL_MUST_USE sl_status sl_tensor_detach(sl_tensor **out, sl_tensor *t);

/* A dense copy on that backend with that dtype, cut off from the tape. */
SL_MUST_USE sl_status sl_tensor_copy(sl_tensor **out, sl_tensor *t,
                                     const sl_backend *backend, sl_dtype dtype);

/* dst's elements = src's: equal shapes; in place. */
SL_MUST_USE sl_status sl_tensor_assign(sl_tensor *dst, sl_tensor *src);

sl_tensor *sl_tensor_retain(sl_tensor *t);
void sl_tensor_release(sl_tensor *t); /* NULL is allowed */

int64_t sl_tensor_count(const sl_tensor *t);     /* of elements */
size_t sl_tensor_bytes(const sl_tensor *t);      /* count * element size */
int sl_tensor_is_contiguous(const sl_tensor *t); /* dense, row-major */
int sl_tensor_same_shape(const sl_tensor *a, const sl_tensor *b);

/* First element; borrowed. The typed ones assert the dtype. */
void *sl_data(const sl_tensor *t);
float *sl_f32(const sl_tensor *t);
sl_bf16 *sl_b16(const sl_tensor *t);
uint8_t *sl_u8(const sl_tensor *t);
int32_t *sl_i32(const sl_tensor *t);

/* "f32 (2, 3)" for messages: one of a few buffers of this thread. */
const char *sl_shape_text(const sl_tensor *t);

/* Row-major strides of a shape. */
void sl_dense_strides(int rank, const int64_t *shape, int64_t *stride);

/* Tensors not yet released, in the whole process: tests end at 0. */
int64_t sl_tensor_live(void);

#endif
