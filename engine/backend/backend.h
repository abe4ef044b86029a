/* backend.h -- what a device provides. Each backend is one folder of engine/.
 *
 * A backend is a table of functions. The kernels of the operations are in a
 * second table, by sl_op_id (ops/op.h). To add a backend: a folder with these
 * two tables, and a line in backend.c's list. */
#ifndef SL_BACKEND_BACKEND_H
#define SL_BACKEND_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct sl_tensor;
struct sl_lazy;
struct sl_update;
struct sl_average;

typedef enum sl_bf16_support {
  SL_BF16_NONE,
  SL_BF16_WORKS, /* emulated: slower than f32 */
  SL_BF16_FAST,
} sl_bf16_support;

typedef struct sl_backend {
  const char *name; /* "cpu", "cuda:0" */

  /* Memory from the backend's caching allocator: 64-byte aligned, not zeroed.
   * NULL when out of memory. free gets what alloc was asked for. */
  void *(*alloc)(size_t bytes);
  void (*free)(void *p, size_t bytes);
  void (*trim)(void);         /* give cached free memory back */
  int64_t (*used)(void);      /* bytes handed out and not freed */
  int64_t (*peak)(int reset); /* most of the above so far */
  int64_t (*room)(void);      /* bytes that can still be had */

  /* The device in one line, cut to n bytes, for --doctor. */
  void (*describe)(char *out, size_t n);

  /* Whether models can be trained in bf16, and whether that is fast. */
  sl_bf16_support (*bf16)(void);

  /* Whether to use only what gives the same bits run after run; NULL: it
   * always does. */
  void (*deterministic)(int on);

  sl_status (*zero)(void *p, size_t bytes);
  sl_status (*upload)(void *device, const void *host, size_t bytes);
  sl_status (*download)(void *host, const void *device, size_t bytes);
  sl_status (*synchronise)(void);

  /* dst = src, or dst += src: any strides and dtypes, equal shapes. */
  sl_status (*copy)(struct sl_tensor *dst, const struct sl_tensor *src,
                    int add);
  /* out (contiguous) = act(y * scale + shift): see tensor/tensor.h. */
  sl_status (*materialise)(struct sl_tensor *out, const struct sl_lazy *lazy);

  /* One optimiser step over many tensors, and the sum of the squares of their
   * gradients: see backend/update.h. */
  sl_status (*update)(const struct sl_update *u);
  sl_status (*grad_squares)(const struct sl_update *u, double *sum);
  sl_status (*average)(const struct sl_average *w); /* also there */

  const struct sl_kernels *kernels; /* by sl_op_id; see ops/op.h */
} sl_backend;

extern const sl_backend sl_cpu; /* always there: the reference */

/* The backend of that name ("auto": the best there is; "cuda": "cuda:0");
 * NULL, with the reason as this thread's message, when it cannot be used. */
const sl_backend *sl_backend_find(const char *name);

/* The i-th kind of backend, from 0. NULL with *why_not set: it cannot be used
 * here, and why (until the next failure); NULL without: past the last. */
const sl_backend *sl_backend_at(int i, const char **why_not);

/* Where new tensors go unless told otherwise: the best there is. */
const sl_backend *sl_backend_default(void);
void sl_backend_set_default(const sl_backend *b);

/* As `deterministic` above, for whichever backend is the default. */
void sl_backend_deterministic(int on);

#endif
