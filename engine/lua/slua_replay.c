/* slua_replay.c -- core.replay(f, x): f(x), of which backward keeps only x and
 * computes the rest again; and backward itself, which may so come back to
 * Lua. sota.recompute is what users see of it. */
#include "base/alloc.h"
#include "lua/slua.h"
#include "ops/random.h"
#include "ops/tape.h"

/* Who is in backward: replays run there. */
static _Thread_local lua_State *backward_state;

sl_status slua_backward(lua_State *L, sl_tensor *loss, sl_tensor *seed) {
  lua_State *before = backward_state;
  backward_state = L;
  const sl_status status = sl_backward(loss, seed);
  backward_state = before;
  return status;
}

typedef struct replay {
  lua_State *main; /* to let go of f */
  int f;           /* where the registry has it */
  sl_random_state random;
  sl_tensor *x, *y; /* of a run: borrowed; a reference for the caller */
} replay;

/* f(x, true) in a scope of its own; y is kept beyond it. */
static int run_in_lua(lua_State *L) {
  replay *r = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, r->f);
  slua_newbox(L)->t = sl_tensor_retain(r->x);
  lua_pushboolean(L, 1);
  lua_call(L, 2, 1);
  r->y = sl_tensor_retain(slua_checktensor(L, -1));
  return 0;
}

static sl_status run(void *context, sl_tensor *x, sl_tensor **y) {
  replay *r = context;
  lua_State *L = backward_state;
  const sl_random_state random = sl_random_save();
  r->x = x;
  r->y = NULL;
  sl_random_restore(r->random);
  const int scope = slua_scope_open(L);
  lua_pushcfunction(L, run_in_lua);
  lua_pushlightuserdata(L, r);
  const int failed = slua_pcall(L, 1, 0);
  slua_scope_close(L, scope);
  sl_random_restore(random);
  *y = r->y;
  return failed ? sl_fail(SL_ELUA, "a checkpoint failed in backward") : SL_OK;
}

static void free_replay(void *context) {
  replay *r = context;
  luaL_unref(r->main, LUA_REGISTRYINDEX, r->f);
  sl_free(r);
}

static int make_replay(lua_State *L, int f, sl_random_state random,
                       sl_replay *out) {
  replay *r = sl_alloc(1, sizeof *r);
  if (!r) return 0;
  r->random = random;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  r->main = lua_tothread(L, -1);
  lua_pop(L, 1);
  lua_pushvalue(L, f);
  r->f = luaL_ref(L, LUA_REGISTRYINDEX);
  *out = (sl_replay){run, free_replay, r};
  return 1;
}

/* f(x) is left in y's box, computed without recording. */
static void compute(lua_State *L, slua_box *y) {
  const int scope = slua_scope_open(L);
  sl_tape_enable(0);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  const int failed = lua_pcall(L, 1, 1, 0);
  sl_tape_enable(1);
  sl_tensor *result = failed ? NULL : slua_totensor(L, -1);
  sl_status status = SL_OK;
  if (result) status = sl_tensor_detach(&y->t, result);
  slua_scope_close(L, scope);
  if (failed) lua_error(L);
  slua_check(L, status, "checkpoint");
  if (!result)
    luaL_error(L, "checkpoint: the function must give one tensor, not a %s",
               luaL_typename(L, -1));
  lua_pop(L, 1);
}

/* replay(f, x) -> f(x). In backward f(x, true) is called for x's values. */
static int lua_replay(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  sl_tensor *x = slua_checktensor(L, 2);
  lua_settop(L, 2);
  if (!sl_tape_enabled()) {
    lua_call(L, 1, 1);
    return 1;
  }
  slua_box *y = slua_newbox(L);
  const sl_random_state random = sl_random_save();
  sl_replay r;
  compute(L, y);
  if (!make_replay(L, 1, random, &r))
    return luaL_error(L, "no memory for the tape");
  slua_check(L, sl_tape_replay(y->t, x, r), "checkpoint");
  return 1;
}

static const luaL_Reg functions[] = {{"replay", lua_replay}, {NULL, NULL}};

int slua_open_replay(lua_State *L);
int slua_open_replay(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
  return 0;
}
