/* conv_amx.c -- see conv_amx.h: places, packing, and the walk over blocks. The
 * blocks themselves are in conv_amx_tile.h. */
#include "cpu/conv_amx.h"

#include <string.h>

#include "base/threads.h"
#include "cpu/amx.h"
#include "cpu/conv_amx_tile.h"

enum { BLOCK = SL_AMX_BLOCK, LINE = 64 /* bytes of a block of channels */ };

/* Of a weight that is larger each block of channels goes over all places, so
 * that it is read once; else each block of places over all channels. */
enum { RESIDENT_BYTES = 1 << 20 };

/* Pixels of a product that are packed at a time: their rows stay in the first
 * cache while their blocks of channels are gone through. */
enum { PACKED_PIXELS = 32 };

static int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
  return a > b ? a : b;
}

int sl_conv_amx_can(const sl_conv_geometry *g, sl_dtype type) {
  enum { LEAST = 16 }; /* channels: tiles of less are mostly zeros */
  return type == SL_BF16 && g->groups == 1 && g->c >= LEAST && g->o >= LEAST &&
         g->kh * g->kw <= SL_AMX_TAPS && g->stride[0] <= SL_AMX_STRIDES &&
         g->stride[1] <= SL_AMX_STRIDES && sl_amx_usable();
}

/* --- places --------------------------------------------------------------- */

/* A point of the kernel along an axis: the remainder of x's coordinates that
 * it meets, how far the input's pixel is from the output's place, and how many
 * pixels input and output have in their planes. */
typedef struct point {
  int64_t phase, shift, in, out;
} point;

static int64_t in_phase(int64_t size, int64_t stride, int64_t phase) {
  return size > phase ? (size - phase + stride - 1) / stride : 0;
}

static point point_of(const sl_conv_amx *v, int axis, int64_t k) {
  const sl_conv_geometry *g = &v->g;
  const int64_t s = g->stride[axis], x = axis ? g->w : g->h;
  const int64_t y = axis ? g->ow : g->oh;
  const int64_t at = k * g->dilation[axis] - g->padding[axis];
  const int64_t shift = at >= 0 ? at / s : -((-at + s - 1) / s);
  const int64_t phase = at - shift * s, n = in_phase(x, s, phase);
  if (v->back) return (point){phase, -shift, y, n};
  return (point){phase, shift, n, y};
}

/* How far points reach before the first pixel; places of a line. */
typedef struct axis {
  int64_t before, places;
} axis;

static axis axis_of(const sl_conv_amx *v, int i) {
  const int64_t kernel = i ? v->g.kw : v->g.kh;
  int64_t before = 0, behind = 0, in = 0, places = 0;
  for (int64_t k = 0; k < kernel; k++) {
    const point p = point_of(v, i, k);
    before = most(before, -p.shift);
    behind = most(behind, p.out + p.shift - p.in);
    in = most(in, p.in);
    places = most(places, p.out);
  }
  return (axis){before, most(places, in + most(before, behind))};
}

/* The number of a plane, which is a new one if it has not been met. */
static int plane_of(int64_t phase[][2], int *n, int64_t h, int64_t v) {
  for (int i = 0; i < *n; i++)
    if (phase[i][0] == h && phase[i][1] == v) return i;
  phase[*n][0] = h;
  phase[*n][1] = v;
  return (*n)++;
}

static void add_tap(sl_conv_amx *v, int64_t i, int64_t j) {
  const point h = point_of(v, 0, i), w = point_of(v, 1, j);
  sl_conv_amx_tap t = {.point = (int)(i * v->g.kw + j),
                       .shift = h.shift * v->row + w.shift};
  if (v->back)
    t.out_plane = plane_of(v->out_phase, &v->out_planes, h.phase, w.phase);
  else
    t.in_plane = plane_of(v->in_phase, &v->in_planes, h.phase, w.phase);
  v->reach = most(v->reach, t.shift);
  int at = v->taps++; /* behind those of its plane */
  for (; at > 0 && v->tap[at - 1].out_plane > t.out_plane; at--)
    v->tap[at] = v->tap[at - 1];
  v->tap[at] = t;
}

/* The planes of x that no point meets: their gradient is zero. */
static void add_empty_planes(sl_conv_amx *v) {
  for (int64_t h = 0; v->back && h < v->g.stride[0]; h++)
    for (int64_t w = 0; w < v->g.stride[1]; w++)
      plane_of(v->out_phase, &v->out_planes, h, w);
}

