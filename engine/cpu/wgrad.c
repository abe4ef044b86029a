/* wgrad.c -- see wgrad.h: packing, and the walk over panels. The inner loops
 * are in wgrad_tile.h. */
#include "cpu/wgrad.h"

#include <string.h>

#include "cpu/wgrad_amx.h"
#include "cpu/wgrad_pack.h"
#include "cpu/wgrad_tile.h"

enum { PANEL = SL_WGRAD_PANEL };

/* Pixels (or pairs) that are summed up in registers at a time: more where dW
 * is large and each visit to it costs. */
enum { SMALL_BLOCK = 512, LARGE_BLOCK = 1024, LARGE_WEIGHTS = 300000 };

static int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

/* Input and output channels of a group. */
static int64_t group_c(const sl_conv_geometry *g) {
  return g->c / g->groups;
}

static int64_t group_o(const sl_conv_geometry *g) {
  return g->o / g->groups;
}

/* Groups that share panels: as many in as out, and panels begin with one. */
static int groups_share(const sl_conv_geometry *g) {
  return g->groups > 1 && group_c(g) < PANEL;
}

/* Of very small groups too little of a product is of use. */
static int fits_groups(const sl_conv_geometry *g) {
  enum { LEAST = 4 };
  const int64_t c = group_c(g), o = group_o(g);
  if (g->groups == 1) return 1;
  if (c % PANEL == 0) return o % PANEL == 0;
  return c == o && c >= LEAST && PANEL % c == 0;
}

int sl_wgrad_can(const sl_conv_geometry *g, sl_dtype type) {
  return fits_groups(g) && sl_wgrad_supported(type);
}

/* The widest panels among those that waste the least. */
static int width_for(int64_t c) {
  int best = 64;
  for (int w = 32; w >= 16; w /= 2)
    if (round_up(c, w) < round_up(c, best)) best = w;
  return best;
}

sl_wgrad sl_wgrad_new(const sl_conv_geometry *g, sl_dtype type, int product) {
  const int amx = sl_wgrad_amx_can(g, type);
  int width = PANEL;
  if (g->groups == 1) width = amx ? sl_wgrad_amx_width(g) : width_for(g->c);
  const int64_t x_c = round_up(g->c, width);
  sl_wgrad w = {
      .g = *g,
      .type = type,
      .product = product,
      .pair = type == SL_BF16 ? 2 : 1,
      .width = width,
      .x_c = x_c,
      .c = g->groups == 1    ? x_c
           : groups_share(g) ? PANEL
                             : group_c(g),
      .o = round_up(g->o, PANEL),
      .taps = g->kh * g->kw,
      .x_rows = product ? 1 : g->h * g->w,
      .y_rows = product ? 1 : g->oh * g->ow,
      .amx = amx,
  };
  if (amx) sl_wgrad_amx_lay_out(&w);
  return w;
}

/* Elements of one panel. */
static int64_t stride_of(const sl_wgrad *w, int64_t units, int64_t rows,
                         int width) {
  return round_up(units, w->pair) * rows * width + SL_WGRAD_GAP;
}

static int64_t x_stride(const sl_wgrad *w, int64_t units) {
  return stride_of(w, units, w->x_rows, w->width);
}

static int64_t y_stride(const sl_wgrad *w, int64_t units) {
  return stride_of(w, units, w->y_rows, PANEL);
}

size_t sl_wgrad_x_bytes(const sl_wgrad *w, int64_t units) {
  if (w->amx) return sl_wgrad_amx_x_bytes(w, units);
  return (size_t)(w->x_c / w->width * x_stride(w, units)) *
         sl_dtype_size(w->type);
}

size_t sl_wgrad_y_bytes(const sl_wgrad *w, int64_t units) {
  if (w->amx) return sl_wgrad_amx_y_bytes(w, units);
  return (size_t)(w->o / PANEL * y_stride(w, units)) * sl_dtype_size(w->type);
}

int64_t sl_wgrad_floats(const sl_wgrad *w, int64_t channels) {
  return round_up(channels, PANEL) * w->taps * w->c;
}

