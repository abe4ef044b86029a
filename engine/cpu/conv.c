/* conv.c -- see conv.h. */
#include "cpu/conv.h"

#include <stdio.h>
#include <string.h>

#include "base/threads.h"
#include "cpu/cpu.h"
#include "cpu/norm.h"
#include "cpu/simd.h"

/* --- reading -------------------------------------------------------------- */

sl_source sl_source_of(const sl_tensor *t) {
  if (!t) return (sl_source){0};
  const int64_t c = t->shape[t->rank - 1];
  if (!t->lazy) return (sl_source){sl_f32(t), NULL, NULL, SL_ACT_NONE, c};
  return (sl_source){sl_f32(t->lazy->y), sl_f32(t->lazy->scale),
                     sl_f32(t->lazy->shift), t->lazy->act, c};
}

const float *sl_source_read(const sl_source *s, int64_t first, int64_t rows,
                            float *buffer) {
  if (!s->data) return NULL;
  const float *from = s->data + first * s->c;
  if (!s->scale) return from;
  sl_norm_apply(buffer, from, NULL, rows, s->c, s->scale, s->shift, s->act);
  return buffer;
}

/* --- workers -------------------------------------------------------------- */

/* Workers have no way to return a failure: the first one is kept. */
static void note(sl_conv *v, sl_status status) {
  int none = 0;
  if (status == SL_OK) return;
  if (atomic_compare_exchange_strong(&v->failed, &none, (int)status))
    snprintf(v->error, sizeof v->error, "%s", sl_error());
}

static char *worker_memory(const sl_conv *v, int worker) {
  return v->memory + v->first_worker + (size_t)worker * v->worker_bytes;
}

static float *floats(char *p) {
  return (float *)(void *)p;
}

void *sl_conv_more(const sl_conv *v, int worker) {
  return worker_memory(v, worker) + v->more;
}

void sl_conv_begin(sl_conv_worker *w, sl_conv *v, int worker, int n_workers) {
  char *m = worker_memory(v, worker);
  *w = (sl_conv_worker){.v = v,
                        .index = worker,
                        .n = n_workers,
                        .was_threads = sl_dnnl_enter(),
                        .scratch = m + v->scratch,
                        .more = m + v->more,
                        .x = floats(m + v->x),
                        .dx = floats(m + v->dx),
                        .y = floats(m + v->y),
                        .r = floats(m + v->r),
                        .dw = floats(m + v->dw),
                        .dw_chunk = floats(m + v->dw_chunk)};
  sl_share(v->n_chunks, 1, worker, n_workers, &w->begin, &w->end);
}

void sl_conv_end(const sl_conv_worker *w) {
  sl_dnnl_leave(w->was_threads);
}

static void pack(const sl_conv_worker *w, const sl_dnnl_conv *p,
                 const float *weight, char *packed) {
  int64_t begin, end;
  sl_share(sl_dnnl_parts(p), 1, w->index, w->n, &begin, &end);
  for (int64_t i = begin; i < end; i++)
    note(w->v, sl_dnnl_pack(p, w->index, (int)i, weight, packed, w->scratch));
}

void sl_conv_pack(const sl_conv_worker *w, const float *weight) {
  for (int i = SL_DNNL_FORWARD; i <= SL_DNNL_DGRAD; i++) {
    const sl_conv_way *way = &w->v->way[i];
    if (!way->whole) continue;
    pack(w, way->whole, weight, way->weight);
    if (way->apart) pack(w, way->last, weight, way->last_weight);
  }
}

sl_chunk sl_conv_chunk(const sl_conv *v, int64_t i) {
  const int64_t first = i * v->chunk;
  const int64_t n = v->units - first < v->chunk ? v->units - first : v->chunk;
  return (sl_chunk){n < v->chunk, first * v->in_rows, n * v->in_rows,
                    first * v->out_rows, n * v->out_rows};
}

static void run(const sl_conv_worker *w, sl_dnnl_kind kind, const sl_chunk *k,
                const float *in, float *out) {
  const sl_conv_way *way = &w->v->way[kind];
  note(w->v,
       sl_dnnl_run(k->last ? way->last : way->whole, w->index, in,
                   k->last ? way->last_weight : way->weight, out, w->scratch));
}

void sl_conv_forward(const sl_conv_worker *w, const sl_chunk *k, const float *x,
                     float *y) {
  run(w, SL_DNNL_FORWARD, k, x, y);
}

SL_SIMD
static void add_to(float *to, const float *from, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    to[i] += from[i];
}

void sl_conv_dgrad(const sl_conv_worker *w, const sl_chunk *k, const float *dy,
                   float *dx, int add) {
  run(w, SL_DNNL_DGRAD, k, dy, add ? w->dx : dx);
  if (add) add_to(dx, w->dx, k->in_rows * w->v->c);
}

