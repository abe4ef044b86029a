/* slua_table.c -- reading option tables that hold more than numbers. See
 * slua_data.h. */
#include <string.h>

#include "lua/slua_data.h"

static int known(const char *key, const char *const *names) {
  for (; *names; names++)
    if (strcmp(key, *names) == 0) return 1;
  return 0;
}

void slua_check_keys(lua_State *L, int t, const char *const *names,
                     const char *what) {
  if (lua_isnoneornil(L, t)) return;
  luaL_checktype(L, t, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L, "%s: option names are strings", what);
    const char *key = lua_tostring(L, -2);
    if (known(key, names)) continue;
    const char *near = slua_nearest(key, names);
    if (near)
      luaL_error(L, "%s: unknown option '%s'; did you mean '%s'?", what, key,
                 near);
    luaL_error(L, "%s: unknown option '%s'", what, key);
  }
}

int slua_get(lua_State *L, int t, const char *key) {
  if (lua_type(L, t) != LUA_TTABLE) return 0;
  if (lua_getfield(L, t, key) != LUA_TNIL) return lua_gettop(L);
  lua_pop(L, 1);
  return 0;
}

static void wrong(lua_State *L, const char *what, const char *key,
                  const char *wanted, int at) {
  luaL_error(L, "%s: option '%s' must be %s, not %s", what, key, wanted,
             luaL_tolstring(L, at, NULL));
}

lua_Integer slua_get_int(lua_State *L, int t, const char *key, lua_Integer def,
                         const char *what) {
  const int at = slua_get(L, t, key);
  int ok;
  if (!at) return def;
  const lua_Integer v = lua_tointegerx(L, at, &ok);
  if (!ok || lua_type(L, at) != LUA_TNUMBER)
    wrong(L, what, key, "a whole number", at);
  lua_pop(L, 1);
  return v;
}

double slua_get_number(lua_State *L, int t, const char *key, double def,
                       const char *what) {
  const int at = slua_get(L, t, key);
  if (!at) return def;
  const double v = lua_tonumber(L, at);
  if (lua_type(L, at) != LUA_TNUMBER) wrong(L, what, key, "a number", at);
  lua_pop(L, 1);
  return v;
}

int slua_get_flag(lua_State *L, int t, const char *key, int def,
                  const char *what) {
  const int at = slua_get(L, t, key);
  if (!at) return def;
  if (!lua_isboolean(L, at)) wrong(L, what, key, "true or false", at);
  const int v = lua_toboolean(L, at);
  lua_pop(L, 1);
  return v;
}

const char *slua_get_text(lua_State *L, int t, const char *key, const char *def,
                          const char *what) {
  const int at = slua_get(L, t, key);
  if (!at) return def;
  if (lua_type(L, at) != LUA_TSTRING) wrong(L, what, key, "a text", at);
  const char *v = lua_tostring(L, at);
  lua_pop(L, 1);
  return v;
}

const char **slua_check_texts(lua_State *L, int arg, int *n, const char *what) {
  luaL_checktype(L, arg, LUA_TTABLE);
  const lua_Integer count = slua_len(L, arg);
  if (count < 0 || count > INT32_MAX / 16)
    luaL_error(L, "%s: a list is too long", what);
  const char **texts =
      lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *texts, 1);
  lua_createtable(L, (int)count, 0); /* a copy: nobody can change it */
  for (lua_Integer i = 1; i <= count; i++) {
    if (lua_geti(L, arg, i) != LUA_TSTRING)
      luaL_error(L, "%s: wants a list of texts, but item %I is a %s", what, i,
                 luaL_typename(L, -1));
    texts[i - 1] = lua_tostring(L, -1);
    lua_seti(L, -2, i);
  }
  lua_setiuservalue(L, -2, 1);
  texts[count] = NULL;
  *n = (int)count;
  return texts;
}

void slua_data_table(lua_State *L) {
  luaL_getsubtable(L, -1, "data");
}

void slua_new_class(lua_State *L, const char *name, const luaL_Reg *methods) {
  luaL_newmetatable(L, name);
  luaL_setfuncs(L, methods, 0);
  if (lua_getfield(L, -1, "__index") == LUA_TNIL) {
    lua_pushvalue(L, -2);
    lua_setfield(L, -3, "__index");
  }
  lua_pop(L, 2);
}
