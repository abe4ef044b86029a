/* slua_optim.c -- core.optim: optimisers as userdata. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "lua/slua_train.h"

typedef struct optim_box {
  sl_optim *o;
  int users; /* fits that run with it */
} optim_box;

sl_optim *slua_checkoptim(lua_State *L, int arg) {
  optim_box *box = luaL_checkudata(L, arg, SLUA_OPTIM);
  luaL_argcheck(L, box->o, arg, "optimiser has been closed");
  return box->o;
}

void slua_optim_use(lua_State *L, int arg, int change) {
  optim_box *box = luaL_checkudata(L, arg, SLUA_OPTIM);
  box->users += change;
}

void slua_pushtensor(lua_State *L, sl_tensor *t) {
  slua_box *box = slua_newbox(L);
  box->t = sl_tensor_retain(t);
}

/* --- options ---------------------------------------------------------------
 */

/* The options that are no hyperparameters. */
static const struct {
  const char *name;
  size_t offset;
} flags[] = {
    {"l2", offsetof(sl_optim_options, l2)},
    {"nesterov", offsetof(sl_optim_options, nesterov)},
    {"clip", offsetof(sl_optim_options, clip)},
};
enum { N_FLAGS = sizeof flags / sizeof *flags };

static int flag_of(const char *name) {
  for (int i = 0; i < N_FLAGS; i++)
    if (!strcmp(name, flags[i].name)) return i;
  return -1;
}

static int has_hyper(const sl_optim_kind *kind, const char *name) {
  const int h = sl_hyper_find(name);
  return h >= 0 && (kind->hypers >> h & 1);
}

static int unknown_option(lua_State *L, const sl_optim_kind *kind,
                          const char *key) {
  const char *names[SL_HYPER_COUNT + N_FLAGS + 3];
  int n = 0;
  for (int h = 0; h < SL_HYPER_COUNT; h++)
    if (kind->hypers >> h & 1) names[n++] = sl_hyper_name((sl_hyper)h);
  for (int i = 0; i < N_FLAGS; i++)
    names[n++] = flags[i].name;
  names[n++] = "k";
  names[n++] = "alpha";
  names[n] = NULL;
  const char *near = slua_nearest(key, names);
  if (near)
    return luaL_error(L, "%s: unknown option '%s'; did you mean '%s'?",
                      kind->name, key, near);
  return luaL_error(L, "%s: unknown option '%s'", kind->name, key);
}

static double number_option(lua_State *L, const sl_optim_kind *kind,
                            const char *key) {
  int is_number;
  const double v = lua_tonumberx(L, -1, &is_number);
  if (!is_number)
    luaL_error(L, "%s: option '%s' must be a number, not a %s", kind->name, key,
               luaL_typename(L, -1));
  return v;
}

/* The key is at -2, the value on top. */
static void read_option(lua_State *L, const sl_optim_kind *kind,
                        sl_optim_options *o) {
  const char *key =
      lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(not a name)";
  const int flag = flag_of(key);
  if (has_hyper(kind, key)) {
    o->hyper[sl_hyper_find(key)] = number_option(L, kind, key);
  } else if (flag >= 0) {
    *(int *)(void *)((char *)o + flags[flag].offset) = lua_toboolean(L, -1);
  } else if (!strcmp(key, "k")) {
    o->k = (int)number_option(L, kind, key);
    if (o->k < 0) luaL_error(L, "%s: k must not be negative", kind->name);
  } else if (!strcmp(key, "alpha")) {
    o->alpha = number_option(L, kind, key);
  } else {
    unknown_option(L, kind, key);
  }
}

/* --- making ----------------------------------------------------------------
 */

/* Parameter i, from the table on top: {name, tensor, group, do_wd}. held:
 * index of what holds names and tensors. */
static sl_optim_param read_param(lua_State *L, lua_Integer i, slua_held *h,
                                 int held) {
  sl_optim_param p = {NULL, NULL, 0, 1};
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_getfield(L, -1, "name");
  p.name = slua_hold_text(L, held, lua_gettop(L));
  lua_getfield(L, -2, "tensor");
  p.tensor = slua_hold_tensor(L, h, -1);
  lua_getfield(L, -3, "group");
  p.group = (int)luaL_optinteger(L, -1, 1) - 1;
  if (lua_getfield(L, -4, "do_wd") == LUA_TBOOLEAN)
    p.do_wd = lua_toboolean(L, -1);
  lua_pop(L, 4);
  if (!p.name || !p.tensor)
    luaL_error(L, "optim: parameter %d has no name or no (open) tensor",
               (int)i);
  return p;
}

