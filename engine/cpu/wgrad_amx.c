/* wgrad_amx.c -- see wgrad_amx.h: places, packing, and the walk over tiles.
 * The tiles themselves are in wgrad_amx_tile.h. */
#include "cpu/wgrad_amx.h"

#include <string.h>

#include "cpu/amx.h"
#include "cpu/wgrad_amx_tile.h"
#include "cpu/wgrad_pack.h"

enum { PANEL = SL_WGRAD_PANEL, TILE = 16, PLACE = 4 /* bytes of a channel */ };

/* Places that are summed up in registers at a time: a visit to dW costs as
 * much as some 100 of them, and 1024 of two panels still fit the second cache.
 */
enum { BLOCK = 1024 };

static int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
  return a > b ? a : b;
}

int sl_wgrad_amx_can(const sl_conv_geometry *g, sl_dtype type) {
  return type == SL_BF16 && g->stride[0] <= SL_WGRAD_MAX_STRIDE &&
         g->stride[1] <= SL_WGRAD_MAX_STRIDE && sl_amx_usable();
}

int sl_wgrad_amx_width(const sl_conv_geometry *g) {
  return g->c > TILE ? 2 * TILE : TILE;
}

/* --- places --------------------------------------------------------------- */

/* One point of the kernel along an axis: which of the stride's remainders it
 * meets, and how many places of a plane it is away. */
typedef struct point {
  int64_t phase, shift;
} point;

static point point_of(const sl_conv_geometry *g, int axis, int64_t k) {
  const int64_t s = g->stride[axis];
  const int64_t at = k * g->dilation[axis] - g->padding[axis];
  const int64_t shift = at >= 0 ? at / s : -((-at + s - 1) / s);
  return (point){at - shift * s, shift};
}

/* Pixels of X along an axis (`size` in all) that have that remainder. */
static int64_t in_phase(int64_t size, int64_t stride, int64_t phase) {
  return size > phase ? (size - phase + stride - 1) / stride : 0;
}

/* What an axis needs: how far points reach before the first pixel and behind
 * the last, and the places from one line to the next. */
typedef struct axis {
  int64_t before, behind, places;
} axis;

static axis axis_of(const sl_conv_geometry *g, int i) {
  const int64_t kernel = i ? g->kw : g->kh, size = i ? g->w : g->h;
  const int64_t out = i ? g->ow : g->oh;
  axis a = {0, 0, out};
  for (int64_t k = 0; k < kernel; k++) {
    const point p = point_of(g, i, k);
    a.before = most(a.before, -p.shift);
    a.behind =
        most(a.behind, out + p.shift - in_phase(size, g->stride[i], p.phase));
  }
  for (int64_t k = 0; k < kernel; k++) {
    const int64_t n = in_phase(size, g->stride[i], point_of(g, i, k).phase);
    a.places = most(a.places, n + most(a.before, a.behind));
  }
  return a;
}

void sl_wgrad_amx_lay_out(sl_wgrad *w) {
  const sl_conv_geometry *g = &w->g;
  sl_wgrad_places *at = &w->places;
  memset(at->plane, -1, sizeof at->plane);
  if (w->product) {
    *at = (sl_wgrad_places){.row = 1, .step = 1, .planes = 1};
    return;
  }
  const axis h = axis_of(g, 0), v = axis_of(g, 1);
  at->row = v.places;
  at->step = h.places * v.places;
  at->head = h.before * at->row + v.before;
  for (int64_t i = 0; i < g->kh; i++)
    for (int64_t j = 0; j < g->kw; j++) {
      const point a = point_of(g, 0, i), b = point_of(g, 1, j);
      at->reach = most(at->reach, a.shift * at->row + b.shift);
      signed char *plane = &at->plane[a.phase][b.phase];
      if (*plane < 0) *plane = (signed char)at->planes++;
    }
}

/* Places of a panel of dY: whole tiles. */
static int64_t y_places(const sl_wgrad *w, int64_t units) {
  return round_up((units + 1) / 2 * w->places.step, TILE);
}

/* Of a plane of X. */
static int64_t x_places(const sl_wgrad *w, int64_t units) {
  return w->places.head + y_places(w, units) + w->places.reach;
}

/* Elements from one panel to the next. */
static int64_t y_stride(const sl_wgrad *w, int64_t units) {
  return 2 * y_places(w, units) * PANEL + SL_WGRAD_GAP;
}

