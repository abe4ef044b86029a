/* dnnl.h -- convolutions by oneDNN. Only dnnl.c knows oneDNN and its versions.
 *
 * Primitives are single-threaded: the engine's workers each run them on their
 * own chunk of images, with their own scratch. They are kept in a cache by
 * the full description. x and y are NHWC; the weight is in a layout that
 * oneDNN chooses, and is packed from (and unpacked to) our (O, KH, KW, C/g),
 * f32 whatever the activations are. */
#ifndef SL_CPU_DNNL_H
#define SL_CPU_DNNL_H

#include <stddef.h>

#include "base/status.h"
#include "ops/conv2d.h"

typedef enum sl_dnnl_kind {
  SL_DNNL_FORWARD, /* x, weight -> y */
  SL_DNNL_DGRAD,   /* dy, weight -> dx */
  SL_DNNL_WGRAD,   /* x, dy -> dweight (f32) */
} sl_dnnl_kind;

/* What forward does to its sums before it stores them. */
typedef enum sl_dnnl_end {
  SL_DNNL_PLAIN,
  SL_DNNL_BIAS,      /* + bias: f32, one for each output channel */
  SL_DNNL_BIAS_RELU, /* and then max(0, .) */
} sl_dnnl_end;

typedef struct sl_dnnl_conv sl_dnnl_conv;

/* The primitive for that geometry, made when not in the cache; activations
 * are of that dtype. end: of forward; else SL_DNNL_PLAIN. Give it back with
 * sl_dnnl_release. Not for workers. */
SL_MUST_USE sl_status sl_dnnl_get(sl_dnnl_conv **out, sl_dnnl_kind kind,
                                  sl_dnnl_end end, sl_dtype dtype,
                                  const sl_conv_geometry *g);
void sl_dnnl_release(sl_dnnl_conv *p); /* NULL is allowed */

size_t sl_dnnl_weight_bytes(const sl_dnnl_conv *p); /* packed */
size_t sl_dnnl_scratch_bytes(const sl_dnnl_conv *p);
/* Do both want the weight packed alike? */
int sl_dnnl_same_weight(const sl_dnnl_conv *a, const sl_dnnl_conv *b);

/* Around a worker's calls: tells oneDNN's OpenMP to stay on this thread. */
int sl_dnnl_enter(void);
void sl_dnnl_leave(int was);

/* By one worker. Operands in the order given at sl_dnnl_kind; bias NULL unless
 * the primitive has one; scratch has at least scratch_bytes, 64-byte
 * aligned. */
SL_MUST_USE sl_status sl_dnnl_run(const sl_dnnl_conv *p, int worker,
                                  const void *a, const void *b,
                                  const float *bias, void *to, void *scratch);

/* Packing is in parts, so that workers can share it. Part i of a weight is
 * whole output channels [*begin, *end). */
int sl_dnnl_parts(const sl_dnnl_conv *p);
void sl_dnnl_part(const sl_dnnl_conv *p, int part, int64_t *begin,
                  int64_t *end);
SL_MUST_USE sl_status sl_dnnl_pack(const sl_dnnl_conv *p, int worker, int part,
                                   const float *weight, void *packed,
                                   void *scratch);
SL_MUST_USE sl_status sl_dnnl_unpack(const sl_dnnl_conv *p, int worker,
                                     int part, const void *packed,
                                     float *weight, void *scratch);

/* Lets go of the primitives that nobody uses. */
void sl_dnnl_trim(void);

void sl_dnnl_version(int out[3]); /* of the library that is loaded */

/* Tests: primitives in the cache, and how many were made so far. */
void sl_dnnl_cache_count(int *now, int *made);
void sl_dnnl_cache_limit(int most); /* 0: the default */

#endif
