/* slua_augment.c -- sota.core.augment: batch transforms.
 *
 *   local aug = sota.core.augment.new{
 *     {name = "aug_transforms", size = 128, min_scale = 0.75},
 *     {name = "Normalize", mean = {...}, std = {...}}}
 *   local x = aug:apply(images, {seed = 1, epoch = 2, items = rows,
 *                                train = true})
 *
 * items are the images' rows in their file list, from 1: what is drawn for an
 * image depends on its row, not on its place in the batch. A list or an i32
 * tensor; 1..N if left out. */
#include <stdalign.h>
#include <string.h>

#include "augment/augment.h"
#include "base/alloc.h"
#include "lua/slua.h"

#define SLUA_AUGMENT "sota.augment"

typedef struct box {
  sl_augment *a; /* NULL: closed */
} box;

struct sl_augment *slua_checkaugment(lua_State *L, int arg) {
  box *b = luaL_checkudata(L, arg, SLUA_AUGMENT);
  luaL_argcheck(L, b->a, arg, "batch transforms have been closed");
  return b->a;
}

static int close_augment(lua_State *L) {
  box *b = luaL_checkudata(L, 1, SLUA_AUGMENT);
  sl_augment_free(b->a);
  b->a = NULL;
  return 0;
}

/* Pushes a copy of the table at arg without one key. */
static void copy_without(lua_State *L, int arg, const char *key) {
  lua_newtable(L);
  if (lua_isnoneornil(L, arg)) return;
  for (lua_pushnil(L); lua_next(L, arg);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_settable(L, -4);
  }
  lua_pushnil(L);
  lua_setfield(L, -2, key);
}

/* --- new ------------------------------------------------------------------ */

static sl_batch_transform_id transform_of(lua_State *L, const char *name) {
  const int id = sl_batch_transform_find(name);
  if (id >= 0) return (sl_batch_transform_id)id;
  const char *names[SL_BATCH_TRANSFORM_COUNT + 1] = {0};
  for (int i = 0; i < SL_BATCH_TRANSFORM_COUNT; i++)
    names[i] = sl_batch_transforms[i].name;
  const char *near = slua_nearest(name, names);
  if (near)
    luaL_error(L, "there is no batch transform '%s'; did you mean '%s'?", name,
               near);
  slua_check(L, SL_EINVAL, NULL);
  return SL_BATCH_TRANSFORM_COUNT;
}

/* Adds the transform described by the table on top of the stack; pops it. */
static void add(lua_State *L, sl_augment *a, lua_Integer i) {
  alignas(max_align_t) char opts[SL_OP_MAX_OPTS];
  if (lua_type(L, -1) != LUA_TTABLE)
    luaL_error(L, "batch transform %I is no table: %s", i,
               luaL_typename(L, -1));
  if (lua_getfield(L, -1, "name") != LUA_TSTRING)
    luaL_error(L, "batch transform %I has no name", i);
  const char *name = lua_tostring(L, -1);
  const sl_batch_transform_id id = transform_of(L, name);
  const sl_batch_transform_info *t = &sl_batch_transforms[id];
  copy_without(L, lua_gettop(L) - 1, "name");
  slua_check_options(L, lua_gettop(L), t->options, opts, t->opts_size, name);
  slua_check(L, sl_augment_add(a, id, opts), NULL);
  lua_pop(L, 3);
}

static int new_augment(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  box *b = lua_newuserdatauv(L, sizeof *b, 0);
  b->a = NULL;
  luaL_setmetatable(L, SLUA_AUGMENT);
  slua_check(L, sl_augment_new(&b->a), NULL);
  const lua_Integer n = slua_len(L, 1);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, 1, i);
    add(L, b->a, i);
  }
  return 1;
}

/* --- a batch -------------------------------------------------------------- */

typedef struct where {
  int64_t seed, epoch, pass;
  int train, dtype;
} where;