sl_conv_amx sl_conv_amx_new(const sl_conv_geometry *g, int back, int product) {
  sl_conv_amx v = {.g = *g,
                   .back = back,
                   .product = product,
                   .in = back ? g->o : g->c,
                   .out = back ? g->c : g->o,
                   .row = 1,
                   .step = 1,
                   .in_planes = back || product,
                   .out_planes = !back || product};
  if (product) {
    v.taps = 1;
    return v;
  }
  const axis h = axis_of(&v, 0), w = axis_of(&v, 1);
  v.row = w.places;
  v.step = h.places * w.places;
  v.head = h.before * v.row + w.before;
  for (int64_t i = 0; i < g->kh; i++)
    for (int64_t j = 0; j < g->kw; j++)
      add_tap(&v, i, j);
  add_empty_planes(&v);
  return v;
}

static int64_t blocks(int64_t channels) {
  return (channels + BLOCK - 1) / BLOCK;
}

static int64_t out_places(const sl_conv_amx *v, int64_t units) {
  return round_up(units * v->step, BLOCK);
}

/* Of a plane of the input. */
static int64_t in_places(const sl_conv_amx *v, int64_t units) {
  return v->head + out_places(v, units) + v->reach;
}

/* Bytes from one panel to the next: not to the same cache sets. */
static int64_t panel_bytes(const sl_conv_amx *v, int64_t units) {
  return (v->in_planes * in_places(v, units) + 1) * LINE;
}

/* --- the weight ----------------------------------------------------------- */

/* Bytes for a block of output channels. */
static int64_t block_bytes(const sl_conv_amx *v) {
  return blocks(v->in) * v->taps * SL_AMX_WEIGHT_BYTES;
}

size_t sl_conv_amx_weight_bytes(const sl_conv_amx *v) {
  return (size_t)(blocks(v->out) * block_bytes(v));
}

void sl_conv_amx_pack(const sl_conv_amx *v, const float *weight, char *packed,
                      int worker, int n) {
  const int64_t points = v->g.kh * v->g.kw, c = v->g.c, o = v->g.o;
  int64_t begin, end;
  sl_share(blocks(v->out), 1, worker, n, &begin, &end);
  char *to = packed + begin * block_bytes(v);
  for (int64_t b = begin * BLOCK; b < end * BLOCK; b += BLOCK)
    for (int64_t a = 0; a < v->in; a += BLOCK)
      for (int t = 0; t < v->taps; t++, to += SL_AMX_WEIGHT_BYTES) {
        const int64_t first_o = v->back ? a : b, first_c = v->back ? b : a;
        const sl_amx_weight w = {
            .from = weight + (first_o * points + v->tap[t].point) * c + first_c,
            .row = points * c,
            .o = (int)least(BLOCK, o - first_o),
            .c = (int)least(BLOCK, c - first_c),
            .pairs_of_o = v->back};
        sl_amx_pack_weight(&w, to);
      }
}

/* --- a worker's memory ---------------------------------------------------- */

typedef struct room {
  int32_t *table; /* of a plane's places: the output's row, or -1 */
  float *sums;
  char *panels;
} room;

static size_t table_bytes(const sl_conv_amx *v, int64_t units) {
  return (size_t)round_up(out_places(v, units) * (int64_t)sizeof(int32_t),
                          LINE);
}

static size_t sums_bytes(void) {
  return 2 * BLOCK * BLOCK * sizeof(float); /* of two blocks */
}

size_t sl_conv_amx_scratch_bytes(const sl_conv_amx *v, int64_t units) {
  return table_bytes(v, units) + sums_bytes() +
         (size_t)(blocks(v->in) * panel_bytes(v, units));
}

static room room_of(const sl_conv_amx *v, int64_t units, char *scratch) {
  char *sums = scratch + table_bytes(v, units);
  return (room){(int32_t *)(void *)scratch, (float *)(void *)sums,
                sums + sums_bytes()};
}

/* --- the input ------------------------------------------------------------ */

/* Zeros for n places of all panels. */
static void clear_places(const sl_conv_amx *v, char *to, int64_t panel,
                         int64_t n) {
  for (int64_t i = 0; n > 0 && i < blocks(v->in); i++)
    memset(to + i * panel, 0, (size_t)(n * LINE));
}