static int64_t x_stride(const sl_wgrad *w, int64_t units) {
  return 2 * x_places(w, units) * w->places.planes * w->width + SL_WGRAD_GAP;
}

size_t sl_wgrad_amx_x_bytes(const sl_wgrad *w, int64_t units) {
  return (size_t)(w->x_c / w->width * x_stride(w, units)) * sizeof(sl_bf16);
}

size_t sl_wgrad_amx_y_bytes(const sl_wgrad *w, int64_t units) {
  return (size_t)(w->o / PANEL * y_stride(w, units)) * sizeof(sl_bf16);
}

/* --- packing -------------------------------------------------------------- */

/* Lines of pixels of a pair of images, and the places they go to. */
typedef struct lines {
  const sl_bf16 *a, *b;  /* their first pixels; b NULL: there is one image */
  int64_t line, pixel;   /* elements from one to the next */
  int64_t n, pixels;     /* lines, and what each has */
  int64_t at, row, step; /* the first place; from line to line; all of them */
} lines;

static void pack_lines(const sl_packing *p, const lines *l) {
  for (int64_t i = 0; i < l->n; i++) {
    const int64_t at = l->at + i * l->row, from = i * l->line;
    sl_pack_pairs(p, at, l->a + from, l->b ? l->b + from : NULL, l->pixel,
                  l->pixels);
    sl_pack_zeros(p, at + l->pixels, l->row - l->pixels);
  }
  sl_pack_zeros(p, l->at + l->n * l->row, l->step - l->n * l->row);
}

/* One plane: the pixels from (h, v) on. */
static void pack_plane(const sl_wgrad *w, const sl_packing *p, int64_t base,
                       int64_t pair, const sl_bf16 *a, const sl_bf16 *b,
                       int64_t h, int64_t v) {
  const sl_conv_geometry *g = &w->g;
  const int64_t first = (h * g->w + v) * g->c;
  const lines l = {.a = a + first,
                   .b = b ? b + first : NULL,
                   .line = g->stride[0] * g->w * g->c,
                   .pixel = g->stride[1] * g->c,
                   .n = in_phase(g->h, g->stride[0], h),
                   .pixels = in_phase(g->w, g->stride[1], v),
                   .at = base + w->places.head + pair * w->places.step,
                   .row = w->places.row,
                   .step = w->places.step};
  pack_lines(p, &l);
}

static void pack_planes(const sl_wgrad *w, const sl_packing *p, int64_t places,
                        int64_t pair, const sl_bf16 *a, const sl_bf16 *b) {
  for (int64_t h = 0; h < w->g.stride[0]; h++)
    for (int64_t v = 0; v < w->g.stride[1]; v++) {
      const int plane = w->places.plane[h][v];
      if (plane >= 0) pack_plane(w, p, plane * places, pair, a, b, h, v);
    }
}

/* What is before the first unit of each plane and behind the last. */
static void pack_ends(const sl_packing *p, int64_t planes, int64_t places,
                      int64_t head, int64_t used, int at_first, int at_last) {
  for (int64_t i = 0; i < planes; i++) {
    if (at_first) sl_pack_zeros(p, i * places, head);
    if (at_last)
      sl_pack_zeros(p, i * places + head + used, places - head - used);
  }
}

void sl_wgrad_amx_pack_x(const sl_wgrad *w, void *panels, int64_t all,
                         int64_t first, int64_t n, const sl_lazy_rows *x) {
  const sl_packing p = {panels,   x_stride(w, all), w->g.c,   w->x_c,
                        w->width, x->scale,         x->shift, x->relu};
  const int64_t places = x_places(w, all), unit = w->x_rows * w->g.c;
  const sl_bf16 *from = x->rows;
  pack_ends(&p, w->places.planes, places, w->places.head,
            (all + 1) / 2 * w->places.step, first == 0, first + n == all);
  if (w->product) {
    sl_pack_adjacent(&p, first, n, from);
    return;
  }
  for (int64_t i = 0; i < n; i += 2) {
    const sl_bf16 *a = from + i * unit;
    pack_planes(w, &p, places, (first + i) / 2, a, i + 1 < n ? a + unit : NULL);
  }
}

