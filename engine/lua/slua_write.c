/* slua_write.c -- files for callbacks that must not lose what they write:
 *   core.write_file(path, text)    whole or not at all (base/whole_file.h)
 *   core.grow_file(path [, keep])  a file that only grows (base/grow_file.h)
 *     file:add(text)               in memory
 *     file:write()                 if it fails: with what is added later
 *     file:close(), <close>        what still waits is lost
 * Like those of io they return nil and a sentence where they fail. */
#include "base/grow_file.h"
#include "base/whole_file.h"
#include "lua/slua.h"
#include "lua/slua_data.h"

#define GROW "sota.grow_file"

/* One value of its own or, in its place, what went wrong. */
static int result(lua_State *L, sl_status status) {
  if (status == SL_OK) return 1;
  lua_pushnil(L);
  lua_pushstring(L, sl_error());
  return 2;
}

static int write_file(lua_State *L) {
  size_t n;
  const char *path = luaL_checkstring(L, 1),
             *text = luaL_checklstring(L, 2, &n);
  lua_pushboolean(L, 1);
  return result(L, sl_whole_write(path, text, n));
}

static int grow_file(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  const int keep = lua_toboolean(L, 2);
  sl_grow_file *g = lua_newuserdatauv(L, sizeof *g, 0);
  *g = (sl_grow_file){.fd = -1};
  luaL_setmetatable(L, GROW);
  return result(L, sl_grow_open(g, path, keep));
}

static sl_grow_file *check_open(lua_State *L) {
  sl_grow_file *g = luaL_checkudata(L, 1, GROW);
  if (!g->path) luaL_error(L, "grow_file: the file has been closed");
  return g;
}

static int grow_add(lua_State *L) {
  size_t n;
  sl_grow_file *g = check_open(L);
  const char *text = luaL_checklstring(L, 2, &n);
  slua_check(L, sl_grow_add(g, text, n), "add");
  return 0;
}

static int grow_write(lua_State *L) {
  sl_grow_file *g = check_open(L);
  lua_pushboolean(L, 1);
  return result(L, sl_grow_write(g));
}

static int grow_close(lua_State *L) {
  sl_grow_close(luaL_checkudata(L, 1, GROW));
  return 0;
}

static const luaL_Reg methods[] = {
    {"add", grow_add},    {"write", grow_write},   {"close", grow_close},
    {"__gc", grow_close}, {"__close", grow_close}, {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"write_file", write_file}, {"grow_file", grow_file}, {NULL, NULL}};

int slua_open_write(lua_State *L);
int slua_open_write(lua_State *L) {
  slua_new_class(L, GROW, methods);
  luaL_setfuncs(L, functions, 0);
  return 0;
}
