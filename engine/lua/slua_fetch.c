/* slua_fetch.c -- downloads in Lua.
 *
 *   data.untar(url [, {cache=, size=, md5=, sha256=, keep=false,
 *                      progress=, unpacking=function(done, total)}]) -> folder
 *       bytes of the download, then of the archive that is unpacked; total is 0
 *       while it is unknown; an error in one of them ends it
 *   data.cache_dir() -> folder
 *   data.can_download() -> boolean */
#include "data/untar.h"
#include "lua/slua_data.h"

enum { PROGRESS = 3, UNPACKING, TOP = UNPACKING }; /* on the stack, or nil */

/* Called between curl's frames, and libarchive's: an error stays on the stack,
 * as a status. */
static sl_status tell(lua_State *L, int function, int64_t done, int64_t total) {
  lua_settop(L, TOP);
  lua_pushvalue(L, function);
  lua_pushinteger(L, done);
  lua_pushinteger(L, total);
  if (slua_pcall(L, 2, 0) == LUA_OK) return SL_OK;
  return sl_fail(SL_ELUA, "the progress function raised an error");
}

static sl_status tell_fetched(void *context, int64_t done, int64_t total) {
  return tell(context, PROGRESS, done, total);
}

static sl_status tell_unpacked(void *context, int64_t done, int64_t total) {
  return tell(context, UNPACKING, done, total);
}

/* Puts the function of that name, or nil, on the stack. */
static int take_function(lua_State *L, const char *name) {
  if (!slua_get(L, 2, name)) {
    lua_pushnil(L);
    return 0;
  }
  luaL_checktype(L, -1, LUA_TFUNCTION);
  return 1;
}

static int untar(lua_State *L) {
  static const char *const names[] = {
      "cache", "size", "md5", "sha256", "keep", "progress", "unpacking", NULL};
  const char *url = luaL_checkstring(L, 1);
  char folder[SL_PATH_MAX];
  lua_settop(L, 2);
  slua_check_keys(L, 2, names, "untar");
  const sl_untar_opts from = {
      .cache = slua_get_text(L, 2, "cache", NULL, "untar"),
      .published = {.size = slua_get_int(L, 2, "size", 0, "untar"),
                    .md5 = slua_get_text(L, 2, "md5", NULL, "untar"),
                    .sha256 = slua_get_text(L, 2, "sha256", NULL, "untar")},
      .fetch = {.context = L, .retries = -1},
      .keep_archive = slua_get_flag(L, 2, "keep", 0, "untar")};
  sl_untar_opts o = from;
  if (take_function(L, "progress")) o.fetch.progress = tell_fetched;
  if (take_function(L, "unpacking")) o.unpacking = tell_unpacked;
  luaL_checkstack(L, 8, "untar");
  slua_check(L, sl_untar(url, &o, folder), NULL);
  lua_pushstring(L, folder);
  return 1;
}

static int cache_dir(lua_State *L) {
  char folder[SL_PATH_MAX];
  slua_check(L, sl_cache_dir(folder), NULL);
  lua_pushstring(L, folder);
  return 1;
}

static int can_download(lua_State *L) {
  lua_pushboolean(L, sl_untar_can_download());
  return 1;
}

int slua_open_fetch(lua_State *L);
int slua_open_fetch(lua_State *L) {
  const luaL_Reg functions[] = {{"untar", untar},
                                {"cache_dir", cache_dir},
                                {"can_download", can_download},
                                {NULL, NULL}};
  slua_data_table(L);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
  return 0;
}
