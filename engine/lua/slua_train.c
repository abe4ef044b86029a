/* slua_train.c -- core.schedule, core.metrics, core.progress and format_time:
 * the small parts of train/. */
#include <stdalign.h>
#include <string.h>

#include "lua/slua_train.h"
#include "train/metrics.h"

/* --- schedules -------------------------------------------------------------
 */

sl_schedule *slua_checkschedule(lua_State *L, int arg) {
  return luaL_checkudata(L, arg, SLUA_SCHEDULE);
}

static sl_schedule *new_schedule(lua_State *L) {
  sl_schedule *s = lua_newuserdatauv(L, sizeof *s, 0);
  memset(s, 0, sizeof *s);
  luaL_setmetatable(L, SLUA_SCHEDULE);
  return s;
}

/* The segment in the table on top: {curve, from, to [, power]}. */
static sl_segment read_segment(lua_State *L) {
  luaL_checktype(L, -1, LUA_TTABLE);
  for (int i = 1; i <= 4; i++)
    lua_geti(L, -i, i);
  const char *name = lua_tostring(L, -4);
  const int curve = name ? sl_curve_find(name) : -1;
  if (curve < 0)
    luaL_error(L, "schedule: no curve '%s': there are no, lin, cos, exp, poly",
               name ? name : luaL_typename(L, -4));
  if (!lua_isnumber(L, -3) || !lua_isnumber(L, -2))
    luaL_error(L, "schedule: a segment is {curve, from, to [, power]}");
  const sl_segment s = {(sl_curve)curve, lua_tonumber(L, -3),
                        lua_tonumber(L, -2), luaL_optnumber(L, -1, 1)};
  lua_pop(L, 4);
  return s;
}

/* combine({share, ...}, {{curve, from, to [, power]}, ...}) */
static int combine(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  const lua_Integer n = slua_len(L, 1);
  luaL_argcheck(L, n == slua_len(L, 2), 2, "as many segments as shares");
  luaL_argcheck(L, n >= 1 && n <= SL_MAX_SEGMENTS, 1, "1 to 32 segments");
  double pcts[SL_MAX_SEGMENTS];
  sl_segment segments[SL_MAX_SEGMENTS];
  for (lua_Integer i = 0; i < n; i++) {
    lua_geti(L, 1, i + 1);
    pcts[i] = luaL_checknumber(L, -1);
    lua_geti(L, 2, i + 1);
    segments[i] = read_segment(L);
    lua_pop(L, 2);
  }
  slua_check(L, sl_schedule_combine(new_schedule(L), (int)n, pcts, segments),
             "schedule");
  return 1;
}

static int combined_cos(lua_State *L) { /* (pct, start, middle, end) */
  const double pct = luaL_checknumber(L, 1), start = luaL_checknumber(L, 2);
  const double middle = luaL_checknumber(L, 3), end = luaL_checknumber(L, 4);
  slua_check(L,
             sl_schedule_combined_cos(new_schedule(L), pct, start, middle, end),
             "schedule");
  return 1;
}

static int sgdr(lua_State *L) { /* (n_cycles, cycle_len, mult, lr) */
  const int n = (int)luaL_checkinteger(L, 1);
  const double len = luaL_checknumber(L, 2), mult = luaL_checknumber(L, 3);
  const double lr = luaL_checknumber(L, 4);
  slua_check(L, sl_schedule_sgdr(new_schedule(L), n, len, mult, lr),
             "schedule");
  return 1;
}

static int schedule_call(lua_State *L) { /* s(pos) */
  const sl_schedule *s = slua_checkschedule(L, 1);
  lua_pushnumber(L, sl_schedule_at(s, luaL_checknumber(L, 2)));
  return 1;
}

