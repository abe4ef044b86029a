/* core.c -- the module sota.core: every part of parts.def in one table. */
#include "lua/slua.h"

#define SLUA_PART(name) slua_opener slua_open_##name;
#include "lua/parts.def"

int luaopen_sota_core(lua_State *L) {
  luaL_checkversion(L);
  lua_newtable(L);
#define SLUA_PART(name) slua_open_##name(L);
#include "lua/parts.def"
  lua_pushstring(L, SL_VERSION);
  lua_setfield(L, -2, "version");
  return 1;
}
