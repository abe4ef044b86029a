/* conv.h -- a convolution cut into chunks that stay in cache.
 *
 * A unit is an image, or a pixel where the convolution is 1x1 with stride 1
 * (then it is a matrix product and images do not matter). The batch is cut
 * into chunks of units; all have the same size but perhaps the last one. Each
 * worker takes the same chunks every time, and for each of them calls what the
 * op at hand needs: read x (normalising it if lazy), forward, dgrad, wgrad.
 *
 * Forward and dgrad are oneDNN's primitives, or (bf16 with AMX) conv_amx.h's.
 *
 * The weight gradient is summed up by each worker over its chunks, and then
 * over workers. Where it is larger than the activations, or the workers' copies
 * would take too much memory, it is *split* instead: chunks only put aside x
 * and dy, and after a barrier each worker computes the gradient of its own
 * output channels over the whole batch; nothing is summed. It is computed by
 * our own kernels where the processor has what they need (wgrad.h), else by
 * oneDNN.
 *
 * Activations are f32 or bf16, weights and their gradients always f32.
 *
 * Order of calls: sl_conv_plan; then, inside one sl_parallel, on every worker:
 * sl_conv_begin, sl_conv_pack, a barrier, chunks, sl_conv_finish_wgrad if
 * planned, sl_conv_end; then sl_conv_done. */
#ifndef SL_CPU_CONV_H
#define SL_CPU_CONV_H

#include <stdatomic.h>

#include "base/threads.h"
#include "cpu/conv_amx.h"
#include "cpu/dnnl.h"
#include "cpu/wgrad.h"
#include "ops/conv2d.h"

/* A tensor that chunks are read from, lazily normalised or not. */
typedef struct sl_source {
  sl_dtype type;
  const void *data;
  const float *scale, *shift; /* scale NULL: not lazy */
  sl_act act;
  int64_t c;
} sl_source;

/* t may be NULL: then data is. */
sl_source sl_source_of(const sl_tensor *t);

/* Rows (pixels) of the source's values: in place, or normalised in buffer. */
const void *sl_source_read(const sl_source *s, int64_t first, int64_t rows,
                           void *buffer);

/* The same for kernels that normalise bf16 themselves, if they can by relu or
 * without an activation. */
sl_lazy_rows sl_source_rows(const sl_source *s, int64_t first, int64_t rows,
                            void *buffer);

/* One direction: primitives for a whole chunk and for the last one, and the
 * weight as each wants it (the same memory where they agree). */
typedef struct sl_conv_way {
  sl_dnnl_conv *whole, *last;
  int apart; /* the two pack the weight differently */
  char *weight, *last_weight;
  int own; /* not by primitives but by conv_amx.h */
  sl_conv_amx amx;
} sl_conv_way;

/* Buffers that each worker wants, as bits. */
enum {
  SL_CONV_X = 1,  /* a chunk of x */
  SL_CONV_DX = 2, /* a chunk of dx */
  SL_CONV_Y = 4,  /* a chunk of y or dy */
  SL_CONV_R = 8,  /* a chunk of the residual */
};

typedef struct sl_conv {
  sl_conv_geometry g;
  sl_dtype type;             /* of activations */
  int64_t c, o, row_weights; /* channels; floats of one output channel */
  int64_t units, chunk, n_chunks;
  int64_t in_rows, out_rows; /* pixels of one unit */
  int n_workers;
  int split;          /* the weight gradient is, see above */
  sl_conv_way way[3]; /* by sl_dnnl_kind; whole NULL: not planned */
  sl_dnnl_end end;    /* of forward */
  const float *bias;  /* what it adds there: set before the first chunk */
  int own;            /* the weight gradient is by wgrad.h */
  sl_wgrad wgrad;
  sl_dnnl_conv *slice[SL_MAX_THREADS]; /* split, not own: gradient of a worker's
                                          output channels; NULL: none left */
  /* One block of memory: packed weights and what workers share, then a part
   * for each worker. The offsets below are in a worker's part. */
  char *memory;
  size_t bytes, first_worker, worker_bytes;
  size_t scratch, x, dx, r, more, dw, dw_chunk, table;
  size_t x_panels, y_panels; /* own, not split */
  size_t amx;                /* for conv_amx.h */
  size_t y;             /* split, not own: the worker's channels of all of dy */
  float *dw_plain;      /* the gradient as the tensor has it, to be added */
  void *x_all, *dy_all; /* split: what chunks put aside; own: in panels */
  atomic_int failed;
  char error[256];
} sl_conv;

typedef struct sl_conv_worker {
  sl_conv *v;
  int index, n, was_threads;
  int64_t begin, end; /* its chunks */
  int has_dw;         /* dw holds something */
  char *scratch, *more, *table, *amx;
  void *x, *dx, *y, *r, *x_panels, *y_panels;
  float *dw, *dw_chunk;
} sl_conv_worker;

typedef struct sl_chunk {
  int last; /* of another size than the others */
  int64_t first, units;
  int64_t in_row, in_rows; /* pixels of x */
  int64_t out_row, out_rows;
} sl_chunk;

/* type: of the activations. kinds: bits 1 << sl_dnnl_kind. end: of forward.
 * buffers: SL_CONV_*. more: bytes for each worker's own use. dw_adds: the
 * weight gradient will be added to. */
SL_MUST_USE sl_status sl_conv_plan(sl_conv *v, sl_dtype type,
                                   const sl_conv_geometry *g, unsigned kinds,
                                   sl_dnnl_end end, unsigned buffers,
                                   size_t more, int dw_adds);

/* Frees; returns the first failure of a worker. */
SL_MUST_USE sl_status sl_conv_done(sl_conv *v);

/* The output channels of slice i, of as many as there are workers: the first
 * one, and how many (0: none left for it). */
int64_t sl_conv_slice(const sl_conv *v, int i, int64_t *first);

/* Any worker's own bytes. */
void *sl_conv_more(const sl_conv *v, int worker);

void sl_conv_begin(sl_conv_worker *w, sl_conv *v, int worker, int n_workers);
void sl_conv_end(const sl_conv_worker *w);

/* Packs this worker's share of the weight for all planned ways. */
void sl_conv_pack(const sl_conv_worker *w, const float *weight);

sl_chunk sl_conv_chunk(const sl_conv *v, int64_t i);

/* y = the convolution of the source's chunk, normalised if lazy (in the
 * worker's buffer SL_CONV_X, or on the way). */
void sl_conv_forward(const sl_conv_worker *w, const sl_chunk *k,
                     const sl_source *x, void *y);
void sl_conv_dgrad(const sl_conv_worker *w, const sl_chunk *k, const void *dy,
                   void *dx, int add);

/* The first chunks' failures are kept for sl_conv_done. */
void sl_conv_note(sl_conv *v, sl_status status);

/* --- conv_wgrad.c --------------------------------------------------------- */

/* x is read as by sl_conv_forward. */
void sl_conv_wgrad(sl_conv_worker *w, const sl_chunk *k, const sl_source *x,
                   const void *dy);

/* Where a chunk of dy is computed for sl_conv_wgrad. */
void *sl_conv_dy_buffer(const sl_conv_worker *w, const sl_chunk *k);

/* dweight (+)= the whole gradient. x and dy are all of them, NULL where chunks
 * went through the above buffers. Has barriers. */
void sl_conv_finish_wgrad(const sl_conv_worker *w, const void *x,
                          const void *dy, float *dweight, int add);

#endif
