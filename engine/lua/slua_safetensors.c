/* slua_safetensors.c -- core.safetensors: save and load named tensors.
 *
 *   save(path, names, tensors [, metadata [, {oihw, int64, checksum}]])
 *   load(path [, {oihw}]) -> tensors by name, metadata, names in file order
 *   info(path) -> list of {name, dtype, shape}, metadata
 * checksum: load fails if the bytes are others.
 * oihw: tensors of rank 4 are (O, I, H, W) in the file, (O, H, W, I) here.
 * int64: i32 is written as I64, which PyTorch wants for num_batches_tracked. */
#include <string.h>

#include "lua/slua.h"
#include "train/safetensors.h"

typedef struct st_opts {
  int oihw, int64, checksum;
} st_opts;

static const sl_option options[] = {
    SL_OPT_BOOL(st_opts, oihw, 0, "rank 4 is (O, I, H, W) in the file"),
    SL_OPT_BOOL(st_opts, int64, 0, "write i32 as I64"),
    SL_OPT_BOOL(st_opts, checksum, 0, "write a checksum into the metadata"),
    SL_OPT_END,
};

static int check_flags(lua_State *L, int arg, const char *what) {
  st_opts o;
  slua_check_options(L, arg, options, &o, sizeof o, what);
  return (o.oihw ? SL_ST_OIHW : 0) | (o.int64 ? SL_ST_INT64 : 0) |
         (o.checksum ? SL_ST_CHECKSUM : 0);
}

/* --- saving ----------------------------------------------------------------
 */

/* held: index of what holds the names and tensors. */
static sl_st_item *read_items(lua_State *L, slua_held *h, int held, int n) {
  sl_st_item *items = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof *items, 0);
  for (int i = 0; i < n; i++) {
    lua_geti(L, 2, i + 1);
    items[i].name = slua_hold_text(L, held, lua_gettop(L));
    if (!items[i].name)
      luaL_error(L, "safetensors: name %d is a %s", i + 1,
                 luaL_typename(L, -1));
    lua_getfield(L, 3, items[i].name);
    items[i].tensor = slua_hold_tensor(L, h, -1);
    if (!items[i].tensor)
      luaL_error(L, "safetensors: there is no (open) tensor %s", items[i].name);
    lua_pop(L, 2);
  }
  return items;
}

/* Pairs sorted by key: the same metadata give the same file. */
static void insert_pair(sl_st_pair *pairs, int n, sl_st_pair p) {
  for (; n > 0 && strcmp(pairs[n - 1].key, p.key) > 0; n--)
    pairs[n] = pairs[n - 1];
  pairs[n] = p;
}

static sl_st_pair *read_meta(lua_State *L, int meta, int *n) {
  *n = 0;
  if (lua_isnoneornil(L, meta)) return NULL;
  luaL_checktype(L, meta, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, meta); lua_pop(L, 1))
    ++*n;
  sl_st_pair *pairs = lua_newuserdatauv(L, (size_t)(*n + 1) * sizeof *pairs, 0);
  int i = 0;
  for (lua_pushnil(L); i < *n && lua_next(L, meta); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "safetensors: metadata must be strings, by name");
    const sl_st_pair p = {(char *)(uintptr_t)lua_tostring(L, -2),
                          (char *)(uintptr_t)lua_tostring(L, -1)};
    insert_pair(pairs, i++, p);
  }
  *n = i;
  return pairs;
}

static int save(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 5);
  const int flags = check_flags(L, 5, "safetensors.save");
  const int n = (int)slua_len(L, 2);
  int n_meta = 0;
  slua_held *h = slua_hold(L, n); /* 6 */
  const sl_st_item *items = read_items(L, h, 6, n);
  const sl_st_pair *meta = read_meta(L, 4, &n_meta);
  const sl_status status = sl_st_write(path, items, n, meta, n_meta, flags);
  slua_let_go(h);
  slua_check(L, status, "safetensors");
  return 0;
}

/* --- loading ---------------------------------------------------------------
 */

#define ST_FILE "sota.safetensors"

static int file_gc(lua_State *L) {
  sl_st_close(luaL_checkudata(L, 1, ST_FILE));
  return 0;
}

static sl_st_file *open_file(lua_State *L, const char *path) {
  sl_st_file *f = lua_newuserdatauv(L, sizeof *f, 0);
  *f = (sl_st_file){.fd = -1};
  luaL_setmetatable(L, ST_FILE);
  slua_check(L, sl_st_open(f, path), "safetensors");
  return f;
}

static void push_meta(lua_State *L, const sl_st_file *f) {
  lua_createtable(L, 0, f->n_meta);
  for (int i = 0; i < f->n_meta; i++) {
    lua_pushstring(L, f->meta[i].value);
    lua_setfield(L, -2, f->meta[i].key);
  }
}

static void push_tensor(lua_State *L, const sl_st_file *f, int i, int flags) {
  slua_box *box = slua_newbox(L);
  slua_check(L, sl_st_read(f, i, flags, sl_backend_default(), &box->t),
             "safetensors");
}

static int load(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_settop(L, 2);
  const int flags = check_flags(L, 2, "safetensors.load");
  sl_st_file *f = open_file(L, path);
  slua_check(L, sl_st_verify(f), "safetensors");
  lua_createtable(L, 0, f->n); /* 4: tensors */
  push_meta(L, f);             /* 5 */
  lua_createtable(L, f->n, 0); /* 6: names */
  for (int i = 0; i < f->n; i++) {
    push_tensor(L, f, i, flags);
    lua_setfield(L, 4, f->entry[i].name);
    lua_pushstring(L, f->entry[i].name);
    lua_seti(L, 6, i + 1);
  }
  sl_st_close(f);
  return 3;
}

static void push_info(lua_State *L, const sl_st_entry *e) {
  lua_createtable(L, 0, 3);
  lua_pushstring(L, e->name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, sl_st_dtype_name(e->dtype));
  lua_setfield(L, -2, "dtype");
  lua_createtable(L, e->rank, 0);
  for (int i = 0; i < e->rank; i++) {
    lua_pushinteger(L, (lua_Integer)e->shape[i]);
    lua_seti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "shape");
}

static int info(lua_State *L) {
  sl_st_file *f = open_file(L, luaL_checkstring(L, 1));
  lua_createtable(L, f->n, 0);
  for (int i = 0; i < f->n; i++) {
    push_info(L, &f->entry[i]);
    lua_seti(L, -2, i + 1);
  }
  push_meta(L, f);
  sl_st_close(f);
  return 2;
}

static const luaL_Reg functions[] = {
    {"save", save}, {"load", load}, {"info", info}, {NULL, NULL}};

int slua_open_safetensors(lua_State *L);
int slua_open_safetensors(lua_State *L) {
  luaL_newmetatable(L, ST_FILE);
  lua_pushcfunction(L, file_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "safetensors");
  return 0;
}
