/* conv_plan.c -- how a convolution is cut into chunks, which primitives that
 * takes, and where everything lies in memory. */
#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "cpu/conv.h"
#include "cpu/cpu.h"
#include "cpu/simd.h"

/* What a worker should have in flight: L3 is shared, and L2 suffices for no
 * layer's weight and activations together. */
enum { FORWARD_BYTES = 1 << 20, BACKWARD_BYTES = 3 << 19, MIN_PIXELS = 128 };

/* Above this the workers' copies of a weight gradient are too much memory. */
enum { COPIES_BYTES = 64 << 20 };

static int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

static int is_product(const sl_conv_geometry *g) {
  return g->kh == 1 && g->kw == 1 && g->stride[0] == 1 && g->stride[1] == 1 &&
         g->padding[0] == 0 && g->padding[1] == 0;
}

/* How many units' activations should be in flight. */
static int64_t wanted_units(const sl_conv *v, unsigned kinds) {
  const int backward = kinds != 1u << SL_DNNL_FORWARD;
  const int64_t unit = (v->c * v->in_rows + v->o * v->out_rows) *
                       (int64_t)sl_dtype_size(v->type);
  int64_t bytes = FORWARD_BYTES, dw = v->o * v->row_weights;
  if (backward) bytes = BACKWARD_BYTES / 2;
  if (kinds & 1u << SL_DNNL_WGRAD && !v->split &&
      !v->own) { /* each chunk costs a pass over dw */
    dw *= 2 * (int64_t)sizeof(float);
    if (dw > bytes) bytes = dw;
  }
  return bytes / unit;
}

/* A worker's share is cut into equal chunks: of about the wanted size, and so
 * that they add up to the share. What they exceed it by, others wait for. */
