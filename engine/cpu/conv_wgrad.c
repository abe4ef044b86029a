/* conv_wgrad.c -- the weight gradient of conv.h: what each chunk adds or puts
 * aside, and how the workers' parts become the tensor. */
#include <string.h>

#include "base/threads.h"
#include "cpu/conv.h"
#include "cpu/typed.h"

static float *dw_of(const sl_conv *v, int worker) {
  char *m = v->memory + v->first_worker + (size_t)worker * v->worker_bytes;
  return (float *)(void *)(m + v->dw);
}

SL_SIMD
static void add_floats(float *to, const float *from, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    to[i] += from[i];
}

/* --- chunks --------------------------------------------------------------- */

static void add_own(sl_conv_worker *w, const sl_chunk *k, const sl_lazy_rows *x,
                    const void *dy) {
  const sl_wgrad *g = &w->v->wgrad;
  sl_wgrad_pack_x(g, w->x_panels, k->units, 0, k->units, x);
  sl_wgrad_pack_y(g, w->y_panels, k->units, 0, k->units, dy);
  sl_wgrad_add(g, w->x_panels, w->y_panels, k->units, 0, w->v->o, w->dw,
               w->has_dw, w->table);
  w->has_dw = 1;
}

static void add_dnnl(sl_conv_worker *w, const sl_chunk *k, const void *x,
                     const void *dy) {
  const sl_conv_way *way = &w->v->way[SL_DNNL_WGRAD];
  const int apart = k->last && way->apart;
  const sl_dnnl_conv *p = k->last ? way->last : way->whole;
  void *to = apart ? (void *)way->last_weight : w->has_dw ? w->dw_chunk : w->dw;
  sl_conv_note(w->v, sl_dnnl_run(p, w->index, x, dy, NULL, to, w->scratch));
  if (apart) return;
  if (w->has_dw)
    add_floats(w->dw, w->dw_chunk,
               (int64_t)(sl_dnnl_weight_bytes(way->whole) / sizeof(float)));
  w->has_dw = 1;
}

/* Where a chunk of x is normalised to. */
static void *x_buffer(const sl_conv_worker *w, const sl_chunk *k) {
  const sl_conv *v = w->v;
  if (!v->split || v->own) return w->x;
  return sl_ahead_to(v->type, v->x_all, k->in_row * v->c);
}

static void put_aside(const sl_conv *v, const sl_chunk *k,
                      const sl_lazy_rows *x, const void *dy) {
  sl_wgrad_pack_x(&v->wgrad, v->x_all, v->units, k->first, k->units, x);
  sl_wgrad_pack_y(&v->wgrad, v->dy_all, v->units, k->first, k->units, dy);
}

void sl_conv_wgrad(sl_conv_worker *w, const sl_chunk *k, const sl_source *x,
                   const void *dy) {
  const sl_conv *v = w->v;
  if (!v->own) {
    const void *rows = sl_source_read(x, k->in_row, k->in_rows, x_buffer(w, k));
    if (!v->split) add_dnnl(w, k, rows, dy); /* else it is put aside */
    return;
  }
  const sl_lazy_rows rows = sl_source_rows(x, k->in_row, k->in_rows, w->x);
  if (v->split)
    put_aside(v, k, &rows, dy);
  else
    add_own(w, k, &rows, dy);
}

void *sl_conv_dy_buffer(const sl_conv_worker *w, const sl_chunk *k) {
  const sl_conv *v = w->v;
  if (!v->split || v->own) return w->y;
  return sl_ahead_to(v->type, v->dy_all, k->out_row * v->o);
}

/* --- our own: collected gradients to the tensor --------------------------- */

/* The workers that have a share of the chunks. */
static int contributors(const sl_conv_worker *w) {
  int n = 0;
  int64_t begin, end;
  while (n < w->n) {
    sl_share(w->v->n_chunks, 1, n, w->n, &begin, &end);
    if (begin >= end) break;
    n++;
  }
  return n;
}

/* One row of c of the tensor (+)= the sum of n workers' rows. */
static void store_row(float *to, int64_t c, float *const *from, int n,
                      int64_t at, int add) {
  if (add)
    add_floats(to, from[0] + at, c);
  else
    memcpy(to, from[0] + at, (size_t)c * sizeof *to);
  for (int i = 1; i < n; i++)
    add_floats(to, from[i] + at, c);
}

/* Output channels [begin, end); row 0 of `from` is channel `first`. */
static void store_channels(const sl_conv *v, float *dweight, float *const *from,
                           int n, int64_t first, int64_t begin, int64_t end,
                           int add) {
  const int64_t taps = v->wgrad.taps, c = v->c / v->g.groups;
  for (int64_t i = begin * taps; i < end * taps; i++)
    store_row(dweight + i * c, c, from, n,
              (i - first * taps) * v->wgrad.c +
                  sl_wgrad_column(&v->wgrad, i / taps),
              add);
}

