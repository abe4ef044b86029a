/* conv.c -- see conv.h. */
#include "cpu/conv.h"

#include <stdio.h>
#include <string.h>

#include "base/threads.h"
#include "cpu/cpu.h"
#include "cpu/norm.h"
#include "cpu/simd.h"

/* What a worker should have in flight: L3 is shared, and L2 suffices for no
 * layer's weight and activations together. */
enum { FORWARD_BYTES = 1 << 20, BACKWARD_BYTES = 3 << 19, MIN_PIXELS = 128 };

/* Above this the workers' copies of a weight gradient are too much memory. */
enum { COPIES_BYTES = 64 << 20 };

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

/* --- planning ------------------------------------------------------------- */

static int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

static int is_product(const sl_conv_geometry *g) {
  return g->kh == 1 && g->kw == 1 && g->stride[0] == 1 && g->stride[1] == 1 &&
         g->padding[0] == 0 && g->padding[1] == 0;
}

/* Chunks near the wanted size, as many for each worker. */
static int64_t chunk_units(const sl_conv *v, unsigned kinds, int64_t least,
                           int64_t grain) {
  const int backward = kinds != 1u << SL_DNNL_FORWARD;
  const int64_t unit =
      (v->c * v->in_rows + v->o * v->out_rows) * (int64_t)sizeof(float);
  int64_t bytes = FORWARD_BYTES, dw = v->o * v->row_weights;
  if (backward) bytes = BACKWARD_BYTES / 2;
  if (kinds & 1u << SL_DNNL_WGRAD &&
      !v->split) { /* each chunk costs a pass over dw */
    dw *= 2 * (int64_t)sizeof(float);
    if (dw > bytes) bytes = dw;
  }
  int64_t most = bytes / unit;
  if (most < least) most = least;
  const int64_t share = ceil_div(v->units, v->n_workers);
  int64_t chunk = ceil_div(share, ceil_div(share, most));
  chunk = ceil_div(chunk < least ? least : chunk, grain) * grain;
  return chunk < v->units ? chunk : v->units;
}

/* The geometry of n units. */
static sl_conv_geometry of_units(const sl_conv_geometry *g, int64_t n) {
  sl_conv_geometry c = *g;
  if (is_product(g)) {
    c.n = c.h = c.oh = 1;
    c.w = c.ow = n;
  } else {
    c.n = n;
  }
  if (c.kh == 1) c.dilation[0] = 1; /* no difference: one cache entry */
  if (c.kw == 1) c.dilation[1] = 1;
  return c;
}

/* Whether to split the weight gradient by output channels. */
static int want_split(const sl_conv *v, unsigned kinds) {
  if (!(kinds & 1u << SL_DNNL_WGRAD) || v->g.groups > 1 || v->n_workers == 1)
    return 0;
  const int64_t dw = v->o * v->row_weights;
  const int64_t copies = 2 * v->n_workers * dw * (int64_t)sizeof(float);
  const int64_t acts = v->units * (v->in_rows * v->c + v->out_rows * v->o);
  return v->o >= SL_LANES * v->n_workers &&
         (2 * dw > acts || copies > COPIES_BYTES);
}

/* The output channels of slice i, for as many slices as workers. */
static int64_t slice(const sl_conv *v, int i, int64_t *first) {
  int64_t end;
  sl_share(v->o, SL_LANES, i, v->n_workers, first, &end);
  return end - *first;
}

static sl_status get_slices(sl_conv *v) {
  for (int i = 0; i < v->n_workers; i++) {
    int64_t first;
    sl_conv_geometry part = of_units(&v->g, v->units);
    part.o = slice(v, i, &first);
    if (part.o > 0)
      SL_TRY(sl_dnnl_get(&v->slice[i], SL_DNNL_WGRAD, SL_F32, &part));
  }
  return SL_OK;
}

static sl_status get_ways(sl_conv *v, unsigned kinds) {
  const sl_conv_geometry *g = &v->g;
  const int64_t rest = v->units - (v->n_chunks - 1) * v->chunk;
  const sl_conv_geometry whole = of_units(g, v->chunk),
                         last = of_units(g, rest);
  for (int i = 0; i < 3; i++) {
    if (!(kinds & 1u << i) || (i == SL_DNNL_WGRAD && v->split)) continue;
    const sl_dnnl_kind kind = (sl_dnnl_kind)i;
    SL_TRY(sl_dnnl_get(&v->way[i].whole, kind, SL_F32, &whole));
    SL_TRY(sl_dnnl_get(&v->way[i].last, kind, SL_F32, &last));
    v->way[i].apart = !sl_dnnl_same_weight(v->way[i].whole, v->way[i].last);
  }
  return v->split ? get_slices(v) : SL_OK;
}

/* Grows *at by bytes, and says where they begin. */
static size_t reserve(size_t *at, size_t bytes) {
  const size_t begin = *at;
  *at += (bytes + 63) & ~(size_t)63;
  return begin;
}

static size_t larger(size_t a, size_t b) {
  return a > b ? a : b;
}

static size_t scratch_bytes(const sl_conv *v) {
  size_t most = 0;
  for (int i = 0; i < 3; i++) {
    const sl_conv_way *way = &v->way[i];
    if (!way->whole) continue;
    most = larger(most, sl_dnnl_scratch_bytes(way->whole));
    most = larger(most, sl_dnnl_scratch_bytes(way->last));
  }
  for (int i = 0; i < v->n_workers; i++)
    if (v->slice[i]) most = larger(most, sl_dnnl_scratch_bytes(v->slice[i]));
  return most;
}