static int optim_gc(lua_State *L) {
  optim_box *box = luaL_checkudata(L, 1, SLUA_OPTIM);
  sl_optim_free(box->o);
  box->o = NULL;
  return 0;
}

static int optim_close(lua_State *L) {
  optim_box *box = luaL_checkudata(L, 1, SLUA_OPTIM);
  if (box->users)
    return luaL_error(L, "the optimiser cannot be closed or replaced by a "
                         "callback: the fit that runs uses it");
  return optim_gc(L);
}

/* new(kind, {{name, tensor, group, do_wd}, ...} [, options]) */
static int optim_new(lua_State *L) {
  const sl_optim_kind *kind = sl_optim_kind_find(luaL_checkstring(L, 1));
  if (!kind) return luaL_error(L, "optim: %s", sl_error());
  luaL_checktype(L, 2, LUA_TTABLE);
  sl_optim_options o;
  sl_optim_defaults(kind, &o);
  if (!lua_isnoneornil(L, 3)) {
    luaL_checktype(L, 3, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1))
      read_option(L, kind, &o);
  }
  const lua_Integer n = slua_len(L, 2);
  sl_optim_param *params =
      lua_newuserdatauv(L, (size_t)(n + 1) * sizeof *params, 0);
  slua_held *h = slua_hold(L, n);
  const int held = lua_gettop(L);
  optim_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (optim_box){0};
  luaL_setmetatable(L, SLUA_OPTIM);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, 2, i);
    params[i - 1] = read_param(L, i, h, held);
    lua_pop(L, 1);
  }
  const sl_status status = sl_optim_new(&box->o, kind, &o, params, (int)n);
  slua_let_go(h);
  slua_check(L, status, kind->name);
  return 1;
}

