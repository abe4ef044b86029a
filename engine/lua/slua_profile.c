/* slua_profile.c -- core.profile: where the time goes (ops/profile.h).
 *
 *   core.profile.start([file])     from now on; a Chrome trace goes to file
 *   core.profile.stop([rows [, file]])   the report, to stderr or a file
 *   core.profile.peak([device]) -> {f32 = FLOP/s, bf16 = FLOP/s, copy =
 * bytes/s}
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "lua/profile.h"
#include "lua/slua.h"
#include "ops/profile.h"

enum { ROWS = 30 }; /* of each table */

static sl_status start_recording(const char *trace) {
  FILE *file = NULL;
  if (trace && *trace) {
    file = fopen(trace, "w");
    SL_REQUIRE(file, SL_EIO, "cannot write the trace '%s': %s", trace,
               strerror(errno));
  }
  const sl_status status = sl_profile_start(file);
  if (status != SL_OK && file) fclose(file);
  return status;
}

/* The report on out; what went wrong with the trace is told there, too. */
static void finish(FILE *out, int rows) {
  const sl_status written = sl_profile_finish();
  if (written != SL_OK) fprintf(out, "profile: %s\n", sl_error());
  sl_peak peak;
  if (sl_peak_measure(&peak, sl_backend_default(), sl_profile_uses(SL_BF16)) !=
      SL_OK)
    peak = (sl_peak){0};
  sl_profile_report(out, &peak, rows);
  sl_profile_forget();
}

/* --- for the command ------------------------------------------------------ */

void slua_profile_end(void) {
  if (!sl_profile_on) return;
  fflush(stdout);
  finish(stderr, ROWS);
}

static int os_exit(lua_State *L) {
  slua_profile_end();
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 0);
  return 0;
}

sl_status slua_profile_begin(lua_State *L, const char *trace) {
  SL_TRY(start_recording(trace));
  lua_getglobal(L, "os");
  lua_getfield(L, -1, "exit");
  lua_pushcclosure(L, os_exit, 1);
  lua_setfield(L, -2, "exit");
  lua_pop(L, 1);
  return SL_OK;
}

/* --- for Lua -------------------------------------------------------------- */

static int start(lua_State *L) {
  slua_check(L, start_recording(luaL_optstring(L, 1, NULL)), "profile");
  return 0;
}

/* An open file of Lua's. */
static FILE *check_file(lua_State *L, int arg) {
  const luaL_Stream *s = luaL_checkudata(L, arg, LUA_FILEHANDLE);
  luaL_argcheck(L, s->closef, arg, "the file is closed");
  return s->f;
}

static int stop(lua_State *L) {
  const lua_Integer rows = luaL_optinteger(L, 1, ROWS);
  FILE *out = lua_isnoneornil(L, 2) ? stderr : check_file(L, 2);
  luaL_argcheck(L, rows >= 0 && rows <= INT32_MAX, 1, "rows is a count");
  if (!sl_profile_on)
    return luaL_error(L, "profile: none is being taken; start one first");
  finish(out, (int)rows);
  return 0;
}

static int peak(lua_State *L) {
  sl_peak p;
  slua_check(L, sl_peak_measure(&p, slua_check_device(L, 1), 1), "peak");
  lua_createtable(L, 0, 3);
  lua_pushnumber(L, p.gemm[SL_F32]);
  lua_setfield(L, -2, "f32");
  lua_pushnumber(L, p.gemm[SL_BF16]);
  lua_setfield(L, -2, "bf16");
  lua_pushnumber(L, p.copy);
  lua_setfield(L, -2, "copy");
  return 1;
}

static const luaL_Reg functions[] = {
    {"start", start}, {"stop", stop}, {"peak", peak}, {NULL, NULL}};

int slua_open_profile(lua_State *L);
int slua_open_profile(lua_State *L) {
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  lua_setfield(L, -2, "profile");
  return 0;
}
