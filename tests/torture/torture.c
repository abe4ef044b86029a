/* torture.c -- an interpreter for tests that try to break the engine from Lua:
 *
 *   torture SCRIPT [arguments]
 *
 * It is sota-lua without flags and with a module more, `torture`:
 *   fail_engine(n)   the engine's n-th allocation from now fails; 0: none
 *   fail_lua(n)      Lua's n-th allocation from now fails, and its second try
 *                    after the collection that Lua then does; 0: none
 *   collect_each(n)  each n-th allocation of Lua's begins with a whole
 *                    collection; 0: none
 *   watch(text)      the call that runs now: shown when the process dies, and
 *                    when it takes more than LIMIT seconds
 */
#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "lua/slua.h"

enum { LIMIT = 120, HUNG = 86 };

/* --- Lua's memory --------------------------------------------------------- */

static struct {
  int fail_in;      /* 1: the next one; 2 tries fail */
  int each, so_far; /* collect_each */
  int in_retry;
} memory;

/* Lua asks again after a NULL, when it has collected all it can. */
static int must_fail(void) {
  if (memory.in_retry) return memory.in_retry = 0;
  if (memory.fail_in > 0 && --memory.fail_in <= 1) return memory.fail_in < 2;
  if (memory.each && ++memory.so_far % memory.each == 0)
    return memory.in_retry = 1;
  return 0;
}

static void *allocate(void *user, void *p, size_t old, size_t size) {
  (void)user;
  if (size == 0) {
    free(p);
    return NULL;
  }
  if ((!p || size > old) && must_fail()) return NULL;
  return realloc(p, size);
}

/* --- the module ----------------------------------------------------------- */

static char watched[4096];

static void show(const char *why) {
  (void)!write(2, why, strlen(why));
  (void)!write(2, watched, strlen(watched));
  (void)!write(2, "\n", 1);
}

static void hung(int signal_number) {
  (void)signal_number;
  show("torture: HUNG in: ");
  _exit(HUNG);
}

static void died(int signal_number) {
  show("torture: DIED in: ");
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

/* Called by the sanitizers, where there are any, before they end us. */
void __asan_on_error(void);
__attribute__((visibility("default"))) void __asan_on_error(void) {
  show("torture: DIED in: ");
}

static int watch(lua_State *L) {
  snprintf(watched, sizeof watched, "%s", luaL_checkstring(L, 1));
  alarm(LIMIT);
  return 0;
}

static int fail_engine(lua_State *L) {
  lua_pushinteger(L, sl_alloc_fail_at((int)luaL_checkinteger(L, 1)));
  return 1;
}

static int fail_lua(lua_State *L) {
  const int n = (int)luaL_checkinteger(L, 1);
  memory.fail_in = n > 0 ? n + 1 : 0;
  return 0;
}

static int collect_each(lua_State *L) {
  memory.each = (int)luaL_checkinteger(L, 1);
  memory.so_far = memory.in_retry = 0;
  return 0;
}

static const luaL_Reg module[] = {{"watch", watch},
                                  {"fail_engine", fail_engine},
                                  {"fail_lua", fail_lua},
                                  {"collect_each", collect_each},
                                  {NULL, NULL}};

/* --- running -------------------------------------------------------------- */

static int run(lua_State *L) {
  char **argv = lua_touserdata(L, 1);
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_sota_core);
  lua_setfield(L, -2, "sota.core");
  luaL_newlib(L, module);
  lua_setglobal(L, "torture");
  lua_newtable(L);
  for (int i = 0; argv[i]; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i);
  }
  lua_setglobal(L, "arg");
  if (luaL_loadstring(L, "package.path = '" SL_TEST_SCRIPTS
                         "/?.lua;" SL_TEST_SCRIPTS
                         "/?/init.lua;' .. package.path\n") ||
      lua_pcall(L, 0, 0, 0) || luaL_loadfile(L, argv[0]))
    return lua_error(L);
  if (slua_pcall(L, 0, 0)) return lua_error(L);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: torture SCRIPT [arguments]\n");
    return 2;
  }
  signal(SIGALRM, hung);
  signal(SIGSEGV, died);
  signal(SIGABRT, died);
  signal(SIGFPE, died);
  lua_State *L = lua_newstate(allocate, NULL);
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, argv + 1);
  const int failed = lua_pcall(L, 1, 0, 0);
  memory.each = memory.fail_in = 0;
  sl_alloc_fail_at(0);
  if (failed) fprintf(stderr, "torture: %s\n", slua_error_text(L));
  snprintf(watched, sizeof watched, "lua_close");
  lua_close(L);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
