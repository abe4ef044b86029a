/* main.c -- the interpreter. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua/slua.h"

/* package.path and cpath get ../share/lua/5.4 beside the binary's folder. */
static void set_path(lua_State *L) {
  char exe[4096];
  const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n <= 0) return;
  exe[n] = 0;
  for (int up = 0; up < 2; up++) {
    char *slash = strrchr(exe, '/');
    if (!slash) return;
    *slash = 0;
  }
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "path");
  lua_pushfstring(L, "%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua;%s",
                  exe, exe, lua_tostring(L, -1));
  lua_setfield(L, -3, "path");
  lua_pop(L, 2);
}

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  if (!L) return EXIT_FAILURE;
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_sota_core);
  lua_setfield(L, -2, "sota.core");
  lua_pop(L, 1);
  set_path(L);
  lua_createtable(L, argc, 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_seti(L, -2, i - 1);
  }
  lua_setglobal(L, "arg");
  const int failed =
      argc > 1 && (luaL_loadfile(L, argv[1]) || slua_pcall(L, 0, 0));
  if (failed) fprintf(stderr, "sota-lua: %s\n", luaL_tolstring(L, -1, NULL));
  lua_close(L);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
