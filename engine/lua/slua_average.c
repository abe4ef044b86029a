/* slua_average.c -- core.average: running averages of many tensors. */
#include "lua/slua.h"
#include "train/average.h"

static void read_list(lua_State *L, int arg, slua_held *h, lua_Integer n) {
  for (lua_Integer i = 0; i < n; i++) {
    lua_geti(L, arg, i + 1);
    if (!slua_hold_tensor(L, h, -1))
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
  const lua_Integer n = slua_len(L, 1);
  if (n != slua_len(L, 2))
    return luaL_error(L, "average: %d averages of %d tensors", (int)n,
                      (int)slua_len(L, 2));
  slua_held *h = slua_hold(L, 2 * n);
  read_list(L, 1, h, n);
  read_list(L, 2, h, n);
  const sl_status status = sl_average_tensors(h->at, h->at + n, (int)n, keep);
  slua_let_go(h);
  slua_check(L, status, "average");
  return 0;
}

static const luaL_Reg functions[] = {{"average", average}, {NULL, NULL}};

int slua_open_average(lua_State *L);
int slua_open_average(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
  return 0;
}