static int64_t block_of(const sl_wgrad *w) {
  return w->o * w->taps * w->c > LARGE_WEIGHTS ? LARGE_BLOCK : SMALL_BLOCK;
}

size_t sl_wgrad_table_bytes(const sl_wgrad *w) {
  const int64_t row = w->g.ow, block = block_of(w);
  return (size_t)(row > block ? row : block) * 2 * sizeof(int32_t);
}

int64_t sl_wgrad_column(const sl_wgrad *w, int64_t o) {
  return groups_share(&w->g) ? o % PANEL / group_o(&w->g) * group_c(&w->g) : 0;
}

/* --- packing -------------------------------------------------------------- */

/* bf16: units two by two, each of `rows` rows. */
static void pack_units(const sl_packing *p, int64_t first, int64_t n,
                       int64_t rows, const sl_bf16 *from) {
  const int64_t unit = rows * p->c;
  for (int64_t i = 0; i < n; i += 2) {
    const sl_bf16 *a = from + i * unit;
    sl_pack_pairs(p, (first + i) / 2 * rows, a, i + 1 < n ? a + unit : NULL,
                  p->c, rows);
  }
}

static void pack(const sl_wgrad *w, const sl_packing *p, int64_t rows,
                 int64_t first, int64_t n, const void *from) {
  if (w->type == SL_F32) {
    sl_pack_singles(p, first * rows, from, n * rows);
  } else if (w->product) {
    sl_pack_adjacent(p, first, n, from);
  } else {
    pack_units(p, first, n, rows, from);
  }
}

void sl_wgrad_pack_x(const sl_wgrad *w, void *panels, int64_t all,
                     int64_t first, int64_t n, const sl_lazy_rows *x) {
  if (w->amx) {
    sl_wgrad_amx_pack_x(w, panels, all, first, n, x);
    return;
  }
  const sl_packing p = {panels,   x_stride(w, all), w->g.c,   w->x_c,
                        w->width, x->scale,         x->shift, x->relu};
  pack(w, &p, w->x_rows, first, n, x->rows);
}

void sl_wgrad_pack_y(const sl_wgrad *w, void *panels, int64_t all,
                     int64_t first, int64_t n, const void *dy) {
  if (w->amx) {
    sl_wgrad_amx_pack_y(w, panels, all, first, n, dy);
    return;
  }
  const sl_packing p = {.to = panels,
                        .stride = y_stride(w, all),
                        .c = w->g.o,
                        .c_padded = w->o,
                        .width = PANEL};
  pack(w, &p, w->y_rows, first, n, dy);
}

/* --- the product ---------------------------------------------------------- */

/* What one call of sl_wgrad_add does. */
typedef struct job {
  const sl_wgrad *w;
  const char *x, *dy;
  int64_t x_panel, y_panel; /* bytes */
  int64_t begin, end;       /* panels of dY */
  float *dw;
  int32_t *table;
} job;

int64_t sl_wgrad_first_x_panel(const sl_wgrad *w, int64_t ob) {
  if (w->g.groups == 1) return 0;
  if (groups_share(&w->g)) return ob;
  return ob * PANEL / group_o(&w->g) * (w->c / w->width);
}

/* All pairs of panels that meet, over `len` pixels: those of the table, or
 * (NULL) consecutive ones from x and y on. tap: which point of the kernel. */
static void add_panels(const job *j, int64_t x, int64_t y, const int32_t *table,
                       int64_t len, int64_t tap, int add) {
  const sl_wgrad *w = j->w;
  const int64_t size = (int64_t)sl_dtype_size(w->type) * w->pair;
  sl_wgrad_tile t = {.table = table,
                     .len = len,
                     .row = w->taps * w->c,
                     .width = w->width,
                     .add = add,
                     .type = w->type};
  for (int64_t ib = 0; ib < w->c / w->width; ib++)
    for (int64_t ob = j->begin; ob < j->end; ob++) {
      t.x = j->x + (sl_wgrad_first_x_panel(w, ob) + ib) * j->x_panel +
            x * w->width * size;
      t.dy = j->dy + ob * j->y_panel + y * PANEL * size;
      t.dw =
          j->dw + (ob - j->begin) * PANEL * t.row + tap * w->c + ib * w->width;
      sl_wgrad_panel(&t);
    }
}

