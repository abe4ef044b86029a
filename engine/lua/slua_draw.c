/* slua_draw.c -- core.draw: the canvas in Lua. scripts/sota/draw makes plots
 * and pictures of batches with it.
 *
 *   draw.missing          packages that pictures lack here; nil: none
 *   draw.no_terminal      the package that pictures in a terminal lack; nil
 *   draw.canvas(width, height) -> c                  in points, white
 *   c:size() -> width, height
 *   c:path({x1, y1, x2, y2...}, paint)   c:rect(x, y, w, h, paint)
 *   c:circle(x, y, r, paint)             c:clip(x, y, w, h)   c:unclip()
 *   c:text(x, y, text, style)            c:measure(text, style) -> w, h
 *   c:image(tensor, x, y, w, h, {smooth})
 *   c:png(scale), c:svg(title) -> the file's bytes
 *   c:pixels(scale) -> u8 (H, W, 3)
 *   draw.terminal() -> {columns, rows, mode}, or nil: stdout is none
 *   draw.blocks(pixels, {mode, columns, rows}) -> text
 *
 * Colours are numbers 0xRRGGBBAA, -1 for none. Cairo's functions never raise;
 * bytes of a file are kept in a box until Lua has its copy. */
#include "lua/slua_data.h"

#ifdef SL_HAVE_PANGOCAIRO
#include "base/alloc.h"
#include "draw/canvas.h"
#ifdef SL_HAVE_CHAFA
#include "draw/terminal.h"
#endif

#define CANVAS "sota.canvas"
#define BYTES  "sota.draw.bytes"

static const char *const aligns[] = {"left", "centre", "right", NULL};
static const char *const valigns[] = {"top", "middle", "bottom", NULL};

static const double all_colours = 4294967295.0; /* 0xFFFFFFFF */

static const sl_option paint_options[] = {
    SL_OPT_INT(sl_paint, fill, -1, -1, all_colours, "colour of the inside"),
    SL_OPT_INT(sl_paint, stroke, -1, -1, all_colours, "colour of the line"),
    SL_OPT_FLOAT(sl_paint, width, 1, 0, 1000, "of the line"),
    SL_OPT_FLOAT(sl_paint, dash, 0, 0, 1000, "length of dashes; 0: none"),
    SL_OPT_BOOL(sl_paint, close, 0, "join the path's end to its beginning"),
    SL_OPT_END,
};

static const sl_option text_options[] = {
    SL_OPT_FLOAT(sl_text_style, size, 12, 1, 1000, "of the font"),
    SL_OPT_INT(sl_text_style, colour, 255, -1, all_colours, "of the letters"),
    SL_OPT_BOOL(sl_text_style, bold, 0, "bold letters"),
    SL_OPT_BOOL(sl_text_style, mono, 0, "letters of one width"),
    SL_OPT_ENUM(sl_text_style, align, SL_LEFT, aligns, "where x is"),
    SL_OPT_ENUM(sl_text_style, valign, SL_TOP, valigns, "where y is"),
    SL_OPT_FLOAT(sl_text_style, width, 0, 0, 16384, "lines are wrapped at"),
    SL_OPT_INT(sl_text_style, lines, 0, 0, 1000, "at most; 0: any number"),
    SL_OPT_FLOAT(sl_text_style, angle, 0, -360, 360, "degrees clockwise"),
    SL_OPT_END,
};

/* --- boxes ---------------------------------------------------------------- */

typedef struct canvas_box {
  sl_canvas *c;
} canvas_box;

static sl_canvas *check_canvas(lua_State *L) {
  const canvas_box *b = luaL_checkudata(L, 1, CANVAS);
  if (!b->c) luaL_error(L, "this canvas has been closed");
  return b->c;
}

static int canvas_close(lua_State *L) {
  canvas_box *b = luaL_checkudata(L, 1, CANVAS);
  sl_canvas_free(b->c);
  b->c = NULL;
  return 0;
}

static sl_bytes *new_bytes(lua_State *L) {
  sl_bytes *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (sl_bytes){0};
  luaL_setmetatable(L, BYTES);
  return b;
}

static int bytes_gc(lua_State *L) {
  sl_bytes *b = luaL_checkudata(L, 1, BYTES);
  sl_free(b->at);
  *b = (sl_bytes){0};
  return 0;
}

/* Pushes what is in b, which is on the stack, and frees it. */
static int push_bytes(lua_State *L, sl_bytes *b, sl_status status,
                      const char *what) {
  slua_check(L, status, what);
  lua_pushlstring(L, b->at ? (const char *)b->at : "", b->n);
  sl_free(b->at);
  *b = (sl_bytes){0};
  return 1;
}

