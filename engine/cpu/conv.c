/* conv.c -- see conv.h. */
#include "cpu/conv.h"

#include <stdio.h>
#include <string.h>

#include "base/threads.h"
#include "cpu/cpu.h"
#include "cpu/norm.h"
#include "cpu/typed.h"

/* --- reading -------------------------------------------------------------- */

sl_source sl_source_of(const sl_tensor *t) {
  if (!t) return (sl_source){0};
  const int64_t c = t->shape[t->rank - 1];
  if (!t->lazy)
    return (sl_source){t->dtype, sl_data(t), NULL, NULL, SL_ACT_NONE, c};
  return (sl_source){t->dtype,
                     sl_data(t->lazy->y),
                     sl_f32(t->lazy->scale),
                     sl_f32(t->lazy->shift),
                     t->lazy->act,
                     c};
}

const void *sl_source_read(const sl_source *s, int64_t first, int64_t rows,
                           void *buffer) {
  const void *from = sl_ahead(s->type, s->data, first * s->c);
  if (!from || !s->scale) return from;
  sl_norm_apply(s->type, buffer, from, NULL, rows, s->c, s->scale, s->shift,
                s->act);
  return buffer;
}

sl_lazy_rows sl_source_rows(const sl_source *s, int64_t first, int64_t rows,
                            void *buffer) {
  if (!s->scale || s->type != SL_BF16 || s->act > SL_ACT_RELU)
    return (sl_lazy_rows){.rows = sl_source_read(s, first, rows, buffer)};
  return (sl_lazy_rows){.rows = sl_ahead(s->type, s->data, first * s->c),
                        .scale = s->scale,
                        .shift = s->shift,
                        .relu = s->act == SL_ACT_RELU};
}

/* --- workers -------------------------------------------------------------- */

/* Workers have no way to return a failure: the first one is kept. */
void sl_conv_note(sl_conv *v, sl_status status) {
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
                        .table = m + v->table,
                        .x = m + v->x,
                        .dx = m + v->dx,
                        .y = m + v->y,
                        .r = m + v->r,
                        .amx = m + v->amx,
                        .x_panels = m + v->x_panels,
                        .y_panels = m + v->y_panels,
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
    sl_conv_note(w->v,
                 sl_dnnl_pack(p, w->index, (int)i, weight, packed, w->scratch));
}

void sl_conv_pack(const sl_conv_worker *w, const float *weight) {
  for (int i = SL_DNNL_FORWARD; i <= SL_DNNL_DGRAD; i++) {
    const sl_conv_way *way = &w->v->way[i];
    if (way->own)
      sl_conv_amx_pack(&way->amx, weight, way->weight, w->index, w->n);
    if (!way->whole) continue;
    pack(w, way->whole, weight, way->weight);
    if (way->apart) pack(w, way->last, weight, way->last_weight);
  }
}

sl_chunk sl_conv_chunk(const sl_conv *v, int64_t i) {
  const int64_t first = i * v->chunk;
  const int64_t n = v->units - first < v->chunk ? v->units - first : v->chunk;
  return (sl_chunk){
      .last = n < v->chunk,
      .first = first,
      .units = n,
      .in_row = first * v->in_rows,
      .in_rows = n * v->in_rows,
      .out_row = first * v->out_rows,
      .out_rows = n * v->out_rows,
  };
}

static void run(const sl_conv_worker *w, sl_dnnl_kind kind, const sl_chunk *k,
                const void *in, void *out) {
  const sl_conv_way *way = &w->v->way[kind];
  const float *bias = kind == SL_DNNL_FORWARD ? w->v->bias : NULL;
  sl_conv_note(w->v, sl_dnnl_run(k->last ? way->last : way->whole, w->index, in,
                                 k->last ? way->last_weight : way->weight, bias,
                                 out, w->scratch));
}

static void forward_own(const sl_conv_worker *w, const sl_chunk *k,
                        const sl_source *x, void *y) {
  const sl_conv_way *way = &w->v->way[SL_DNNL_FORWARD];
  const sl_lazy_rows in = sl_source_rows(x, k->in_row, k->in_rows, w->x);
  const sl_conv_amx_out out = {
      .rows = y, .bias = w->v->bias, .relu = w->v->end == SL_DNNL_BIAS_RELU};
  sl_conv_amx_run(&way->amx, k->units, &in, way->weight, &out, w->amx);
}

void sl_conv_forward(const sl_conv_worker *w, const sl_chunk *k,
                     const sl_source *x, void *y) {
  if (w->v->way[SL_DNNL_FORWARD].own)
    forward_own(w, k, x, y);
  else
    run(w, SL_DNNL_FORWARD, k, sl_source_read(x, k->in_row, k->in_rows, w->x),
        y);
}

SL_INLINE void add_typed(sl_dtype type, void *to, const void *from, int64_t n) {
  int64_t i = 0;
  for (; i + SL_LANES <= n; i += SL_LANES) {
    sl_v16 v;
    sl_get(&v, type, from, i, SL_LANES);
    sl_put_or_add(type, to, i, &v, 1, SL_LANES);
  }
  if (i == n) return;
  sl_v16 v;
  sl_get(&v, type, from, i, (int)(n - i));
  sl_put_or_add(type, to, i, &v, 1, (int)(n - i));
}

SL_SIMD
static void add_activations(sl_dtype type, void *to, const void *from,
                            int64_t n) {
#define CALL(T) add_typed(T, to, from, n)
  SL_TYPE_EACH(type, CALL);
#undef CALL
}

void sl_conv_dgrad(const sl_conv_worker *w, const sl_chunk *k, const void *dy,
                   void *dx, int add) {
  const sl_conv_way *way = &w->v->way[SL_DNNL_DGRAD];
  if (way->own) {
    const sl_lazy_rows in = {.rows = dy};
    const sl_conv_amx_out out = {.rows = dx, .add = add};
    sl_conv_amx_run(&way->amx, k->units, &in, way->weight, &out, w->amx);
    return;
  }
  run(w, SL_DNNL_DGRAD, k, dy, add ? w->dx : dx);
  if (add) add_activations(w->v->type, dx, w->dx, k->in_rows * w->v->c);
}