void sl_conv_wgrad(sl_conv_worker *w, const sl_chunk *k, const float *x,
                   const float *dy) {
  const sl_conv_way *way = &w->v->way[SL_DNNL_WGRAD];
  const int apart = k->last && way->apart;
  if (w->v->split) return; /* x and dy are put aside */
  const sl_dnnl_conv *p = k->last ? way->last : way->whole;
  void *to = apart ? (void *)way->last_weight : w->has_dw ? w->dw_chunk : w->dw;
  note(w->v, sl_dnnl_run(p, w->index, x, dy, to, w->scratch));
  if (apart) return;
  if (w->has_dw)
    add_to(w->dw, w->dw_chunk,
           (int64_t)(sl_dnnl_weight_bytes(way->whole) / sizeof(float)));
  w->has_dw = 1;
}

/* Worker 0's dw += all others', each worker a range of it. */
static void sum_workers(const sl_conv_worker *w) {
  const sl_conv *v = w->v;
  const size_t bytes = sl_dnnl_weight_bytes(v->way[SL_DNNL_WGRAD].whole);
  const int64_t chunks = v->n_chunks - v->way[SL_DNNL_WGRAD].apart;
  float *total = floats(worker_memory(v, 0) + v->dw);
  int64_t begin, end, first, after;
  sl_share((int64_t)(bytes / sizeof(float)), 16, w->index, w->n, &begin, &end);
  for (int i = 1; i < w->n; i++) {
    sl_share(v->n_chunks, 1, i, w->n, &first, &after);
    if (first >= after || first >= chunks) break; /* has no dw */
    add_to(total + begin, floats(worker_memory(v, i) + v->dw) + begin,
           end - begin);
  }
}

/* dweight (+)= part of a packed gradient whose first channel is `channel`. */
static void unpack(const sl_conv_worker *w, const sl_dnnl_conv *p, int part,
                   const void *packed, int64_t channel, float *dweight,
                   int add) {
  const int64_t row = w->v->row_weights;
  float *to = (add ? w->v->dw_plain : dweight) + channel * row;
  int64_t first, after;
  note(w->v, sl_dnnl_unpack(p, w->index, part, packed, to, w->scratch));
  if (!add) return;
  sl_dnnl_part(p, part, &first, &after);
  add_to(dweight + (channel + first) * row, to + first * row,
         (after - first) * row);
}

/* This worker's share of the parts. */
static void unpack_share(const sl_conv_worker *w, const sl_dnnl_conv *p,
                         const void *packed, float *dweight, int add) {
  int64_t begin, end;
  sl_share(sl_dnnl_parts(p), 1, w->index, w->n, &begin, &end);
  for (int64_t i = begin; i < end; i++)
    unpack(w, p, (int)i, packed, 0, dweight, add);
}

/* --- the split weight gradient -------------------------------------------- */

/* to = channels [first, first + n) of dy's rows */
static void gather(float *to, const float *dy, int64_t rows, int64_t c,
                   int64_t first, int64_t n) {
  for (int64_t r = 0; r < rows; r++)
    memcpy(to + r * n, dy + r * c + first, (size_t)n * sizeof *to);
}

static void wgrad_slice(const sl_conv_worker *w, int i, const float *x,
                        const float *dy, float *dweight, int add) {
  const sl_conv *v = w->v;
  const sl_dnnl_conv *p = v->slice[i];
  int64_t first;
  const int64_t n = sl_conv_slice(v, i, &first);
  if (n == 0) return;
  gather(w->y, dy, v->units * v->out_rows, v->o, first, n);
  note(w->v, sl_dnnl_run(p, w->index, x, w->y, w->dw, w->scratch));
  for (int part = 0; part < sl_dnnl_parts(p); part++)
    unpack(w, p, part, w->dw, first, dweight, add);
}

float *sl_conv_x_buffer(const sl_conv_worker *w, const sl_chunk *k) {
  return w->v->split ? w->v->x_all + k->in_row * w->v->c : w->x;
}

float *sl_conv_dy_buffer(const sl_conv_worker *w, const sl_chunk *k) {
  return w->v->split ? w->v->dy_all + k->out_row * w->v->o : w->y;
}

void sl_conv_finish_wgrad(const sl_conv_worker *w, const float *x,
                          const float *dy, float *dweight, int add) {
  sl_conv *v = w->v;
  const sl_conv_way *way = &v->way[SL_DNNL_WGRAD];
  sl_pool_barrier();
  for (int i = w->index; v->split && i < v->n_workers; i += w->n)
    wgrad_slice(w, i, x ? x : v->x_all, dy ? dy : v->dy_all, dweight, add);
  if (v->split) return;
  sum_workers(w);
  sl_pool_barrier();
  unpack_share(w, way->whole, worker_memory(v, 0) + v->dw, dweight, add);
  if (!way->apart) return;
  sl_pool_barrier();
  unpack_share(w, way->last, way->last_weight, dweight, 1);
}
