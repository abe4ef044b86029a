/* slua_json.c -- JSON text to Lua values and back, by jansson.
 * null becomes sota.core.json.null; an empty table is written as {}. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "lua/slua.h"

enum { DEEPEST = 64 };
static const char null_key;

static void push_json(lua_State *L, const json_t *j, int depth) {
  luaL_checkstack(L, 4, "json");
  if (depth > DEEPEST) luaL_error(L, "json: nested more than 64 deep");
  const char *key;
  json_t *v;
  switch (json_typeof(j)) {
  case JSON_OBJECT:
    lua_createtable(L, 0, (int)json_object_size(j));
    for (void *it = json_object_iter((json_t *)(uintptr_t)j); it;
         it = json_object_iter_next((json_t *)(uintptr_t)j, it)) {
      key = json_object_iter_key(it);
      v = json_object_iter_value(it);
      push_json(L, v, depth + 1);
      lua_setfield(L, -2, key);
    }
    break;
  case JSON_ARRAY:
    lua_createtable(L, (int)json_array_size(j), 0);
    for (size_t i = 0; i < json_array_size(j); i++) {
      push_json(L, json_array_get(j, i), depth + 1);
      lua_seti(L, -2, (lua_Integer)i + 1);
    }
    break;
  case JSON_STRING:
    lua_pushlstring(L, json_string_value(j), json_string_length(j));
    break;
  case JSON_INTEGER:
    lua_pushinteger(L, json_integer_value(j));
    break;
  case JSON_REAL:
    lua_pushnumber(L, json_real_value(j));
    break;
  case JSON_TRUE:
  case JSON_FALSE:
    lua_pushboolean(L, json_is_true(j));
    break;
  case JSON_NULL:
    lua_pushlightuserdata(L, (void *)(uintptr_t)&null_key);
    break;
  }
}

/* The document lives in a box with __gc while Lua values are made of it. */
typedef struct document {
  json_t *j;
  char *text;
} document;

static int document_gc(lua_State *L) {
  document *d = lua_touserdata(L, 1);
  json_decref(d->j);
  if (d->text) {
    void *(*m)(size_t);
    void (*f)(void *);
    json_get_alloc_funcs(&m, &f);
    f(d->text);
  }
  *d = (document){0};
  return 0;
}

static document *new_document(lua_State *L) {
  document *d = lua_newuserdatauv(L, sizeof *d, 0);
  *d = (document){0};
  if (luaL_newmetatable(L, "sota.json")) {
    lua_pushcfunction(L, document_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return d;
}

static int decode(lua_State *L) { /* decode(text) -> value, or nil, message */
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  document *d = new_document(L);
  json_error_t e;
  d->j = json_loadb(text, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &e);
  if (!d->j) {
    lua_pushnil(L);
    lua_pushfstring(L, "line %d: %s", e.line, e.text);
    return 2;
  }
  push_json(L, d->j, 0);
  return 1;
}

static json_t *to_json(lua_State *L, int at, int depth);

static json_t *table_to_json(lua_State *L, int at, int depth) {
  const lua_Integer n = slua_len(L, at);
  json_t *j = n > 0 ? json_array() : json_object();
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, at, i);
    json_array_append_new(j, to_json(L, lua_gettop(L), depth + 1));
    lua_pop(L, 1);
  }
  if (n > 0) return j;
  for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1))
    if (lua_type(L, -2) == LUA_TSTRING)
      json_object_set_new(j, lua_tostring(L, -2),
                          to_json(L, lua_gettop(L), depth + 1));
  return j;
}

/* NULL, and so nothing appended, for what JSON cannot say. */
static json_t *to_json(lua_State *L, int at, int depth) {
  size_t n;
  const char *s;
  if (depth > DEEPEST || !lua_checkstack(L, 6)) return NULL;
  switch (lua_type(L, at)) {
  case LUA_TTABLE:
    return table_to_json(L, at, depth);
  case LUA_TSTRING:
    s = lua_tolstring(L, at, &n);
    return json_stringn(s, n);
  case LUA_TBOOLEAN:
    return json_boolean(lua_toboolean(L, at));
  case LUA_TNUMBER:
    if (lua_isinteger(L, at)) return json_integer(lua_tointeger(L, at));
    return isfinite(lua_tonumber(L, at)) ? json_real(lua_tonumber(L, at))
                                         : json_null();
  case LUA_TLIGHTUSERDATA:
    return json_null();
  default:
    return NULL;
  }
}

static int encode(lua_State *L) { /* encode(value [, indent]) -> text */
  luaL_checkany(L, 1);
  const int indent = (int)luaL_optinteger(L, 2, 0);
  luaL_argcheck(L, indent >= 0 && indent <= 8, 2, "indent is 0 to 8");
  document *d = new_document(L);
  d->j = to_json(L, 1, 0);
  if (d->j)
    d->text = json_dumps(d->j, JSON_ENCODE_ANY | JSON_SORT_KEYS |
                                   JSON_REAL_PRECISION(17) |
                                   JSON_INDENT((size_t)indent));
  if (!d->text) return luaL_error(L, "json: this value cannot be written");
  lua_pushstring(L, d->text);
  return 1;
}

int slua_open_json(lua_State *L);
int slua_open_json(lua_State *L) {
  const luaL_Reg functions[] = {
      {"decode", decode}, {"encode", encode}, {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_pushlightuserdata(L, (void *)(uintptr_t)&null_key);
  lua_setfield(L, -2, "null");
  lua_setfield(L, -2, "json");
  return 0;
}