/* Rows of a plain product. */
static void pack_pixels(const sl_conv_amx *v, const sl_lazy_rows *in,
                        int64_t first, int64_t units, char *to, int64_t panel) {
  for (int64_t i = 0; i < units; i += PACKED_PIXELS) {
    const sl_amx_line l = {.from =
                               (const sl_bf16 *)in->rows + (first + i) * v->in,
                           .n = least(PACKED_PIXELS, units - i),
                           .pixel = v->in,
                           .c = v->in,
                           .scale = in->scale,
                           .shift = in->shift,
                           .relu = in->relu};
    sl_amx_pack_line(&l, to + i * LINE, panel);
  }
  clear_places(v, to + units * LINE, panel, round_up(units, BLOCK) - units);
}

/* The pixels of one image in one plane; to: its first place. */
static void pack_plane(const sl_conv_amx *v, const sl_lazy_rows *in,
                       const int64_t phase[2], const sl_bf16 *image, char *to,
                       int64_t panel) {
  const sl_conv_geometry *g = &v->g;
  const int64_t sh = v->back ? 1 : g->stride[0],
                sw = v->back ? 1 : g->stride[1];
  const int64_t height = v->back ? g->oh : g->h, width = v->back ? g->ow : g->w;
  const int64_t lines = in_phase(height, sh, phase[0]);
  const int64_t pixels = in_phase(width, sw, phase[1]);
  for (int64_t i = 0; i < lines; i++, to += v->row * LINE) {
    const int64_t pixel = (phase[0] + i * sh) * width + phase[1];
    const sl_amx_line l = {.from = image + pixel * v->in,
                           .n = pixels,
                           .pixel = sw * v->in,
                           .c = v->in,
                           .scale = in->scale,
                           .shift = in->shift,
                           .relu = in->relu};
    sl_amx_pack_line(&l, to, panel);
    clear_places(v, to + pixels * LINE, panel, v->row - pixels);
  }
  clear_places(v, to, panel, v->step - lines * v->row);
}

static void pack_images(const sl_conv_amx *v, const sl_lazy_rows *in,
                        int64_t units, char *to, int64_t panel) {
  const int64_t image = v->in * (v->back ? v->g.oh * v->g.ow : v->g.h * v->g.w);
  const int64_t places = in_places(v, units), used = units * v->step;
  for (int p = 0; p < v->in_planes; p++, to += places * LINE) {
    clear_places(v, to, panel, v->head);
    for (int64_t m = 0; m < units; m++)
      pack_plane(v, in, v->in_phase[p], (const sl_bf16 *)in->rows + m * image,
                 to + (v->head + m * v->step) * LINE, panel);
    clear_places(v, to + (v->head + used) * LINE, panel,
                 places - v->head - used);
  }
}

/* --- the product ---------------------------------------------------------- */

/* What one call does, for one plane of the output. */
typedef struct job {
  const sl_conv_amx *v;
  const char *a; /* the input's panels, or its rows */
  int64_t a_place, a_panel;
  int64_t first, places;    /* of the output, counted from a's first one */
  int64_t tap[SL_AMX_TAPS]; /* bytes */
  int taps;
  const char *weight; /* of the plane's first tap */
  sl_amx_out to;
  const float *bias;
  sl_bf16 *rows;
  const int32_t *table; /* NULL: places are rows */
  float *sums;
} job;

/* A block that has been multiplied, on its way out while the next one is. */
typedef struct pending {
  sl_amx_out to;
  int turn; /* which half of the sums */
} pending;

static float *sums_of(const job *j, int turn) {
  return j->sums + turn * BLOCK * BLOCK;
}

/* 32 places by 32 channels. */
static void run_block(const job *j, int64_t place, int64_t block,
                      pending *before) {
  const sl_conv_amx *v = j->v;
  const int64_t c = block * BLOCK, first = j->first + place;
  const sl_amx_block b = {.a = j->a + place * j->a_place,
                          .place = j->a_place,
                          .panel = j->a_panel,
                          .tap = j->tap,
                          .taps = j->taps,
                          .panels = blocks(v->in),
                          .weight = j->weight + block * block_bytes(v),
                          .skip = (v->taps - j->taps) * SL_AMX_WEIGHT_BYTES};
  sl_amx_multiply(&b, sums_of(j, !before->turn), &before->to,
                  sums_of(j, before->turn));
  before->turn = !before->turn;
  before->to = j->to;
  before->to.channels = (int)least(BLOCK, v->out - c);
  before->to.bias = j->bias ? j->bias + c : NULL;
  before->to.rows = j->rows + c + (j->table ? 0 : first * v->out);
  before->to.table = j->table ? j->table + first : NULL;
  before->to.n = (int)least(BLOCK, j->places - place);
}