static int64_t chunk_units(const sl_conv *v, unsigned kinds, int64_t least,
                           int64_t grain) {
  int64_t wanted = wanted_units(v, kinds), best = 0;
  if (wanted < least) wanted = least;
  const int64_t share =
      ceil_div(ceil_div(v->units, v->n_workers), grain) * grain;
  double best_cost = 0;
  for (int64_t parts = 1; parts <= 2 * share / wanted + 1; parts++) {
    const int64_t chunk = ceil_div(ceil_div(share, parts), grain) * grain;
    const int64_t excess = ceil_div(share, chunk) * chunk - share;
    const double cost = fabs(log2((double)chunk / (double)wanted)) +
                        20.0 * (double)excess / (double)share;
    if (chunk < least || (best && cost >= best_cost)) continue;
    best = chunk;
    best_cost = cost;
  }
  if (best == 0) best = ceil_div(least, grain) * grain;
  return best < v->units ? best : v->units;
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

int64_t sl_conv_slice(const sl_conv *v, int i, int64_t *first) {
  int64_t end;
  sl_share(v->o, SL_LANES, i, v->n_workers, first, &end);
  return end - *first;
}

static sl_status get_slices(sl_conv *v) {
  for (int i = 0; i < v->n_workers; i++) {
    int64_t first;
    sl_conv_geometry part = of_units(&v->g, v->units);
    part.o = sl_conv_slice(v, i, &first);
    if (part.o > 0)
      SL_TRY(sl_dnnl_get(&v->slice[i], SL_DNNL_WGRAD, SL_DNNL_PLAIN, v->type,
                         &part));
  }
  return SL_OK;
}

static sl_status get_ways(sl_conv *v, unsigned kinds) {
  const sl_conv_geometry *g = &v->g;
  const int64_t rest = v->units - (v->n_chunks - 1) * v->chunk;
  const sl_conv_geometry whole = of_units(g, v->chunk),
                         last = of_units(g, rest);
  for (int i = 0; i < 3; i++) {
    if (!(kinds & 1u << i)) continue;
    if (i == SL_DNNL_WGRAD && (v->split || v->own)) continue;
    const sl_dnnl_kind kind = (sl_dnnl_kind)i;
    v->way[i].own = i != SL_DNNL_WGRAD && sl_conv_amx_can(g, v->type);
    if (v->way[i].own) {
      v->way[i].amx = sl_conv_amx_new(g, kind == SL_DNNL_DGRAD, is_product(g));
      continue;
    }
    const sl_dnnl_end end = kind == SL_DNNL_FORWARD ? v->end : SL_DNNL_PLAIN;
    SL_TRY(sl_dnnl_get(&v->way[i].whole, kind, end, v->type, &whole));
    SL_TRY(sl_dnnl_get(&v->way[i].last, kind, end, v->type, &last));
    v->way[i].apart = !sl_dnnl_same_weight(v->way[i].whole, v->way[i].last);
  }
  return v->split && !v->own ? get_slices(v) : SL_OK;
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

static size_t float_bytes(int64_t floats) {
  return (size_t)floats * sizeof(float);
}

static size_t act_bytes(const sl_conv *v, int64_t rows, int64_t channels) {
  return (size_t)(rows * channels) * sl_dtype_size(v->type);
}

/* Bytes of a worker's collected weight gradient. */
static size_t dw_bytes(const sl_conv *v, unsigned kinds) {
  const sl_dnnl_conv *whole = v->way[SL_DNNL_WGRAD].whole;
  size_t bytes = whole ? sl_dnnl_weight_bytes(whole) : 0;
  int64_t first;
  if (v->own && kinds & 1u << SL_DNNL_WGRAD)
    bytes = float_bytes(sl_wgrad_floats(
        &v->wgrad, v->split ? sl_conv_slice(v, 0, &first) : v->o));
  for (int i = 0; i < v->n_workers; i++)
    if (v->slice[i]) bytes = larger(bytes, sl_dnnl_weight_bytes(v->slice[i]));
  return bytes;
}

static void lay_out_own(sl_conv *v, size_t *at, unsigned kinds) {
  const int wanted = v->own && kinds & 1u << SL_DNNL_WGRAD;
  const int panels = wanted && !v->split;
  v->table = reserve(at, wanted ? sl_wgrad_table_bytes(&v->wgrad) : 0);
  v->x_panels = reserve(at, panels ? sl_wgrad_x_bytes(&v->wgrad, v->chunk) : 0);
  v->y_panels = reserve(at, panels ? sl_wgrad_y_bytes(&v->wgrad, v->chunk) : 0);
}

static size_t amx_bytes(const sl_conv *v) {
  size_t most = 0;
  for (int i = 0; i < 3; i++)
    if (v->way[i].own)
      most = larger(most, sl_conv_amx_scratch_bytes(&v->way[i].amx, v->chunk));
  return most;
}

static void lay_out_worker(sl_conv *v, unsigned kinds, unsigned buffers,
                           size_t more) {
  const size_t in = act_bytes(v, v->chunk * v->in_rows, v->c);
  const size_t out = act_bytes(v, v->chunk * v->out_rows, v->o);
  const int aside = v->split && !v->own; /* by chunks, unpacked */
  const size_t dw = dw_bytes(v, kinds);
  int64_t first;
  size_t at = 0;
  v->scratch = reserve(&at, scratch_bytes(v));
  v->x = reserve(&at, buffers & SL_CONV_X && !aside ? in : 0);
  v->dx = reserve(&at, buffers & SL_CONV_DX ? in : 0);
  v->y = at;
  if (aside)
    reserve(&at,
            act_bytes(v, v->units * v->out_rows, sl_conv_slice(v, 0, &first)));
  else if (buffers & SL_CONV_Y)
    reserve(&at, out);
  v->r = reserve(&at, buffers & SL_CONV_R ? out : 0);
  v->more = reserve(&at, more);
  v->dw = reserve(&at, dw);
  v->dw_chunk = reserve(&at, v->split || v->own ? 0 : dw);
  v->amx = reserve(&at, amx_bytes(v));
  lay_out_own(v, &at, kinds);
  v->worker_bytes = at;
}

/* Offsets of what workers share. */
typedef struct shared {
  size_t weight[3], last_weight[3], plain, x_all, dy_all;
} shared;

/* Where chunks of a split gradient put x and dy aside. */
static void lay_out_aside(const sl_conv *v, unsigned buffers, size_t *at,
                          shared *s) {
  size_t x = 0, dy = 0;
  if (v->split && v->own) {
    x = sl_wgrad_x_bytes(&v->wgrad, v->units);
    dy = sl_wgrad_y_bytes(&v->wgrad, v->units);
  } else if (v->split) {
    if (buffers & SL_CONV_X) x = act_bytes(v, v->units * v->in_rows, v->c);
    if (buffers & SL_CONV_Y) dy = act_bytes(v, v->units * v->out_rows, v->o);
  }
  s->x_all = reserve(at, x);
  s->dy_all = reserve(at, dy);
}

static size_t lay_out_shared(const sl_conv *v, unsigned buffers, int dw_adds,
                             shared *s) {
  size_t at = 0;
  for (int i = 0; i < 3; i++) {
    const sl_conv_way *way = &v->way[i];
    if (way->own)
      s->weight[i] = reserve(&at, sl_conv_amx_weight_bytes(&way->amx));
    if (!way->whole) continue;
    const int packed = i != SL_DNNL_WGRAD;
    s->weight[i] = reserve(&at, packed ? sl_dnnl_weight_bytes(way->whole) : 0);
    s->last_weight[i] = s->weight[i];
    if (way->apart)
      s->last_weight[i] = reserve(&at, sl_dnnl_weight_bytes(way->last));
  }
  const int plain = !v->own && (dw_adds || v->way[SL_DNNL_WGRAD].apart);
  s->plain = reserve(&at, plain ? float_bytes(v->o * v->row_weights) : 0);
  lay_out_aside(v, buffers, &at, s);
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
  v->x_all = v->memory + s.x_all;
  v->dy_all = v->memory + s.dy_all;
  return SL_OK;
}

/* How many units a chunk has at least, and a multiple of what. bf16 works on
 * pairs of units. */
static int64_t unit_grain(const sl_conv *v, int product) {
  if (product) return SL_LANES;
  return v->type == SL_BF16 ? 2 : 1;
}

static sl_status plan(sl_conv *v, sl_dtype type, const sl_conv_geometry *g,
                      unsigned kinds, sl_dnnl_end end, unsigned buffers,
                      size_t more, int dw_adds) {
  const int product = is_product(g);
  *v = (sl_conv){.c = g->c,
                 .o = g->o,
                 .g = *g,
                 .type = type,
                 .end = end,
                 .row_weights = g->kh * g->kw * g->c / g->groups,
                 .units = product ? g->n * g->h * g->w : g->n,
                 .in_rows = product ? 1 : g->h * g->w,
                 .out_rows = product ? 1 : g->oh * g->ow,
                 .n_workers = sl_pool_size()};
  const int64_t grain = unit_grain(v, product);
  v->own = sl_wgrad_can(g, type);
  v->wgrad = sl_wgrad_new(g, type, product);
  v->split = want_split(v, kinds);
  v->chunk = chunk_units(v, kinds, product ? MIN_PIXELS : grain, grain);
  v->n_chunks = ceil_div(v->units, v->chunk);
  SL_TRY(get_ways(v, kinds));
  lay_out_worker(v, kinds, buffers, more);
  return lay_out(v, buffers, dw_adds);
}

sl_status sl_conv_plan(sl_conv *v, sl_dtype type, const sl_conv_geometry *g,
                       unsigned kinds, sl_dnnl_end end, unsigned buffers,
                       size_t more, int dw_adds) {
  const sl_status status = plan(v, type, g, kinds, end, buffers, more, dw_adds);
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
