/* stop.c -- see stop.h. */
#include "lua/stop.h"

#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <unistd.h>

#include "base/interrupt.h"

static lua_State *running;
static volatile sig_atomic_t last_signal = SIGINT;
static volatile sig_atomic_t keep, raised;

/* Only counted hooks outlive the first error: they do not come between an error
 * and its message handler, which is a C function. */
static void stop(lua_State *L, lua_Debug *ar) {
  (void)ar;
  if (raised++ == 0)
    lua_sethook(L, NULL, 0, 0);
  else
    lua_sethook(L, stop, LUA_MASKCOUNT, 1);
  sl_interrupt_clear();
  luaL_error(L, "interrupted!");
}

int slua_stop_code(void) {
  return 128 + (int)last_signal;
}

static void on_interrupt(int signal_number) {
  const int before = sl_interrupt_pending();
  signal(signal_number, on_interrupt);
  last_signal = signal_number;
  sl_interrupt_request();
  if (before == 0 && sl_interrupt_deferred()) return;
  if (before >= 2 && !keep) _exit(slua_stop_code());
  const int events = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT;
  lua_sethook(running, stop, raised ? LUA_MASKCOUNT : events, 1);
}

/* --- coroutines ------------------------------------------------------------
 *
 * The handler must know which coroutine runs: resume and wrap tell. Neither is
 * yielded through, so that a plain call inside them will do. */

static int call_as_running(lua_State *L, lua_State *co, int n_args) {
  lua_State *before = running;
  running = co;
  const int status = lua_pcall(L, n_args, LUA_MULTRET, 0);
  running = before;
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

static int resume(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  const int n = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  return call_as_running(L, co ? co : running, n);
}

static int resume_wrapped(lua_State *L) {
  const int n = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  return call_as_running(L, lua_tothread(L, lua_upvalueindex(2)), n);
}

/* What coroutine.wrap gives has its coroutine as an upvalue. */
static int wrap(lua_State *L) {
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  if (!lua_getupvalue(L, 1, 1) || !lua_isthread(L, -1))
    return lua_settop(L, 1), 1;
  lua_pushcclosure(L, resume_wrapped, 2);
  return 1;
}

void slua_stop_open(lua_State *L) {
  const luaL_Reg told[] = {{"resume", resume}, {"wrap", wrap}, {NULL, NULL}};
  lua_getglobal(L, LUA_COLIBNAME);
  for (int i = 0; told[i].name; i++) {
    lua_getfield(L, -1, told[i].name);
    lua_pushcclosure(L, told[i].func, 1);
    lua_setfield(L, -2, told[i].name);
  }
  lua_pop(L, 1);
}

/* --- around a call of Lua --------------------------------------------------
 */

void slua_stop_arm(lua_State *L, int keep_session) {
  running = L;
  keep = keep_session;
  raised = 0;
  signal(SIGINT, on_interrupt);
  if (!keep_session) signal(SIGTERM, on_interrupt);
}

void slua_stop_disarm(lua_State *L) {
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  lua_sethook(L, NULL, 0, 0);
  sl_interrupt_clear();
}
