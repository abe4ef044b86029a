/* slua_split.c -- splits in Lua: each gives the training and the validation
 * rows.
 *
 *   data.split_random(n, valid_pct, seed) -> train, valid
 *   data.split_grandparent(files, train_name, valid_name) -> train, valid
 *   data.split_rows(n, rows) -> train, valid      valid = the rows given */
#include <string.h>

#include "data/split.h"
#include "lua/slua_data.h"

#define SPLIT "sota.split"

static sl_split *new_split(lua_State *L) {
  sl_split *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (sl_split){0};
  luaL_setmetatable(L, SPLIT);
  return s;
}

static int split_gc(lua_State *L) {
  sl_split_close(luaL_checkudata(L, 1, SPLIT));
  return 0;
}

static void push_rows(lua_State *L, const int64_t *rows, int64_t n) {
  slua_rows *r = slua_new_rows(L, n);
  memcpy(r->v, rows, (size_t)n * sizeof *rows);
}

static int push_split(lua_State *L, sl_split *s) {
  push_rows(L, s->train, s->n_train);
  push_rows(L, s->valid, s->n_valid);
  sl_split_close(s);
  return 2;
}

static int64_t check_count(lua_State *L, int arg) {
  const lua_Integer n = luaL_checkinteger(L, arg);
  luaL_argcheck(L, n >= 0 && n <= INT32_MAX, arg, "is not a number of items");
  return n;
}

static int split_random(lua_State *L) {
  const int64_t n = check_count(L, 1);
  const double valid_pct = luaL_checknumber(L, 2);
  const lua_Integer seed = luaL_checkinteger(L, 3);
  sl_split *s = new_split(L);
  slua_check(L, sl_split_random(n, valid_pct, (uint64_t)seed, s), NULL);
  return push_split(L, s);
}

static int split_grandparent(lua_State *L) {
  const sl_files *f = slua_check_files(L, 1);
  const char *train = luaL_checkstring(L, 2), *valid = luaL_checkstring(L, 3);
  sl_split *s = new_split(L);
  slua_check(L, sl_split_grandparent(f, train, valid, s), NULL);
  return push_split(L, s);
}

static int split_rows(lua_State *L) {
  const int64_t n = check_count(L, 1);
  const slua_rows *valid = slua_check_rows(L, 2);
  sl_split *s = new_split(L);
  slua_check(L, sl_split_rows(n, valid->v, valid->n, s), NULL);
  return push_split(L, s);
}

int slua_open_split(lua_State *L);
int slua_open_split(lua_State *L) {
  const luaL_Reg methods[] = {{"__gc", split_gc}, {NULL, NULL}};
  const luaL_Reg functions[] = {{"split_random", split_random},
                                {"split_grandparent", split_grandparent},
                                {"split_rows", split_rows},
                                {NULL, NULL}};
  slua_new_class(L, SPLIT, methods);
  slua_data_table(L);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
  return 0;
}