static int kinds(lua_State *L) { /* list of {name, help, defaults} */
  lua_newtable(L);
  const sl_optim_kind *k;
  for (int i = 0; (k = sl_optim_kind_at(i)); i++) {
    lua_createtable(L, 0, 3);
    lua_pushstring(L, k->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, k->help);
    lua_setfield(L, -2, "help");
    lua_newtable(L);
    for (int h = 0; h < SL_HYPER_COUNT; h++) {
      if (!(k->hypers >> h & 1)) continue;
      lua_pushnumber(L, k->defaults.hyper[h]);
      lua_setfield(L, -2, sl_hyper_name((sl_hyper)h));
    }
    lua_setfield(L, -2, "defaults");
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

/* --- hyperparameters -------------------------------------------------------
 */

static sl_hyper check_hyper(lua_State *L, int arg) {
  const char *name = luaL_checkstring(L, arg);
  const int h = sl_hyper_find(name);
  if (h >= 0) return (sl_hyper)h;
  const char *names[SL_HYPER_COUNT + 1] = {NULL};
  for (int i = 0; i < SL_HYPER_COUNT; i++)
    names[i] = sl_hyper_name((sl_hyper)i);
  const char *near = slua_nearest(name, names);
  luaL_error(L, "optim: no hyperparameter '%s'%s%s%s", name,
             near ? "; did you mean '" : "", near ? near : "",
             near ? "'?" : "");
  return SL_LR;
}

/* The value at arg: one that is not finite would be the end of all weights. */
static double finite_value(lua_State *L, int arg, sl_hyper h) {
  const double v = luaL_checknumber(L, arg);
  if (!isfinite(v))
    luaL_error(L, "optim: %s is to be %f: a finite number is wanted",
               sl_hyper_name(h), v);
  return v;
}

/* opt:set(name, value), one value or a list with one per group */
static int set(lua_State *L) {
  sl_optim *o = slua_checkoptim(L, 1);
  const sl_hyper h = check_hyper(L, 2);
  if (lua_type(L, 3) != LUA_TTABLE) {
    sl_optim_set(o, -1, h, finite_value(L, 3, h));
    return 0;
  }
  const int n = sl_optim_groups(o);
  if (slua_len(L, 3) != n)
    return luaL_error(L, "optim: %d values of %s for %d parameter groups",
                      (int)slua_len(L, 3), sl_hyper_name(h), n);
  for (int g = 0; g < n; g++) {
    lua_geti(L, 3, g + 1);
    sl_optim_set(o, g, h, finite_value(L, -1, h));
    lua_pop(L, 1);
  }
  return 0;
}

static int get(lua_State *L) { /* opt:get(name [, group]): the last group's */
  sl_optim *o = slua_checkoptim(L, 1);
  const sl_hyper h = check_hyper(L, 2);
  const lua_Integer g = luaL_optinteger(L, 3, sl_optim_groups(o));
  luaL_argcheck(L, g >= 1 && g <= sl_optim_groups(o), 3, "no such group");
  lua_pushnumber(L, sl_optim_get(o, (int)g - 1, h));
  return 1;
}

static int groups(lua_State *L) {
  lua_pushinteger(L, sl_optim_groups(slua_checkoptim(L, 1)));
  return 1;
}

static int kind(lua_State *L) {
  lua_pushstring(L, sl_optim_kind_of(slua_checkoptim(L, 1))->name);
  return 1;
}

/* --- steps -----------------------------------------------------------------
 */

static int step(lua_State *L) {
  slua_check(L, sl_optim_step(slua_checkoptim(L, 1)), "optim");
  return 0;
}

static int zero_grad(lua_State *L) {
  sl_optim_zero_grad(slua_checkoptim(L, 1));
  return 0;
}

static int scale(lua_State *L) { /* opt:scale(factor), until zero_grad */
  sl_optim_scale(slua_checkoptim(L, 1), luaL_checknumber(L, 2));
  return 0;
}

static int grad_norm(lua_State *L) {
  double norm = 0;
  slua_check(L, sl_optim_grad_norm(slua_checkoptim(L, 1), &norm), "optim");
  lua_pushnumber(L, norm);
  return 1;
}

static int clip(lua_State *L) { /* opt:clip(max_norm) -> norm before */
  double norm = 0;
  slua_raise(
      L, sl_optim_clip(slua_checkoptim(L, 1), luaL_checknumber(L, 2), &norm),
      "optim");
  lua_pushnumber(L, norm);
  return 1;
}

/* --- state -----------------------------------------------------------------
 */

static void push_hypers(lua_State *L, const sl_optim *o) {
  lua_createtable(L, sl_optim_groups(o), 0);
  for (int g = 0; g < sl_optim_groups(o); g++) {
    lua_newtable(L);
    for (int h = 0; h < SL_HYPER_COUNT; h++) {
      lua_pushnumber(L, sl_optim_get(o, g, (sl_hyper)h));
      lua_setfield(L, -2, sl_hyper_name((sl_hyper)h));
    }
    lua_seti(L, -2, g + 1);
  }
}

static int hypers(lua_State *L) { /* list, per group, of {lr = ..., ...} */
  push_hypers(L, slua_checkoptim(L, 1));
  return 1;
}

/* Parameter i's tensors and count, into the tables at `tensors`, `steps`. */
static void push_state(lua_State *L, const sl_optim *o, int i, int tensors,
                       int steps) {
  const char *name = sl_optim_param_at(o, i).name;
  lua_pushinteger(L, (lua_Integer)sl_optim_steps(o, i));
  lua_setfield(L, steps, name);
  for (int slot = 0; slot < SL_SLOTS; slot++) {
    sl_tensor *t = sl_optim_state(o, i, (sl_slot)slot);
    if (!t) continue;
    lua_pushfstring(L, "%s/%s", sl_slot_name((sl_slot)slot), name);
    slua_pushtensor(L, t);
    lua_settable(L, tensors);
  }
}

/* opt:state() -> {kind, count, steps = {NAME = n}, hypers, tensors =
 * {["grad_avg/NAME"] = tensor}}. The tensors are the optimiser's own. */
static int state(lua_State *L) {
  const sl_optim *o = slua_checkoptim(L, 1);
  lua_settop(L, 1);
  lua_newtable(L); /* 2 */
  lua_newtable(L); /* 3: tensors */
  lua_newtable(L); /* 4: steps */
  for (int i = 0; i < sl_optim_params(o); i++)
    push_state(L, o, i, 3, 4);
  lua_setfield(L, 2, "steps");
  lua_setfield(L, 2, "tensors");
  push_hypers(L, o);
  lua_setfield(L, 2, "hypers");
  lua_pushinteger(L, (lua_Integer)sl_optim_count(o));
  lua_setfield(L, 2, "count");
  lua_pushstring(L, sl_optim_kind_of(o)->name);
  lua_setfield(L, 2, "kind");
  return 1;
}

static void load_param(lua_State *L, sl_optim *o, int i, int tensors,
                       int steps) {
  const char *name = sl_optim_param_at(o, i).name;
  if (lua_getfield(L, steps, name) != LUA_TNIL)
    sl_optim_steps_set(o, i, luaL_checkinteger(L, -1));
  lua_pop(L, 1);
  for (int slot = 0; slot < SL_SLOTS; slot++) {
    lua_pushfstring(L, "%s/%s", sl_slot_name((sl_slot)slot), name);
    if (lua_gettable(L, tensors) != LUA_TNIL)
      slua_check(L,
                 sl_optim_state_set(o, i, (sl_slot)slot,
                                    slua_checktensor(L, lua_gettop(L))),
                 "optim");
    lua_pop(L, 1);
  }
}

static void load_hypers(lua_State *L, sl_optim *o, int hypers_at) {
  for (int g = 0; g < sl_optim_groups(o); g++) {
    if (lua_geti(L, hypers_at, g + 1) == LUA_TTABLE) {
      for (int h = 0; h < SL_HYPER_COUNT; h++) {
        if (lua_getfield(L, -1, sl_hyper_name((sl_hyper)h)) == LUA_TNUMBER)
          sl_optim_set(o, g, (sl_hyper)h, lua_tonumber(L, -1));
        lua_pop(L, 1);
      }
    }
    lua_pop(L, 1);
  }
}

/* opt:load_state(what opt:state() gave): the same kind, the same names */
static int load_state(lua_State *L) {
  sl_optim *o = slua_checkoptim(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_getfield(L, 2, "kind");
  const char *kind_name = lua_tostring(L, 3);
  if (kind_name && strcmp(kind_name, sl_optim_kind_of(o)->name) != 0)
    return luaL_error(L, "optim: this is the state of %s, not of %s", kind_name,
                      sl_optim_kind_of(o)->name);
  if (lua_getfield(L, 2, "tensors") != LUA_TTABLE ||
      lua_getfield(L, 2, "steps") != LUA_TTABLE ||
      lua_getfield(L, 2, "hypers") != LUA_TTABLE)
    return luaL_error(L, "optim: a state has tensors, steps and hypers");
  lua_getfield(L, 2, "count");
  sl_optim_clear_state(o);
  sl_optim_count_set(o, luaL_optinteger(L, 7, 0));
  for (int i = 0; i < sl_optim_params(o); i++)
    load_param(L, o, i, 4, 5);
  load_hypers(L, o, 6);
  return 0;
}

static int clear_state(lua_State *L) {
  sl_optim_clear_state(slua_checkoptim(L, 1));
  return 0;
}

static int to_string(lua_State *L) {
  const sl_optim *o = slua_checkoptim(L, 1);
  lua_pushfstring(L, "%s (%d parameters in %d group%s, lr %f)",
                  sl_optim_kind_of(o)->name, sl_optim_params(o),
                  sl_optim_groups(o), sl_optim_groups(o) == 1 ? "" : "s",
                  sl_optim_get(o, -1, SL_LR));
  return 1;
}

static const luaL_Reg methods[] = {{"set", set},
                                   {"get", get},
                                   {"groups", groups},
                                   {"kind", kind},
                                   {"hypers", hypers},
                                   {"step", step},
                                   {"zero_grad", zero_grad},
                                   {"scale", scale},
                                   {"grad_norm", grad_norm},
                                   {"clip", clip},
                                   {"state", state},
                                   {"load_state", load_state},
                                   {"clear_state", clear_state},
                                   {"close", optim_close},
                                   {NULL, NULL}};
static const luaL_Reg meta[] = {{"__gc", optim_gc},
                                {"__close", optim_close},
                                {"__tostring", to_string},
                                {NULL, NULL}};
static const luaL_Reg functions[] = {
    {"new", optim_new}, {"kinds", kinds}, {NULL, NULL}};

int slua_open_optim(lua_State *L);
int slua_open_optim(lua_State *L) {
  luaL_newmetatable(L, SLUA_OPTIM);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "optim");
  return 0;
}
