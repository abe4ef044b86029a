/* slua_doctor.c -- what this build and machine have, as facts in a table:
 *
 *   core.found() -> {lua =, compiler =, editing = true or false,
 *                    devices = {{name =, text =}...},
 *                    (without a name: cannot be used, and why)
 *                    libraries = {{name =, version =, package =, without
 * =}...}, formats = {{name =, readable =, blocked =}...}}
 *
 * A library without version is missing. scripts/sota/doctor.lua prints it. */
#include "data/libraries.h"
#include "lua/slua.h"

static void set_text(lua_State *L, const char *key, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, key);
}

static void push_devices(lua_State *L) {
  char text[512];
  const char *why_not;
  lua_newtable(L);
  for (int i = 0;; i++) {
    const sl_backend *b = sl_backend_at(i, &why_not);
    if (!b && !why_not) return;
    lua_createtable(L, 0, 2);
    if (b) {
      set_text(L, "name", b->name);
      b->describe(text, sizeof text);
    }
    set_text(L, "text", b ? text : why_not);
    lua_seti(L, -2, i + 1);
  }
}

static void push_libraries(lua_State *L) {
  sl_library all[SL_N_LIBRARIES];
  sl_libraries(all);
  lua_createtable(L, SL_N_LIBRARIES, 0);
  for (int i = 0; i < SL_N_LIBRARIES; i++) {
    lua_createtable(L, 0, 4);
    set_text(L, "name", all[i].name);
    set_text(L, "package", all[i].package);
    set_text(L, "without", all[i].without);
    if (*all[i].version) set_text(L, "version", all[i].version);
    lua_seti(L, -2, i + 1);
  }
}

static void push_formats(lua_State *L) {
  sl_format all[SL_N_FORMATS];
  slua_check(L, sl_formats(all), "doctor");
  lua_createtable(L, SL_N_FORMATS, 0);
  for (int i = 0; i < SL_N_FORMATS; i++) {
    lua_createtable(L, 0, 2);
    set_text(L, "name", all[i].name);
    lua_pushboolean(L, all[i].readable);
    lua_setfield(L, -2, "readable");
    lua_pushboolean(L, all[i].blocked);
    lua_setfield(L, -2, "blocked");
    lua_seti(L, -2, i + 1);
  }
}

static int found(lua_State *L) {
  lua_createtable(L, 0, 6);
  set_text(L, "lua", LUA_RELEASE);
#ifdef __clang__
  set_text(L, "compiler", "clang " __clang_version__);
#else
  set_text(L, "compiler", "gcc " __VERSION__);
#endif
#ifdef SL_HAVE_EDIT
  lua_pushboolean(L, 1);
#else
  lua_pushboolean(L, 0);
#endif
  lua_setfield(L, -2, "editing");
  push_devices(L);
  lua_setfield(L, -2, "devices");
  push_libraries(L);
  lua_setfield(L, -2, "libraries");
  push_formats(L);
  lua_setfield(L, -2, "formats");
  return 1;
}

int slua_open_doctor(lua_State *L);
int slua_open_doctor(lua_State *L) {
  lua_pushcfunction(L, found);
  lua_setfield(L, -2, "found");
  return 0;
}
