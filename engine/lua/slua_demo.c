/* slua_demo.c -- the demo data set, and folders.
 *
 *   data.demo(folder [, {train = 3000, valid = 1000, seed = 1,
 *                        progress = function(done, total)}])
 *       writes the built-in data set; a folder that is there is left as it is
 *   core.make_dirs(path)      mkdir -p */
#include "data/cache_dir.h"
#include "data/demo.h"
#include "lua/slua_data.h"

/* What the progress function raised stays on top of the stack. */
static int tell(void *context, int done, int total) {
  lua_State *L = context;
  lua_settop(L, 3);
  if (lua_isnil(L, 3)) return 0;
  lua_pushvalue(L, 3);
  lua_pushinteger(L, done);
  lua_pushinteger(L, total);
  return slua_pcall(L, 2, 0) != LUA_OK;
}

static int count(lua_State *L, const char *key, int def) {
  const lua_Integer n = slua_get_int(L, 2, key, def, "demo");
  if (n < 0 || n > 1000000)
    luaL_error(L, "demo: option '%s' must be 0 to 1000000, not %I", key, n);
  return (int)n;
}

static int demo(lua_State *L) {
  static const char *const names[] = {"train", "valid", "seed", "progress",
                                      NULL};
  const char *folder = luaL_checkstring(L, 1);
  lua_settop(L, 2);
  slua_check_keys(L, 2, names, "demo");
  const int train = count(L, "train", SL_DEMO_TRAIN);
  const int valid = count(L, "valid", SL_DEMO_VALID);
  const lua_Integer seed = slua_get_int(L, 2, "seed", 1, "demo");
  if (!slua_get(L, 2, "progress")) lua_pushnil(L);
  luaL_checkstack(L, 8, "demo");
  const sl_status status =
      sl_demo_write(folder, train, valid, (uint64_t)seed, tell, L);
  if (status == SL_EINTERRUPT && lua_gettop(L) > 3) return lua_error(L);
  slua_check(L, status, "demo");
  return 0;
}

static int make_dirs(lua_State *L) {
  slua_check(L, sl_make_dirs(luaL_checkstring(L, 1)), "make_dirs");
  return 0;
}

int slua_open_demo(lua_State *L);
int slua_open_demo(lua_State *L) {
  const luaL_Reg functions[] = {{"demo", demo}, {NULL, NULL}};
  lua_pushcfunction(L, make_dirs);
  lua_setfield(L, -2, "make_dirs");
  slua_data_table(L);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
  return 0;
}
