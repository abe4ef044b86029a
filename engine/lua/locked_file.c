/* locked_file.c -- see locked_file.h. */
#include "lua/locked_file.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OWNER_ONLY = 0600 };

/* rewrite puts another file in the place of the one that was waited for: then
 * the lock is on a file that has no name any more. */
static int is_at(int fd, const char *path) {
  struct stat mine, named;
  return fstat(fd, &mine) == 0 && stat(path, &named) == 0 &&
         mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

static int open_locked(const char *path) {
  for (int tries = 0; tries < 100; tries++) {
    const int fd =
        open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, OWNER_ONLY);
    if (fd < 0) return -1;
    int failed;
    do
      failed = flock(fd, LOCK_EX);
    while (failed && errno == EINTR);
    if (is_at(fd, path)) {
      fchmod(fd, OWNER_ONLY);
      return fd;
    }
    close(fd);
  }
  return -1;
}

static int write_all(int fd, const char *text, size_t n) {
  while (n > 0) {
    const ssize_t k = write(fd, text, n);
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return 0;
    text += k;
    n -= (size_t)k;
  }
  return 1;
}

static int refuse(lua_State *L, const char *path) {
  const int why = errno;
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, strerror(why));
  return 2;
}

int slua_file_append(lua_State *L) {
  size_t n;
  const char *path = luaL_checkstring(L, 1),
             *text = luaL_checklstring(L, 2, &n);
  const int fd = open_locked(path);
  if (fd < 0) return refuse(L, path);
  const int ok = write_all(fd, text, n);
  if (!ok) refuse(L, path);
  close(fd);
  if (!ok) return 2;
  lua_pushboolean(L, 1);
  return 1;
}

/* Another file, complete, takes the place of the one at path. */
static int replace(lua_State *L, const char *path, const char *text, size_t n) {
  const char *other = lua_pushfstring(L, "%s.new", path);
  unlink(other);
  const int fd =
      open(other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, OWNER_ONLY);
  if (fd < 0) return 0;
  const int written = write_all(fd, text, n) && fsync(fd) == 0;
  return close(fd) == 0 && written && rename(other, path) == 0;
}

/* (path, f): what runs while fd, which is in upvalue 1, is locked. */
static int rewrite(lua_State *L) {
  const char *path = lua_tostring(L, 1);
  const int fd = (int)lua_tointeger(L, lua_upvalueindex(1));
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (;;) {
    char *into = luaL_prepbuffer(&b);
    const ssize_t k = read(fd, into, LUAL_BUFFERSIZE);
    if (k < 0) return refuse(L, path);
    if (k == 0) break;
    luaL_addsize(&b, (size_t)k);
  }
  luaL_pushresult(&b);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_call(L, 1, 1);
  size_t n;
  const int at = lua_gettop(L);
  const char *text = luaL_checklstring(L, at, &n);
  if (lua_rawequal(L, at, at - 1)) return 1;
  if (!replace(L, path, text, n)) return refuse(L, path);
  lua_settop(L, at);
  return 1;
}

int slua_file_rewrite(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  const int fd = open_locked(path);
  if (fd < 0) return refuse(L, path);
  lua_pushinteger(L, fd);
  lua_pushcclosure(L, rewrite, 1);
  lua_insert(L, 1);
  const int status = lua_pcall(L, 2, LUA_MULTRET, 0);
  close(fd);
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}