static void finish_own(const sl_conv_worker *w, float *dweight, int add) {
  float *from[SL_MAX_THREADS] = {dw_of(w->v, 0)}; /* it always has a share */
  const int n = contributors(w);
  for (int i = 1; i < n; i++)
    from[i] = dw_of(w->v, i);
  int64_t begin, end;
  sl_share(w->v->o, 1, w->index, w->n, &begin, &end);
  store_channels(w->v, dweight, from, n, 0, begin, end, add);
}

static void own_slice(const sl_conv_worker *w, int i, float *dweight, int add) {
  const sl_conv *v = w->v;
  int64_t first;
  const int64_t n = sl_conv_slice(v, i, &first);
  if (n == 0) return;
  float *dw = w->dw;
  sl_wgrad_add(&v->wgrad, v->x_all, v->dy_all, v->units, first, first + n, dw,
               0, w->table);
  store_channels(v, dweight, &dw, 1, first, first, first + n, add);
}

/* --- oneDNN's: packed gradients to the tensor ------------------------------
 */

/* Worker 0's dw += all others', each worker a range of it. */
static void sum_workers(const sl_conv_worker *w) {
  const sl_conv *v = w->v;
  const size_t bytes = sl_dnnl_weight_bytes(v->way[SL_DNNL_WGRAD].whole);
  const int64_t chunks = v->n_chunks - v->way[SL_DNNL_WGRAD].apart;
  float *total = dw_of(v, 0);
  int64_t begin, end, first, after;
  sl_share((int64_t)(bytes / sizeof(float)), 16, w->index, w->n, &begin, &end);
  for (int i = 1; i < w->n; i++) {
    sl_share(v->n_chunks, 1, i, w->n, &first, &after);
    if (first >= after || first >= chunks) break; /* has no dw */
    add_floats(total + begin, dw_of(v, i) + begin, end - begin);
  }
}

/* dweight (+)= part of a packed gradient whose first channel is `channel`. */
static void unpack(const sl_conv_worker *w, const sl_dnnl_conv *p, int part,
                   const void *packed, int64_t channel, float *dweight,
                   int add) {
  const int64_t row = w->v->row_weights;
  float *to = (add ? w->v->dw_plain : dweight) + channel * row;
  int64_t first, after;
  sl_conv_note(w->v, sl_dnnl_unpack(p, w->index, part, packed, to, w->scratch));
  if (!add) return;
  sl_dnnl_part(p, part, &first, &after);
  add_floats(dweight + (channel + first) * row, to + first * row,
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

static void finish_dnnl(const sl_conv_worker *w, float *dweight, int add) {
  const sl_conv_way *way = &w->v->way[SL_DNNL_WGRAD];
  sum_workers(w);
  sl_pool_barrier();
  unpack_share(w, way->whole, dw_of(w->v, 0), dweight, add);
  if (!way->apart) return;
  sl_pool_barrier();
  unpack_share(w, way->last, way->last_weight, dweight, 1);
}

/* to = channels [first, first + n) of dy's rows */
static void gather(const sl_conv *v, void *to, const void *dy, int64_t first,
                   int64_t n) {
  const size_t size = sl_dtype_size(v->type);
  const int64_t rows = v->units * v->out_rows;
  for (int64_t r = 0; r < rows; r++)
    memcpy((char *)to + (size_t)(r * n) * size,
           (const char *)dy + (size_t)(r * v->o + first) * size,
           (size_t)n * size);
}

static void dnnl_slice(const sl_conv_worker *w, int i, const void *x,
                       const void *dy, float *dweight, int add) {
  const sl_conv *v = w->v;
  const sl_dnnl_conv *p = v->slice[i];
  int64_t first;
  const int64_t n = sl_conv_slice(v, i, &first);
  if (n == 0) return;
  gather(v, w->y, dy, first, n);
  sl_conv_note(w->v,
               sl_dnnl_run(p, w->index, x, w->y, NULL, w->dw, w->scratch));
  for (int part = 0; part < sl_dnnl_parts(p); part++)
    unpack(w, p, part, w->dw, first, dweight, add);
}

/* -------------------------------------------------------------------------- */

void sl_conv_finish_wgrad(const sl_conv_worker *w, const void *x,
                          const void *dy, float *dweight, int add) {
  const sl_conv *v = w->v;
  sl_pool_barrier();
  for (int i = w->index; v->split && i < v->n_workers; i += w->n)
    if (v->own)
      own_slice(w, i, dweight, add);
    else
      dnnl_slice(w, i, x ? x : v->x_all, dy ? dy : v->dy_all, dweight, add);
  if (v->split) return;
  if (v->own)
    finish_own(w, dweight, add);
  else
    finish_dnnl(w, dweight, add);
}