/* Lists the pixels of rows [r, end) of `pairs` images for which a tap lies
 * inside x, as byte offsets into an x and a dy panel; returns how many. */
static int64_t list_pixels(const sl_wgrad *w, int64_t tap, int64_t r,
                           int64_t end, int64_t pairs, int32_t *table) {
  const sl_conv_geometry *g = &w->g;
  const int64_t size = (int64_t)sl_dtype_size(w->type) * w->pair;
  const int64_t top = tap / g->kw * g->dilation[0] - g->padding[0];
  const int64_t left = tap % g->kw * g->dilation[1] - g->padding[1];
  int64_t len = 0;
  for (int64_t m = 0; m < pairs; m++)
    for (int64_t p = r; p < end; p++) {
      const int64_t h = p * g->stride[0] + top;
      if (h < 0 || h >= g->h) continue;
      for (int64_t q = 0; q < g->ow; q++) {
        const int64_t v = q * g->stride[1] + left;
        if (v < 0 || v >= g->w) continue;
        const int64_t x = (m * g->h + h) * g->w + v;
        const int64_t y = (m * g->oh + p) * g->ow + q;
        table[2 * len] = (int32_t)(x * w->width * size);
        table[2 * len++ + 1] = (int32_t)(y * PANEL * size);
      }
    }
  return len;
}

static void clear_tap(const job *j, int64_t tap) {
  const sl_wgrad *w = j->w;
  for (int64_t o = 0; o < (j->end - j->begin) * PANEL; o++)
    memset(j->dw + (o * w->taps + tap) * w->c, 0, (size_t)w->c * sizeof(float));
}

/* Rows [r, end) of `pairs` images from m on: every tap. */
static void add_block(const job *j, int64_t m, int64_t pairs, int64_t r,
                      int64_t end, int add) {
  const sl_wgrad *w = j->w;
  for (int64_t tap = 0; tap < w->taps; tap++) {
    const int64_t len = list_pixels(w, tap, r, end, pairs, j->table);
    if (len > 0)
      add_panels(j, m * w->x_rows, m * w->y_rows, j->table, len, tap, add);
    else if (!add)
      clear_tap(j, tap);
  }
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static void add_images(const job *j, int64_t pairs, int add) {
  const sl_wgrad *w = j->w;
  const int64_t block = block_of(w), per = w->y_rows, height = w->g.oh;
  const int64_t images = per >= block ? 1 : block / per;
  int64_t rows = per >= block ? block / w->g.ow : height;
  if (rows < 1) rows = 1;
  for (int64_t m = 0; m < pairs; m += images)
    for (int64_t r = 0; r < height; r += rows, add = 1)
      add_block(j, m, least(images, pairs - m), r, least(r + rows, height),
                add);
}

static void add_pixels(const job *j, int64_t pairs, int add) {
  const int64_t block = block_of(j->w);
  for (int64_t p = 0; p < pairs; p += block, add = 1)
    add_panels(j, p, p, NULL, least(block, pairs - p), 0, add);
}

void sl_wgrad_add(const sl_wgrad *w, const void *x, void *dy, int64_t all,
                  int64_t begin, int64_t end, float *dw, int add, void *table) {
  if (w->amx) {
    sl_wgrad_amx_add(w, x, dy, all, begin, end, dw, add);
    return;
  }
  const int64_t size = (int64_t)sl_dtype_size(w->type);
  const job j = {.w = w,
                 .x = x,
                 .dy = dy,
                 .x_panel = x_stride(w, all) * size,
                 .y_panel = y_stride(w, all) * size,
                 .begin = begin / PANEL,
                 .end = (end + PANEL - 1) / PANEL,
                 .dw = dw,
                 .table = table};
  const int64_t pairs = (all + w->pair - 1) / w->pair;
  if (w->product)
    add_pixels(&j, pairs, add);
  else
    add_images(&j, pairs, add);
}
