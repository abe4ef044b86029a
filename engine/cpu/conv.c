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
  if (kinds & 1u << SL_DNNL_WGRAD) { /* each chunk costs a pass over dw */
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

static sl_status get_ways(sl_conv *v, const sl_conv_geometry *g,
                          unsigned kinds) {
  const int64_t rest = v->units - (v->n_chunks - 1) * v->chunk;
  const sl_conv_geometry whole = of_units(g, v->chunk),
                         last = of_units(g, rest);
  for (int i = 0; i < 3; i++) {
    if (!(kinds & 1u << i)) continue;
    const sl_dnnl_kind kind = (sl_dnnl_kind)i;
    SL_TRY(sl_dnnl_get(&v->way[i].whole, kind, SL_F32, &whole));
    SL_TRY(sl_dnnl_get(&v->way[i].last, kind, SL_F32, &last));
    v->way[i].apart = !sl_dnnl_same_weight(v->way[i].whole, v->way[i].last);
  }
  return SL_OK;
}

/* Grows *at by bytes, and says where they begin. */
static size_t reserve(size_t *at, size_t bytes) {
  const size_t begin = *at;
  *at += (bytes + 63) & ~(size_t)63;
  return begin;
}

static void lay_out_worker(sl_conv *v, unsigned buffers, size_t more) {
  const size_t in = (size_t)(v->chunk * v->in_rows * v->c) * sizeof(float);
  const size_t out = (size_t)(v->chunk * v->out_rows * v->o) * sizeof(float);
  size_t at = 0, scratch = 0;
  for (int i = 0; i < 3; i++) {
    const sl_conv_way *way = &v->way[i];
    if (!way->whole) continue;
    const size_t a = sl_dnnl_scratch_bytes(way->whole);
    const size_t b = sl_dnnl_scratch_bytes(way->last);
    scratch = a > scratch ? a : scratch;
    scratch = b > scratch ? b : scratch;
  }
  v->scratch = reserve(&at, scratch);
  v->x = reserve(&at, buffers & SL_CONV_X ? in : 0);
  v->dx = reserve(&at, buffers & SL_CONV_DX ? in : 0);
  v->y = reserve(&at, buffers & SL_CONV_Y ? out : 0);
  v->r = reserve(&at, buffers & SL_CONV_R ? out : 0);
  v->more = reserve(&at, more);
  if (v->way[SL_DNNL_WGRAD].whole) {
    const size_t dw = sl_dnnl_weight_bytes(v->way[SL_DNNL_WGRAD].whole);
    v->dw = reserve(&at, dw);
    v->dw_chunk = reserve(&at, dw);
  }
  v->worker_bytes = at;
}

static sl_status lay_out(sl_conv *v, int dw_adds) {
  size_t at = 0, weight[3] = {0}, last_weight[3] = {0}, plain = 0;
  for (int i = 0; i < 3; i++) {
    const sl_conv_way *way = &v->way[i];
    if (!way->whole) continue;
    const size_t bytes = sl_dnnl_weight_bytes(way->whole);
    weight[i] = reserve(&at, i == SL_DNNL_WGRAD ? 0 : bytes);
    last_weight[i] = weight[i];
    if (way->apart)
      last_weight[i] = reserve(&at, sl_dnnl_weight_bytes(way->last));
    if (i == SL_DNNL_WGRAD && (dw_adds || way->apart))
      plain = (size_t)(v->o * v->row_weights) * sizeof(float);
  }
  const size_t plain_at = reserve(&at, plain);
  v->first_worker = at;
  v->bytes = at + (size_t)v->n_workers * v->worker_bytes;
  v->memory = sl_cpu_alloc(v->bytes);
  SL_REQUIRE(v->memory, SL_ENOMEM,
             "no memory for a convolution's %zu bytes of scratch", v->bytes);
  for (int i = 0; i < 3; i++) {
    v->way[i].weight = v->memory + weight[i];
    v->way[i].last_weight = v->memory + last_weight[i];
  }
  v->dw_plain = (float *)(void *)(v->memory + plain_at);
  return SL_OK;
}

static sl_status plan(sl_conv *v, const sl_conv_geometry *g, unsigned kinds,
                      unsigned buffers, size_t more, int dw_adds) {
  const int product = is_product(g);
  *v = (sl_conv){.c = g->c,
                 .o = g->o,
                 .row_weights = g->kh * g->kw * g->c / g->groups,
                 .units = product ? g->n * g->h * g->w : g->n,
                 .in_rows = product ? 1 : g->h * g->w,
                 .out_rows = product ? 1 : g->oh * g->ow,
                 .n_workers = sl_pool_size()};
  v->chunk =
      chunk_units(v, kinds, product ? MIN_PIXELS : 1, product ? SL_LANES : 1);
  v->n_chunks = ceil_div(v->units, v->chunk);
  SL_TRY(get_ways(v, g, kinds));
  lay_out_worker(v, buffers, more);
  return lay_out(v, dw_adds);
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

/* dweight (+)= the packed gradient, this worker's parts of it. */
static void unpack(const sl_conv_worker *w, const sl_dnnl_conv *p,
                   const void *packed, float *dweight, int add) {
  const int64_t row = w->v->row_weights;
  float *to = add ? w->v->dw_plain : dweight;
  int64_t begin, end, first, after;
  sl_share(sl_dnnl_parts(p), 1, w->index, w->n, &begin, &end);
  for (int64_t i = begin; i < end; i++) {
    note(w->v, sl_dnnl_unpack(p, w->index, (int)i, packed, to, w->scratch));
    sl_dnnl_part(p, (int)i, &first, &after);
    if (add)
      add_to(dweight + first * row, to + first * row, (after - first) * row);
  }
}

void sl_conv_finish_wgrad(const sl_conv_worker *w, float *dweight, int add) {
  const sl_conv_way *way = &w->v->way[SL_DNNL_WGRAD];
  sl_pool_barrier();
  sum_workers(w);
  sl_pool_barrier();
  unpack(w, way->whole, worker_memory(w->v, 0) + w->v->dw, dweight, add);
  if (!way->apart) return;
  sl_pool_barrier();
  unpack(w, way->last, way->last_weight, dweight, 1);
}