/* --- drawing -------------------------------------------------------------- */

static int new_canvas(lua_State *L) {
  const double w = luaL_checknumber(L, 1), h = luaL_checknumber(L, 2);
  canvas_box *b = lua_newuserdatauv(L, sizeof *b, 0);
  b->c = NULL;
  luaL_setmetatable(L, CANVAS);
  slua_check(L, sl_canvas_new(&b->c, w, h), "canvas");
  return 1;
}

static int canvas_size(lua_State *L) {
  double w, h;
  sl_canvas_size(check_canvas(L), &w, &h);
  lua_pushnumber(L, w);
  lua_pushnumber(L, h);
  return 2;
}

static sl_paint read_paint(lua_State *L, int arg, const char *what) {
  sl_paint p;
  slua_check_options(L, arg, paint_options, &p, sizeof p, what);
  return p;
}

/* The numbers of the list at arg; pushes what holds them. */
static const double *read_points(lua_State *L, int arg, int64_t *n) {
  luaL_checktype(L, arg, LUA_TTABLE);
  const lua_Integer count = slua_len(L, arg);
  luaL_argcheck(L, count % 2 == 0, arg, "must have an even number of numbers");
  double *v = lua_newuserdatauv(L, (size_t)count * sizeof *v + 1, 0);
  for (lua_Integer i = 0; i < count; i++) {
    lua_geti(L, arg, i + 1);
    v[i] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  *n = count / 2;
  return v;
}

static int canvas_path(lua_State *L) {
  sl_canvas *c = check_canvas(L);
  int64_t n;
  lua_settop(L, 3);
  const sl_paint p = read_paint(L, 3, "path");
  const double *xy = read_points(L, 2, &n);
  sl_canvas_path(c, xy, n, &p);
  return 0;
}

typedef struct rectangle {
  double x, y, w, h;
} rectangle;

static rectangle read_rectangle(lua_State *L, int arg) {
  return (rectangle){luaL_checknumber(L, arg), luaL_checknumber(L, arg + 1),
                     luaL_checknumber(L, arg + 2),
                     luaL_checknumber(L, arg + 3)};
}

static int canvas_rect(lua_State *L) {
  sl_canvas *c = check_canvas(L);
  const rectangle r = read_rectangle(L, 2);
  const sl_paint p = read_paint(L, 6, "rect");
  sl_canvas_rect(c, r.x, r.y, r.w, r.h, &p);
  return 0;
}

static int canvas_circle(lua_State *L) {
  sl_canvas *c = check_canvas(L);
  const double x = luaL_checknumber(L, 2), y = luaL_checknumber(L, 3);
  const double radius = luaL_checknumber(L, 4);
  const sl_paint p = read_paint(L, 5, "circle");
  sl_canvas_circle(c, x, y, radius, &p);
  return 0;
}

static int canvas_clip(lua_State *L) {
  sl_canvas *c = check_canvas(L);
  const rectangle r = read_rectangle(L, 2);
  sl_canvas_clip(c, r.x, r.y, r.w, r.h);
  return 0;
}

static int canvas_unclip(lua_State *L) {
  slua_check(L, sl_canvas_unclip(check_canvas(L)), "canvas");
  return 0;
}

static sl_text_style read_style(lua_State *L, int arg, const char *what) {
  sl_text_style s;
  slua_check_options(L, arg, text_options, &s, sizeof s, what);
  return s;
}

static int canvas_text(lua_State *L) {
  sl_canvas *c = check_canvas(L);
  const double x = luaL_checknumber(L, 2), y = luaL_checknumber(L, 3);
  const char *text = luaL_checkstring(L, 4);
  const sl_text_style s = read_style(L, 5, "text");
  slua_check(L, sl_canvas_text(c, x, y, text, &s), "text");
  return 0;
}

static int canvas_measure(lua_State *L) {
  sl_canvas *c = check_canvas(L);
  const char *text = luaL_checkstring(L, 2);
  const sl_text_style s = read_style(L, 3, "measure");
  double w, h;
  slua_check(L, sl_canvas_measure(c, text, &s, &w, &h), "measure");
  lua_pushnumber(L, w);
  lua_pushnumber(L, h);
  return 2;
}

typedef struct image_opts {
  int smooth;
} image_opts;

static const sl_option image_options[] = {
    SL_OPT_BOOL(image_opts, smooth, 0, "magnified pixels blend"),
    SL_OPT_END,
};

static int canvas_image(lua_State *L) {
  sl_canvas *c = check_canvas(L);
  const rectangle r = read_rectangle(L, 3);
  image_opts o;
  slua_check_options(L, 7, image_options, &o, sizeof o, "image");
  sl_tensor *t = slua_checktensor(L, 2);
  slua_check(L, sl_canvas_image(c, t, r.x, r.y, r.w, r.h, o.smooth), "image");
  return 0;
}

/* --- files ---------------------------------------------------------------- */

static int canvas_png(lua_State *L) {
  sl_canvas *c = check_canvas(L);
  const double scale = luaL_optnumber(L, 2, 1);
  sl_bytes *b = new_bytes(L);
  return push_bytes(L, b, sl_canvas_png(c, scale, b), "png");
}

static int canvas_svg(lua_State *L) {
  sl_canvas *c = check_canvas(L);
  const char *title = luaL_optstring(L, 2, "");
  sl_bytes *b = new_bytes(L);
  return push_bytes(L, b, sl_canvas_svg(c, title, b), "svg");
}

static int canvas_pixels(lua_State *L) {
  sl_canvas *c = check_canvas(L);
  const double scale = luaL_optnumber(L, 2, 1);
  slua_box *box = slua_newbox(L);
  slua_check(L, sl_canvas_pixels(c, scale, &box->t), "pixels");
  return 1;
}

/* --- the terminal --------------------------------------------------------- */

#ifdef SL_HAVE_CHAFA
typedef struct blocks_opts {
  int mode;
  int64_t columns, rows;
} blocks_opts;

static const sl_option blocks_options[] = {
    SL_OPT_ENUM(blocks_opts, mode, 0, sl_terminal_mode_names, "how"),
    SL_OPT_INT(blocks_opts, columns, 0, 0, 10000, "0: the terminal's"),
    SL_OPT_INT(blocks_opts, rows, 0, 0, 10000, "0: the terminal's"),
    SL_OPT_END,
};

static int terminal(lua_State *L) {
  const sl_terminal t = sl_terminal_find();
  if (t.columns == 0) return 0;
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, t.columns);
  lua_setfield(L, -2, "columns");
  lua_pushinteger(L, t.rows);
  lua_setfield(L, -2, "rows");
  lua_pushstring(L, sl_terminal_mode_names[t.mode]);
  lua_setfield(L, -2, "mode");
  return 1;
}