void sl_wgrad_amx_pack_y(const sl_wgrad *w, void *panels, int64_t all,
                         int64_t first, int64_t n, const void *dy) {
  const sl_conv_geometry *g = &w->g;
  const sl_packing p = {.to = panels,
                        .stride = y_stride(w, all),
                        .c = g->o,
                        .c_padded = w->o,
                        .width = PANEL};
  const int64_t unit = w->y_rows * g->o;
  const sl_bf16 *from = dy;
  pack_ends(&p, 1, y_places(w, all), 0, (all + 1) / 2 * w->places.step, 0,
            first + n == all);
  if (w->product) {
    sl_pack_adjacent(&p, first, n, from);
    return;
  }
  for (int64_t i = 0; i < n; i += 2) {
    const sl_bf16 *a = from + i * unit;
    const lines l = {.a = a,
                     .b = i + 1 < n ? a + unit : NULL,
                     .line = g->ow * g->o,
                     .pixel = g->o,
                     .n = g->oh,
                     .pixels = g->ow,
                     .at = (first + i) / 2 * w->places.step,
                     .row = w->places.row,
                     .step = w->places.step};
    pack_lines(&p, &l);
  }
}

/* --- the product ---------------------------------------------------------- */

/* What one call of sl_wgrad_amx_add does. */
typedef struct job {
  const sl_wgrad *w;
  const char *x, *dy;
  int64_t x_panel, y_panel; /* bytes */
  int64_t plane;            /* places */
  int64_t begin, end;       /* panels of dY */
  float *dw;
} job;

/* Where a tap finds the pixel of the first place, in places of a panel of X. */
static int64_t start_of(const job *j, int64_t tap) {
  const sl_conv_geometry *g = &j->w->g;
  const sl_wgrad_places *at = &j->w->places;
  if (j->w->product) return 0;
  const point h = point_of(g, 0, tap / g->kw), v = point_of(g, 1, tap % g->kw);
  return at->plane[h.phase][v.phase] * j->plane + at->head + h.shift * at->row +
         v.shift;
}

/* All pairs of panels that meet, for a tap over `len` places. */
static void add_panels(const job *j, int64_t place, int64_t len, int64_t tap,
                       int add) {
  const sl_wgrad *w = j->w;
  const int64_t begin = start_of(j, tap) + place;
  sl_wgrad_amx_tile t = {.len = len / TILE,
                         .x_row = w->width * PLACE,
                         .y_panel = j->y_panel,
                         .row = w->taps * w->c,
                         .width = w->width,
                         .add = add};
  for (int64_t ib = 0; ib < w->c / w->width; ib++)
    for (int64_t ob = j->begin; ob < j->end; ob += t.panels) {
      const int64_t panel = sl_wgrad_first_x_panel(w, ob);
      t.panels =
          ob + 1 < j->end && panel == sl_wgrad_first_x_panel(w, ob + 1) ? 2 : 1;
      t.x = j->x + (panel + ib) * j->x_panel + begin * t.x_row;
      t.dy = j->dy + ob * j->y_panel + place * PANEL * PLACE;
      t.dw =
          j->dw + (ob - j->begin) * PANEL * t.row + tap * w->c + ib * w->width;
      sl_wgrad_amx_panels(&t);
    }
}

void sl_wgrad_amx_add(const sl_wgrad *w, const void *x, void *dy, int64_t all,
                      int64_t begin, int64_t end, float *dw, int add) {
  const int64_t places = y_places(w, all);
  const job j = {.w = w,
                 .x = x,
                 .dy = dy,
                 .x_panel = x_stride(w, all) * (int64_t)sizeof(sl_bf16),
                 .y_panel = y_stride(w, all) * (int64_t)sizeof(sl_bf16),
                 .plane = x_places(w, all),
                 .begin = begin / PANEL,
                 .end = (end + PANEL - 1) / PANEL,
                 .dw = dw};
  for (int64_t ob = j.begin; ob < j.end; ob++)
    sl_wgrad_amx_transpose((char *)dy + ob * j.y_panel, places / TILE);
  sl_amx_begin();
  for (int64_t p = 0; p < places; p += BLOCK, add = 1)
    for (int64_t tap = 0; tap < w->taps; tap++)
      add_panels(&j, p, least(BLOCK, places - p), tap, add);
  sl_amx_end();
}
