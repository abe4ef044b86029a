/* slua_box.c -- boxes, scopes, and when to collect.
 *
 * Lua's collector sees a small userdata, not the memory behind it. Two things
 * make up for that: a scope releases what was made inside when it closes (the
 * training loop opens one per step), and a full collection runs when native
 * memory has grown to twice what was alive after the last one. */
#include "lua/slua.h"

#include <string.h>

enum { MAX_SCOPES = 64 };
static const int64_t least_limit = 512LL << 20;

/* One per Lua state; its address in the registry is that of env_key. A scope
 * is a list with a head; open boxes are linked into the innermost. */
typedef struct env {
  slua_box heads[MAX_SCOPES];
  int depth;
  int64_t soft_limit;
} env;

static const char env_key;

static env *get_env(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &env_key);
  env *e = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (e) return e;
  e = lua_newuserdatauv(L, sizeof *e, 0);
  memset(e, 0, sizeof *e);
  e->soft_limit = least_limit;
  lua_rawsetp(L, LUA_REGISTRYINDEX, &env_key);
  return e;
}

static void unlink_box(slua_box *b) {
  if (!b->next) return;
  b->prev->next = b->next;
  b->next->prev = b->prev;
  b->prev = b->next = NULL;
}

static void link_box(slua_box *head, slua_box *b) {
  b->prev = head;
  b->next = head->next;
  head->next->prev = b;
  head->next = b;
}

static void collect_if_much(lua_State *L, env *e) {
  const sl_backend *b = sl_backend_default();
  if (b->used() < e->soft_limit) return;
  lua_gc(L, LUA_GCCOLLECT, 0);
  const int64_t alive = b->used();
  e->soft_limit = 2 * alive > least_limit ? 2 * alive : least_limit;
}

slua_box *slua_newbox(lua_State *L) {
  env *e = get_env(L);
  collect_if_much(L, e);
  slua_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (slua_box){0};
  luaL_setmetatable(L, SLUA_TENSOR);
  if (e->depth > 0) link_box(&e->heads[e->depth - 1], box);
  return box;
}

slua_box *slua_checkbox(lua_State *L, int arg) {
  return luaL_checkudata(L, arg, SLUA_TENSOR);
}

sl_tensor *slua_checktensor(lua_State *L, int arg) {
  slua_box *box = slua_checkbox(L, arg);
  luaL_argcheck(L, box->t, arg, "tensor has been closed");
  return box->t;
}

sl_tensor *slua_totensor(lua_State *L, int arg) {
  slua_box *box = luaL_testudata(L, arg, SLUA_TENSOR);
  return box ? box->t : NULL;
}

static int box_close(lua_State *L) { /* __gc, __close, close: may run twice */
  slua_box *box = slua_checkbox(L, 1);
  sl_tensor *t = box->t;
  box->t = NULL;
  unlink_box(box);
  sl_tensor_release(t);
  return 0;
}

int slua_scope_open(lua_State *L) {
  env *e = get_env(L);
  if (e->depth == MAX_SCOPES)
    return luaL_error(L, "scope: more than %d scopes inside each other",
                      (int)MAX_SCOPES);
  slua_box *head = &e->heads[e->depth++];
  head->prev = head->next = head;
  return e->depth;
}

void slua_scope_close(lua_State *L, int mark) {
  env *e = get_env(L);
  for (; e->depth >= mark; e->depth--) {
    slua_box *head = &e->heads[e->depth - 1];
    while (head->next != head) {
      slua_box *box = head->next;
      unlink_box(box);
      sl_tensor_release(box->t);
      box->t = NULL;
    }
  }
}

void slua_scope_keep(lua_State *L, int arg) {
  slua_box *box = slua_checkbox(L, arg);
  env *e = get_env(L);
  unlink_box(box);
  if (e->depth > 1) link_box(&e->heads[e->depth - 2], box);
}

void slua_scope_keep_for_ever(lua_State *L, int arg) {
  unlink_box(slua_checkbox(L, arg));
}

/* sota.scope(f, ...): f's results, tensors in them alive; what else f made is
 * closed. Tensors in a result table (one level) live too. */
static void keep_result(lua_State *L, int i) {
  if (luaL_testudata(L, i, SLUA_TENSOR)) {
    slua_scope_keep(L, i);
  } else if (lua_type(L, i) == LUA_TTABLE) {
    for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1))
      if (luaL_testudata(L, -1, SLUA_TENSOR)) slua_scope_keep(L, -1);
  }
}

static int scope(lua_State *L) {
  luaL_checkany(L, 1);
  const int mark = slua_scope_open(L);
  const int failed = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  if (!failed)
    for (int i = 1; i <= lua_gettop(L); i++)
      keep_result(L, i);
  slua_scope_close(L, mark);
  return failed ? lua_error(L) : lua_gettop(L);
}

/* t:keep(): outlives every open scope. Returns t. */
static int box_keep(lua_State *L) {
  slua_checktensor(L, 1);
  slua_scope_keep_for_ever(L, 1);
  lua_settop(L, 1);
  return 1;
}

static int is_open(lua_State *L) {
  lua_pushboolean(L, slua_checkbox(L, 1)->t != NULL);
  return 1;
}

static const luaL_Reg meta[] = {
    {"__gc", box_close}, {"__close", box_close}, {NULL, NULL}};
static const luaL_Reg methods[] = {{"close", box_close},
                                   {"keep", box_keep},
                                   {"is_open", is_open},
                                   {NULL, NULL}};
static const luaL_Reg functions[] = {{"scope", scope}, {NULL, NULL}};

/* The metatable has a table `methods`, shared with the other files; __index
 * is set by slua_tensor.c. */
int slua_open_box(lua_State *L);
int slua_open_box(lua_State *L) {
  luaL_newmetatable(L, SLUA_TENSOR);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "methods");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
  return 0;
}
