/* stop.c -- see stop.h. */
#include "lua/stop.h"

#include <lauxlib.h>
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
