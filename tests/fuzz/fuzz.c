/* fuzz.c -- see fuzz.h. */
#define _GNU_SOURCE
#include "fuzz.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lua/slua.h"

const char *fuzz_file(const uint8_t *data, size_t size) {
  static char path[64];
  static int fd = -1;
  if (fd < 0) {
    fd = memfd_create("fuzz", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  }
  if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
    abort();
  return path;
}

void fuzz_write(const char *path, const void *data, size_t size) {
  FILE *f = fopen(path, "wb");
  if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) abort();
}

static char folder[64];

static void remove_folder(void) {
  char command[96];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  if (system(command) != 0) fprintf(stderr, "%s stays\n", folder);
}

const char *fuzz_folder(void) {
  if (!*folder) {
    snprintf(folder, sizeof folder, "/dev/shm/fuzz.XXXXXX");
    if (!mkdtemp(folder)) abort();
    atexit(remove_folder);
  }
  return folder;
}

static void too_long(lua_State *L, lua_Debug *ar) {
  (void)ar;
  luaL_error(L, "this takes too long");
}

static lua_State *new_state(const char *chunk) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_requiref(L, "sota.core", luaopen_sota_core, 0);
  lua_settop(L, 0);
  if (luaL_dostring(L, "package.path = '" SL_TEST_SCRIPTS
                       "/?.lua;" SL_TEST_SCRIPTS "/?/init.lua'") ||
      luaL_loadstring(L, chunk) || lua_pcall(L, 0, 1, 0)) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
  }
  return L; /* the function that chunk returned is at 1 */
}

void fuzz_lua(const char *chunk, const uint8_t *data, size_t size) {
  static lua_State *L;
  if (!L) L = new_state(chunk);
  lua_sethook(L, too_long, LUA_MASKCOUNT, 5000000);
  lua_pushvalue(L, 1);
  lua_pushlstring(L, (const char *)data, size);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK && !lua_tostring(L, -1) &&
      !lua_istable(L, -1))
    abort(); /* an error without a text */
  lua_settop(L, 1);
}