/* clang-format off */
static const sl_option where_options[] = {
    SL_OPT_INT(where, seed, 0, 0, 0x1p53, "of the random numbers"),
    SL_OPT_INT(where, epoch, 0, 0, UINT32_MAX, "draws differ between epochs"),
    SL_OPT_INT(where, pass, 0, 0, 0xffffe, "and between passes of test-time augmentation"),
    SL_OPT_BOOL(where, train, 1, "draw at random; false: the validation form"),
    SL_OPT_DTYPE(where, dtype, "of the result: f32 or bf16"),
    SL_OPT_END,
};
/* clang-format on */

static uint32_t row_from(lua_State *L, lua_Integer row) {
  if (row < 1 || row > INT32_MAX)
    luaL_error(L, "items are rows counted from 1, not %I", row);
  return (uint32_t)(row - 1);
}

static void rows_of_tensor(lua_State *L, sl_tensor *t, uint32_t *rows,
                           int64_t n) {
  if (t->dtype != SL_I32 || t->rank != 1 || t->shape[0] != n)
    luaL_error(L, "items must be i32 (%I), not %s", (lua_Integer)n,
               sl_shape_text(t));
  slua_check(L, sl_tensor_read(t, SL_I32, rows, n), NULL);
  for (int64_t i = 0; i < n; i++)
    rows[i] = row_from(L, (lua_Integer)(int32_t)rows[i]);
}

static void rows_of_table(lua_State *L, int arg, uint32_t *rows, int64_t n) {
  luaL_checktype(L, arg, LUA_TTABLE);
  if (slua_len(L, arg) != n)
    luaL_error(L, "%I items for %I images", slua_len(L, arg), (lua_Integer)n);
  for (int64_t i = 0; i < n; i++) {
    int whole;
    lua_geti(L, arg, i + 1);
    const lua_Integer row = lua_tointegerx(L, -1, &whole);
    rows[i] = row_from(L, whole ? row : 0);
    lua_pop(L, 1);
  }
}

/* Pushes the memory of n rows: where.items, where at arg, or 1..n. */
static const uint32_t *read_rows(lua_State *L, int arg, int64_t n) {
  uint32_t *rows = lua_newuserdatauv(L, (size_t)n * sizeof *rows, 0);
  const int type = lua_istable(L, arg) ? lua_getfield(L, arg, "items")
                                       : (lua_pushnil(L), LUA_TNIL);
  const int at = lua_gettop(L);
  if (type == LUA_TNIL)
    for (int64_t i = 0; i < n; i++)
      rows[i] = (uint32_t)i;
  else if (type == LUA_TUSERDATA)
    rows_of_tensor(L, slua_checktensor(L, at), rows, n);
  else
    rows_of_table(L, at, rows, n);
  lua_pop(L, 1);
  return rows;
}

/* Reads (aug, images, where): pushes what batch->items lies in. */
static sl_dtype read_batch(lua_State *L, const char *what,
                           sl_augment_batch *batch) {
  where w;
  lua_settop(L, 3);
  if (!lua_isnil(L, 3)) luaL_checktype(L, 3, LUA_TTABLE);
  const sl_tensor *x = slua_checktensor(L, 2);
  const int64_t n = x->rank == 4 ? x->shape[0] : 0;
  copy_without(L, 3, "items");
  slua_check_options(L, 4, where_options, &w, sizeof w, what);
  lua_pop(L, 1);
  *batch = (sl_augment_batch){.seed = (uint64_t)w.seed,
                              .epoch = (uint32_t)w.epoch,
                              .pass = (uint32_t)w.pass,
                              .items = read_rows(L, 3, n),
                              .train = w.train};
  return w.dtype < 0 ? SL_F32 : (sl_dtype)w.dtype;
}

/* aug:apply(images [, where]) -> what the model sees */
static int apply(lua_State *L) {
  sl_augment_batch batch;
  slua_checkaugment(L, 1);
  const sl_dtype dtype = read_batch(L, "apply", &batch);
  slua_box *out = slua_newbox(L);
  sl_status status = sl_augment_apply(
      slua_checkaugment(L, 1), slua_checktensor(L, 2), &batch, dtype, &out->t);
  if (status == SL_ENOMEM) { /* dead tensors may be waiting for the collector */
    lua_gc(L, LUA_GCCOLLECT, 0);
    status = sl_augment_apply(slua_checkaugment(L, 1), slua_checktensor(L, 2),
                              &batch, dtype, &out->t);
  }
  slua_check(L, status, NULL);
  return 1;
}