static int even_mults(lua_State *L) { /* (start, stop, n) -> list */
  const double start = luaL_checknumber(L, 1), stop = luaL_checknumber(L, 2);
  const lua_Integer n = luaL_checkinteger(L, 3);
  luaL_argcheck(L, n >= 1 && n <= 1 << 20, 3, "a count is wanted");
  double *v = lua_newuserdatauv(L, (size_t)n * sizeof *v, 0);
  sl_even_mults(start, stop, (int)n, v);
  lua_createtable(L, (int)n, 0);
  for (lua_Integer i = 0; i < n; i++) {
    lua_pushnumber(L, v[i]);
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

/* --- metrics ---------------------------------------------------------------
 */

/* The share as a tensor of no dimensions, so that :item() works on it. */
static int push_share(lua_State *L, int64_t hits, int64_t n, int invert) {
  const double share = n > 0 ? (double)hits / (double)n : 0;
  const float v = (float)(invert ? 1 - share : share);
  slua_box *box = slua_newbox(L);
  slua_check(L, sl_tensor_from(&box->t, &sl_cpu, SL_F32, 0, NULL, &v),
             "metrics");
  return 1;
}

typedef struct top_k_opts {
  int64_t k;
} top_k_opts;

static const sl_option top_k_options[] = {
    SL_OPT_INT(top_k_opts, k, 5, 1, 1 << 30, "among how many best"),
    SL_OPT_END,
};

typedef struct multi_opts {
  double thresh;
  int sigmoid;
} multi_opts;

static const sl_option multi_options[] = {
    SL_OPT_FLOAT(multi_opts, thresh, 0.5, -1e30, 1e30, "above: predicted"),
    SL_OPT_BOOL(multi_opts, sigmoid, 1, "apply a sigmoid to predictions first"),
    SL_OPT_END,
};

static int count_top(lua_State *L, int64_t k, int invert, const char *name) {
  sl_tensor *pred = slua_checktensor(L, 1), *targ = slua_checktensor(L, 2);
  int64_t hits = 0, n = 0;
  slua_check(L, sl_count_top_k(pred, targ, k, &hits, &n), name);
  return push_share(L, hits, n, invert);
}

static int accuracy(lua_State *L) {
  return count_top(L, 1, 0, "accuracy");
}

static int error_rate(lua_State *L) {
  return count_top(L, 1, 1, "error_rate");
}

static int top_k_accuracy(lua_State *L) {
  top_k_opts o;
  slua_check_options(L, 3, top_k_options, &o, sizeof o, "top_k_accuracy");
  return count_top(L, o.k, 0, "top_k_accuracy");
}

static int accuracy_multi(lua_State *L) {
  multi_opts o;
  slua_check_options(L, 3, multi_options, &o, sizeof o, "accuracy_multi");
  sl_tensor *pred = slua_checktensor(L, 1), *targ = slua_checktensor(L, 2);
  int64_t hits = 0, n = 0;
  slua_check(L, sl_count_multi(pred, targ, o.thresh, o.sigmoid, &hits, &n),
             "accuracy_multi");
  return push_share(L, hits, n, 0);
}

/* --- progress --------------------------------------------------------------
 */

#define PROGRESS "sota.progress"

/* progress(label, total [, unit]): total 0 when it is not known. It shows when
 * it takes longer than a moment. */
static int progress(lua_State *L) {
  const char *label = luaL_checkstring(L, 1);
  const lua_Integer total = luaL_optinteger(L, 2, 0);
  const char *unit = luaL_optstring(L, 3, "");
  sl_progress *p = lua_newuserdatauv(L, sizeof *p, 0);
  *p = sl_progress_new();
  luaL_setmetatable(L, PROGRESS);
  sl_progress_start(p, label, total, unit);
  sl_progress_delay(p, 0.4);
  return 1;
}

static int progress_update(lua_State *L) { /* p:update(done [, items]) */
  sl_progress *p = luaL_checkudata(L, 1, PROGRESS);
  const lua_Integer done = luaL_checkinteger(L, 2);
  sl_progress_update(p, done, luaL_optinteger(L, 3, *p->unit ? done : 0));
  return 0;
}

static int progress_clear(lua_State *L) {
  sl_progress_clear(luaL_checkudata(L, 1, PROGRESS));
  return 0;
}

static int format_time(lua_State *L) { /* seconds -> "mm:ss", "h:mm:ss" */
  char text[32];
  sl_format_time(luaL_checknumber(L, 1), text, sizeof text);
  lua_pushstring(L, text);
  return 1;
}

/* --- opening ---------------------------------------------------------------
 */

static const luaL_Reg schedules[] = {{"combine", combine},
                                     {"combined_cos", combined_cos},
                                     {"sgdr", sgdr},
                                     {"even_mults", even_mults},
                                     {NULL, NULL}};
static const luaL_Reg metrics[] = {{"accuracy", accuracy},
                                   {"error_rate", error_rate},
                                   {"top_k_accuracy", top_k_accuracy},
                                   {"accuracy_multi", accuracy_multi},
                                   {NULL, NULL}};
static const luaL_Reg progress_methods[] = {{"update", progress_update},
                                            {"clear", progress_clear},
                                            {"close", progress_clear},
                                            {NULL, NULL}};
static const luaL_Reg functions[] = {
    {"progress", progress}, {"format_time", format_time}, {NULL, NULL}};

int slua_open_train(lua_State *L);
int slua_open_train(lua_State *L) {
  luaL_newmetatable(L, SLUA_SCHEDULE);
  lua_pushcfunction(L, schedule_call);
  lua_setfield(L, -2, "__call");
  luaL_newmetatable(L, PROGRESS);
  luaL_newlib(L, progress_methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, progress_clear);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 2);
  luaL_setfuncs(L, functions, 0);
  luaL_newlib(L, schedules);
  lua_setfield(L, -2, "schedule");
  luaL_newlib(L, metrics);
  lua_setfield(L, -2, "metrics");
  return 0;
}