static int blocks(lua_State *L) {
  blocks_opts o;
  slua_check_options(L, 2, blocks_options, &o, sizeof o, "blocks");
  sl_terminal t = sl_terminal_find();
  if (o.columns > 0) t.columns = (int)o.columns;
  if (o.rows > 0) t.rows = (int)o.rows;
  t.mode = (sl_terminal_mode)o.mode;
  sl_bytes *b = new_bytes(L);
  sl_tensor *pixels = slua_checktensor(L, 1);
  return push_bytes(L, b, sl_terminal_text(pixels, &t, b), "blocks");
}
#endif

/* --- opening -------------------------------------------------------------- */

static const luaL_Reg canvas_methods[] = {
    {"__gc", canvas_close},      {"__close", canvas_close},
    {"close", canvas_close},     {"size", canvas_size},
    {"path", canvas_path},       {"rect", canvas_rect},
    {"circle", canvas_circle},   {"clip", canvas_clip},
    {"unclip", canvas_unclip},   {"text", canvas_text},
    {"measure", canvas_measure}, {"image", canvas_image},
    {"png", canvas_png},         {"svg", canvas_svg},
    {"pixels", canvas_pixels},   {NULL, NULL}};
static const luaL_Reg bytes_methods[] = {{"__gc", bytes_gc}, {NULL, NULL}};

static void open_canvas(lua_State *L) {
  slua_new_class(L, CANVAS, canvas_methods);
  slua_new_class(L, BYTES, bytes_methods);
  lua_pushcfunction(L, new_canvas);
  lua_setfield(L, -2, "canvas");
#ifdef SL_HAVE_CHAFA
  lua_pushcfunction(L, terminal);
  lua_setfield(L, -2, "terminal");
  lua_pushcfunction(L, blocks);
  lua_setfield(L, -2, "blocks");
#else
  lua_pushstring(L, "libchafa-dev");
  lua_setfield(L, -2, "no_terminal");
#endif
}
#else
static void open_canvas(lua_State *L) {
  lua_pushstring(L, "libcairo2-dev libpango1.0-dev");
  lua_setfield(L, -2, "missing");
}
#endif

int slua_open_draw(lua_State *L);
int slua_open_draw(lua_State *L) {
  lua_newtable(L);
  open_canvas(L);
  lua_setfield(L, -2, "draw");
  return 0;
}