static size_t bytes_of(int64_t floats) {
  return (size_t)floats * sizeof(float);
}

static void lay_out_worker(sl_conv *v, unsigned buffers, size_t more) {
  const size_t in = bytes_of(v->chunk * v->in_rows * v->c);
  const size_t out = bytes_of(v->chunk * v->out_rows * v->o);
  const sl_dnnl_conv *wgrad = v->way[SL_DNNL_WGRAD].whole;
  int64_t first;
  size_t at = 0, dw = wgrad ? sl_dnnl_weight_bytes(wgrad) : 0;
  for (int i = 0; i < v->n_workers; i++)
    if (v->slice[i]) dw = larger(dw, sl_dnnl_weight_bytes(v->slice[i]));
  v->scratch = reserve(&at, scratch_bytes(v));
  v->x = reserve(&at, buffers & SL_CONV_X && !v->split ? in : 0);
  v->dx = reserve(&at, buffers & SL_CONV_DX ? in : 0);
  v->y = at;
  if (v->split)
    reserve(&at, bytes_of(v->units * v->out_rows * slice(v, 0, &first)));
  else if (buffers & SL_CONV_Y)
    reserve(&at, out);
  v->r = reserve(&at, buffers & SL_CONV_R ? out : 0);
  v->more = reserve(&at, more);
  v->dw = reserve(&at, dw);
  v->dw_chunk = reserve(&at, v->split ? 0 : dw);
  v->worker_bytes = at;
}

/* Offsets of what workers share. */
typedef struct shared {
  size_t weight[3], last_weight[3], plain, x_all, dy_all;
} shared;

static size_t lay_out_shared(const sl_conv *v, unsigned buffers, int dw_adds,
                             shared *s) {
  size_t at = 0;
  for (int i = 0; i < 3; i++) {
    const sl_conv_way *way = &v->way[i];
    if (!way->whole) continue;
    const int packed = i != SL_DNNL_WGRAD;
    s->weight[i] = reserve(&at, packed ? sl_dnnl_weight_bytes(way->whole) : 0);
    s->last_weight[i] = s->weight[i];
    if (way->apart)
      s->last_weight[i] = reserve(&at, sl_dnnl_weight_bytes(way->last));
  }
  const int plain = dw_adds || v->way[SL_DNNL_WGRAD].apart;
  s->plain = reserve(&at, plain ? bytes_of(v->o * v->row_weights) : 0);
  s->x_all = s->dy_all = at;
  if (v->split && buffers & SL_CONV_X)
    reserve(&at, bytes_of(v->units * v->in_rows * v->c));
  s->dy_all = at;
  if (v->split && buffers & SL_CONV_Y)
    reserve(&at, bytes_of(v->units * v->out_rows * v->o));
  return at;
}

static sl_status lay_out(sl_conv *v, unsigned buffers, int dw_adds) {
  shared s = {0};
  v->first_worker = lay_out_shared(v, buffers, dw_adds, &s);
  v->bytes = v->first_worker + (size_t)v->n_workers * v->worker_bytes;
  v->memory = sl_cpu_alloc(v->bytes);
  SL_REQUIRE(v->memory, SL_ENOMEM,
             "no memory for a convolution's %zu bytes of scratch", v->bytes);
  for (int i = 0; i < 3; i++) {
    v->way[i].weight = v->memory + s.weight[i];
    v->way[i].last_weight = v->memory + s.last_weight[i];
  }
  v->dw_plain = (float *)(void *)(v->memory + s.plain);
  v->x_all = (float *)(void *)(v->memory + s.x_all);
  v->dy_all = (float *)(void *)(v->memory + s.dy_all);
  return SL_OK;
}

static sl_status plan(sl_conv *v, const sl_conv_geometry *g, unsigned kinds,
                      unsigned buffers, size_t more, int dw_adds) {
  const int product = is_product(g);
  *v = (sl_conv){.c = g->c,
                 .o = g->o,
                 .g = *g,
                 .row_weights = g->kh * g->kw * g->c / g->groups,
                 .units = product ? g->n * g->h * g->w : g->n,
                 .in_rows = product ? 1 : g->h * g->w,
                 .out_rows = product ? 1 : g->oh * g->ow,
                 .n_workers = sl_pool_size()};
  v->split = want_split(v, kinds);
  v->chunk =
      chunk_units(v, kinds, product ? MIN_PIXELS : 1, product ? SL_LANES : 1);
  v->n_chunks = ceil_div(v->units, v->chunk);
  SL_TRY(get_ways(v, kinds));
  lay_out_worker(v, buffers, more);
  return lay_out(v, buffers, dw_adds);
}

sl_status sl_conv_plan(sl_conv *v, const sl_conv_geometry *g, unsigned kinds,
                       unsigned buffers, size_t more, int dw_adds) {
  const sl_status status = plan(v, g, kinds, buffers, more, dw_adds);
  if (status == SL_OK) return SL_OK;
  (void)!sl_conv_done(v); /* no worker has run: nothing to report */
  return status;
}

sl_status sl_conv_done(sl_conv *v) {
  for (int i = 0; i < 3; i++) {
    sl_dnnl_release(v->way[i].whole);
    sl_dnnl_release(v->way[i].last);
  }
  for (int i = 0; i < v->n_workers; i++)
    sl_dnnl_release(v->slice[i]);
  sl_cpu_free(v->memory, v->bytes);
  v->memory = NULL;
  const int failed = atomic_load(&v->failed);
  return failed ? sl_fail((sl_status)failed, "%s", v->error) : SL_OK;
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
  const int64_t n = slice(v, i, &first);
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
