/* slua_profile.c -- core.profile: where the time goes (ops/profile.h).
 *
 *   core.profile.start([file])     from now on; a Chrome trace goes to file
 *   core.profile.stop([rows [, file]])   the report, to stderr or a file
 *   core.profile.read() -> list of {op, layer, backward, dtype, calls,
 *     seconds, flops, bytes}; ends it, without a report
 *   core.profile.peak([device]) -> {f32, bf16 = FLOP/s, copy = bytes/s}
 *   core.profile.limit(peak, row) -> least seconds of such a row's calls
 *   core.profile.clock() -> seconds from some fixed moment
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "lua/profile.h"
#include "lua/slua.h"
#include "ops/profile.h"

enum { ROWS = 30 }; /* of each table */
#define NONE "none is being taken; start one first"

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

static int of_command; /* the profile was begun by --profile */

void slua_profile_end(void) {
  if (!of_command || !sl_profile_on) return;
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
  of_command = 1;
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
  if (!sl_profile_on) return luaL_error(L, "profile: " NONE);
  finish(out, (int)rows);
  return 0;
}

static void push_calls(lua_State *L, const sl_profile_calls *c, int backward) {
  lua_createtable(L, 0, 8);
  lua_pushstring(L, c->op);
  lua_setfield(L, -2, "op");
  lua_pushstring(L, c->layer);
  lua_setfield(L, -2, "layer");
  lua_pushstring(L, sl_dtype_name(c->dtype));
  lua_setfield(L, -2, "dtype");
  lua_pushboolean(L, backward);
  lua_setfield(L, -2, "backward");
  lua_pushinteger(L, c->calls);
  lua_setfield(L, -2, "calls");
  lua_pushnumber(L, c->seconds);
  lua_setfield(L, -2, "seconds");
  lua_pushnumber(L, c->cost.flops);
  lua_setfield(L, -2, "flops");
  lua_pushnumber(L, c->cost.bytes);
  lua_setfield(L, -2, "bytes");
}

static int read_calls(lua_State *L) {
  if (!sl_profile_on) return luaL_error(L, "profile: " NONE);
  slua_check(L, sl_profile_finish(), "profile");
  sl_profile_calls c;
  lua_Integer n = 0;
  lua_newtable(L);
  for (int backward = 0; backward < 2; backward++)
    for (int i = 0; sl_profile_get(i, backward, &c); i++) {
      if (!c.calls) continue;
      push_calls(L, &c, backward);
      lua_seti(L, -2, ++n);
    }
  sl_profile_forget();
  return 1;
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

static double number(lua_State *L, int table, const char *name) {
  lua_getfield(L, table, name);
  const double v = luaL_checknumber(L, -1);
  lua_pop(L, 1);
  return v;
}

static int limit(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  const sl_peak p = {{number(L, 1, "f32"), number(L, 1, "bf16")},
                     number(L, 1, "copy")};
  lua_getfield(L, 2, "dtype");
  const sl_dtype d = (sl_dtype)sl_dtype_find(luaL_checkstring(L, -1));
  lua_pushnumber(
      L, sl_peak_limit(&p, d, number(L, 2, "flops"), number(L, 2, "bytes")));
  return 1;
}

static int clock_seconds(lua_State *L) {
  lua_pushnumber(L, sl_clock());
  return 1;
}

static const luaL_Reg functions[] = {
    {"start", start}, {"stop", stop},   {"read", read_calls},
    {"peak", peak},   {"limit", limit}, {"clock", clock_seconds},
    {NULL, NULL}};

int slua_open_profile(lua_State *L);
int slua_open_profile(lua_State *L) {
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  lua_setfield(L, -2, "profile");
  return 0;
}