/* --- statistics ----------------------------------------------------------- */

static void push_numbers(lua_State *L, const double *v) {
  lua_createtable(L, 3, 0);
  for (int c = 0; c < 3; c++) {
    lua_pushnumber(L, v[c]);
    lua_seti(L, -2, c + 1);
  }
}

/* aug:statistics() -> mean, std: three numbers each; nil if not known */
static int statistics(lua_State *L) {
  double mean[3], std[3];
  if (!sl_augment_statistics(slua_checkaugment(L, 1), mean, std)) {
    lua_pushnil(L);
    return 1;
  }
  push_numbers(L, mean);
  push_numbers(L, std);
  return 2;
}

/* aug:measure(images [, where]) -> mean, std: for Normalize without them */
static int measure(lua_State *L) {
  sl_augment_batch batch;
  slua_checkaugment(L, 1);
  read_batch(L, "measure", &batch);
  slua_check(L,
             sl_augment_measure(slua_checkaugment(L, 1), slua_checktensor(L, 2),
                                &batch),
             NULL);
  return statistics(L);
}

static int needs_statistics(lua_State *L) {
  lua_pushboolean(L, sl_augment_needs_statistics(slua_checkaugment(L, 1)));
  return 1;
}

/* aug:decode(x) -> u8 images to look at */
static int decode(lua_State *L) {
  slua_checkaugment(L, 1);
  slua_checktensor(L, 2);
  slua_box *out = slua_newbox(L);
  slua_check(L,
             sl_augment_decode(slua_checkaugment(L, 1), slua_checktensor(L, 2),
                               &out->t),
             "decode");
  return 1;
}

/* aug:size(h, w) -> height, width of what apply gives */
static int size(lua_State *L) {
  const sl_augment *a = slua_checkaugment(L, 1);
  int64_t h = luaL_checkinteger(L, 2), w = luaL_optinteger(L, 3, h);
  sl_augment_size(a, h, w, &h, &w);
  lua_pushinteger(L, h);
  lua_pushinteger(L, w);
  return 2;
}

/* The engine's text is freed before anything that may raise. */
static int tostring(lua_State *L) {
  char *text = sl_augment_text(slua_checkaugment(L, 1));
  char copy[4096] = "no batch transforms";
  if (text && *text) {
    strncpy(copy, text, sizeof copy - 1);
    copy[sizeof copy - 1] = 0;
  }
  sl_free(text);
  lua_pushstring(L, copy);
  return 1;
}

/* --- descriptions --------------------------------------------------------- */

/* sota.core.augment.transforms() -> {{name, help, options}...} */
static int transforms(lua_State *L) {
  lua_newtable(L);
  for (int i = 0; i < SL_BATCH_TRANSFORM_COUNT; i++) {
    const sl_batch_transform_info *t = &sl_batch_transforms[i];
    lua_newtable(L);
    lua_pushstring(L, t->name), lua_setfield(L, -2, "name");
    lua_pushstring(L, t->help), lua_setfield(L, -2, "help");
    lua_newtable(L);
    for (int k = 0; t->options[k].name; k++)
      slua_push_option(L, &t->options[k]), lua_seti(L, -2, k + 1);
    lua_setfield(L, -2, "options");
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

static const luaL_Reg methods[] = {
    {"apply", apply},
    {"size", size},
    {"measure", measure},
    {"statistics", statistics},
    {"needs_statistics", needs_statistics},
    {"decode", decode},
    {"close", close_augment},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__gc", close_augment},
    {"__close", close_augment},
    {"__tostring", tostring},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"new", new_augment},
    {"transforms", transforms},
    {NULL, NULL},
};

int slua_open_augment(lua_State *L);
int slua_open_augment(lua_State *L) {
  luaL_newmetatable(L, SLUA_AUGMENT);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "augment");
  return 0;
}