static void run_places(const job *j) {
  const sl_conv_amx *v = j->v;
  const int64_t channels = blocks(v->out);
  pending before = {.to = {.n = 0}};
  sl_amx_begin();
  if (sl_conv_amx_weight_bytes(v) > RESIDENT_BYTES) {
    for (int64_t b = 0; b < channels; b++)
      for (int64_t p = 0; p < j->places; p += BLOCK)
        run_block(j, p, b, &before);
  } else {
    for (int64_t p = 0; p < j->places; p += BLOCK)
      for (int64_t b = 0; b < channels; b++)
        run_block(j, p, b, &before);
  }
  sl_amx_end();
  sl_amx_store(&before.to, sums_of(j, before.turn));
}

static job job_of(const sl_conv_amx *v, const char *packed,
                  const sl_conv_amx_out *out, const room *r) {
  return (job){.v = v,
               .weight = packed,
               .to = {.row = v->out, .relu = out->relu, .add = out->add},
               .bias = out->bias,
               .rows = out->rows,
               .sums = r->sums};
}

/* Rows where they lie, but for the last ones, behind which nothing may be
 * read; or packed. */
static void run_product(const sl_conv_amx *v, int64_t units,
                        const sl_lazy_rows *in, const char *packed,
                        const sl_conv_amx_out *out, const room *r) {
  const int direct = !in->scale && v->in % BLOCK == 0;
  const int64_t whole = direct ? units / BLOCK * BLOCK : 0;
  job j = job_of(v, packed, out, r);
  j.taps = 1;
  if (whole > 0) {
    j.a = in->rows;
    j.a_place = v->in * (int64_t)sizeof(sl_bf16);
    j.a_panel = LINE;
    j.places = whole;
    run_places(&j);
  }
  if (whole == units) return;
  const int64_t panel = panel_bytes(v, units - whole);
  pack_pixels(v, in, whole, units - whole, r->panels, panel);
  j.a = r->panels;
  j.a_place = LINE;
  j.a_panel = panel;
  j.first = whole;
  j.places = units - whole;
  run_places(&j);
}

/* The rows of a plane's places. */
static void list_rows(const sl_conv_amx *v, int64_t units,
                      const int64_t phase[2], int32_t *table) {
  const sl_conv_geometry *g = &v->g;
  const int64_t sh = v->back ? g->stride[0] : 1,
                sw = v->back ? g->stride[1] : 1;
  const int64_t height = v->back ? g->h : g->oh, width = v->back ? g->w : g->ow;
  const int64_t lines = in_phase(height, sh, phase[0]);
  const int64_t pixels = in_phase(width, sw, phase[1]);
  memset(table, -1, table_bytes(v, units));
  for (int64_t m = 0; m < units; m++)
    for (int64_t i = 0; i < lines; i++)
      for (int64_t k = 0; k < pixels; k++)
        table[m * v->step + i * v->row + k] =
            (int32_t)((m * height + phase[0] + i * sh) * width + phase[1] +
                      k * sw);
}

static void run_images(const sl_conv_amx *v, int64_t units,
                       const sl_lazy_rows *in, const char *packed,
                       const sl_conv_amx_out *out, const room *r) {
  const int64_t panel = panel_bytes(v, units), plane = in_places(v, units);
  pack_images(v, in, units, r->panels, panel);
  job j = job_of(v, packed, out, r);
  j.a = r->panels + v->head * LINE;
  j.a_place = LINE;
  j.a_panel = panel;
  j.places = out_places(v, units);
  j.table = r->table;
  for (int p = 0, t = 0; p < v->out_planes; p++) {
    j.weight = packed + t * SL_AMX_WEIGHT_BYTES;
    for (j.taps = 0; t < v->taps && v->tap[t].out_plane == p; t++)
      j.tap[j.taps++] = (v->tap[t].in_plane * plane + v->tap[t].shift) * LINE;
    list_rows(v, units, v->out_phase[p], r->table);
    run_places(&j);
  }
}

void sl_conv_amx_run(const sl_conv_amx *v, int64_t units,
                     const sl_lazy_rows *in, const char *packed,
                     const sl_conv_amx_out *out, char *scratch) {
  const room r = room_of(v, units, scratch);
  if (v->product)
    run_product(v, units, in, packed, out, &r);
  else
    run_images(v, units, in, packed, out, &r);
}
