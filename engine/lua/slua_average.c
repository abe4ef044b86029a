/* slua_average.c -- core.average: running averages of many tensors. */
#include "lua/slua.h"
#include "train/average.h"

/* The tensors of the list at arg, which keeps them alive. */
static void read_list(lua_State *L, int arg, sl_tensor **at, lua_Integer n) {
  for (lua_Integer i = 0; i < n; i++) {
    lua_geti(L, arg, i + 1);
    at[i] = slua_totensor(L, -1);
    if (!at[i])
      luaL_error(L, "average: item %d of list %d is no (open) tensor",
                 (int)i + 1, arg);
    lua_pop(L, 1);
  }
}

/* average(averages, tensors, keep): averages[i] = keep * averages[i] +
 * (1 - keep) * tensors[i], in place */
static int average(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  const double keep = luaL_checknumber(L, 3);
  const lua_Integer n = luaL_len(L, 1);
  if (n != luaL_len(L, 2))
    return luaL_error(L, "average: %d averages of %d tensors", (int)n,
                      (int)luaL_len(L, 2));
  sl_tensor **at = lua_newuserdatauv(L, 2 * (size_t)(n + 1) * sizeof *at, 0);
  read_list(L, 1, at, n);
  read_list(L, 2, at + n, n);
  slua_check(L, sl_average_tensors(at, at + n, (int)n, keep), "average");
  return 0;
}

static const luaL_Reg functions[] = {{"average", average}, {NULL, NULL}};

int slua_open_average(lua_State *L);
int slua_open_average(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
  return 0;
}
