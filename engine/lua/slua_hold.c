/* slua_hold.c -- tensors and texts of a list that C is to work on.
 *
 * While a list is read, metamethods and finalizers may run: they may close a
 * tensor that was read already, or change the list. So each is held. */
#include "lua/slua.h"

#define HELD "sota.held"

slua_held *slua_hold(lua_State *L, lua_Integer n) {
  slua_held *h =
      lua_newuserdatauv(L, sizeof *h + (size_t)n * sizeof h->at[0], 1);
  h->n = 0;
  luaL_setmetatable(L, HELD);
  lua_newtable(L);
  lua_setiuservalue(L, -2, 1);
  return h;
}

sl_tensor *slua_hold_tensor(lua_State *L, slua_held *h, int arg) {
  sl_tensor *t = slua_totensor(L, arg);
  if (t) h->at[h->n++] = sl_tensor_retain(t);
  return t;
}

const char *slua_hold_text(lua_State *L, int held, int arg) {
  const char *text =
      lua_type(L, arg) == LUA_TSTRING ? lua_tostring(L, arg) : NULL;
  if (!text) return NULL;
  lua_pushvalue(L, arg);
  lua_getiuservalue(L, held, 1);
  lua_insert(L, -2);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
  return text;
}

void slua_let_go(slua_held *h) {
  while (h->n > 0)
    sl_tensor_release(h->at[--h->n]);
}

static int held_gc(lua_State *L) {
  slua_let_go(luaL_checkudata(L, 1, HELD));
  return 0;
}

int slua_open_hold(lua_State *L);
int slua_open_hold(lua_State *L) {
  luaL_newmetatable(L, HELD);
  lua_pushcfunction(L, held_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  return 0;
}
