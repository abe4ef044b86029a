/* slua_item.c -- item pipelines in Lua: decode, then transforms on each image.
 *
 *   data.pipeline({{"Resize", size = 460, method = "crop"},
 *                  {"FlipItem", p = 0.5}} [, {max_pixels=, exact=}])
 *       -> pipeline.  Options are checked against the transforms'
 *       descriptions; a required one may be written first, without its name:
 *       {"Resize", 460}, {"Resize", {240, 320}} (height, width)
 *   pipeline:size(train) -> h, w
 *   data.image_size(path) -> height, width, as shown; reads the header alone
 *   data.transforms() -> list of {name=, help=, options = {{name=, help=,
 *       type=, default=, min=, max=, names=, required=}}} */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/decode.h"
#include "lua/slua_data.h"

typedef struct pipeline_box {
  sl_item_pipeline *p;
} pipeline_box;

sl_item_pipeline *slua_check_pipeline(lua_State *L, int arg) {
  const pipeline_box *b = luaL_checkudata(L, arg, SLUA_PIPELINE);
  if (!b->p) luaL_error(L, "this pipeline has been closed");
  return b->p;
}

/* --- one option ----------------------------------------------------------- */

typedef struct reading {
  lua_State *L;
  const char *what; /* the transform */
  const sl_item_option *o;
} reading;

static void wrong(const reading *r, int at, const char *wanted) {
  luaL_error(r->L, "%s: option '%s' must be %s, not %s", r->what, r->o->name,
             wanted, luaL_tolstring(r->L, at, NULL));
}

/* The number at `at`; ranges are checked by the engine, whole numbers here. */
static double number(const reading *r, int at, const char *wanted) {
  if (lua_type(r->L, at) != LUA_TNUMBER) wrong(r, at, wanted);
  return lua_tonumber(r->L, at);
}

static void pair(const reading *r, int at, const char *wanted, double v[2]) {
  if (lua_type(r->L, at) != LUA_TTABLE || slua_len(r->L, at) != 2)
    wrong(r, at, wanted);
  for (int i = 0; i < 2; i++) {
    lua_geti(r->L, at, i + 1);
    v[i] = number(r, lua_gettop(r->L), wanted);
    lua_pop(r->L, 1);
  }
}

static int whole(const reading *r, int at, double v, const char *wanted) {
  if (!(fabs(v) <= INT_MAX) || v != (double)(int)v) wrong(r, at, wanted);
  return (int)v;
}

static void read_size(const reading *r, int at, sl_hw *size) {
  static const char wanted[] = "a whole number, or {height, width}";
  double v[2];
  if (lua_type(r->L, at) == LUA_TNUMBER)
    v[0] = v[1] = lua_tonumber(r->L, at);
  else
    pair(r, at, wanted, v);
  if (!(v[0] >= 0 && v[0] <= 1e6 && v[1] >= 0 && v[1] <= 1e6))
    wrong(r, at, wanted);
  *size = (sl_hw){whole(r, at, v[0], wanted), whole(r, at, v[1], wanted)};
}

static int read_whole(const reading *r, int at) {
  static const char wanted[] = "a whole number";
  return whole(r, at, number(r, at, wanted), wanted);
}

static int read_name(const reading *r, int at) {
  const char *s =
      lua_type(r->L, at) == LUA_TSTRING ? lua_tostring(r->L, at) : "";
  char wanted[160] = "";
  size_t n = 0;
  for (int i = 0; r->o->names[i]; i++) {
    if (strcmp(s, r->o->names[i]) == 0) return i;
    if (n < sizeof wanted)
      n += (size_t)snprintf(wanted + n, sizeof wanted - n, "%s\"%s\"",
                            i ? " or " : "", r->o->names[i]);
  }
  wrong(r, at, wanted);
  return 0;
}

static void read_option(const reading *r, int at, sl_item_opts *opts) {
  char *field = (char *)opts + r->o->offset;
  double v[2];
  sl_hw size;
  int choice;
  switch (r->o->type) {
  case SL_ITEM_OPT_SIZE:
    read_size(r, at, &size);
    memcpy(field, &size, sizeof size);
    break;
  case SL_ITEM_OPT_INT:
    choice = read_whole(r, at);
    memcpy(field, &choice, sizeof choice);
    break;
  case SL_ITEM_OPT_FLOAT:
    v[0] = number(r, at, "a number");
    memcpy(field, v, sizeof v[0]);
    break;
  case SL_ITEM_OPT_PAIR:
    pair(r, at, "{least, most}", v);
    memcpy(field, v, sizeof v);
    break;
  case SL_ITEM_OPT_ENUM:
    choice = read_name(r, at);
    memcpy(field, &choice, sizeof choice);
    break;
  }
}

/* --- one transform -------------------------------------------------------- */

enum { MOST = 32 };

static const sl_transform_info *find_transform(lua_State *L, int at) {
  const char *names[MOST + 1] = {0};
  if (lua_type(L, at) != LUA_TTABLE || lua_geti(L, at, 1) != LUA_TSTRING)
    luaL_error(L, "a transform is a table that begins with its name: "
                  "{\"Resize\", size = 224}");
  const char *name = lua_tostring(L, -1);
  const sl_transform_info *info = sl_transform_find(name);
  for (int i = 0; i < MOST && sl_transform_at(i); i++)
    names[i] = sl_transform_at(i)->name;
  if (!info) {
    const char *near = slua_nearest(name, names);
    luaL_error(L, "no item transform '%s'; did you mean '%s'?", name,
               near ? near : names[0]);
  }
  lua_pop(L, 1);
  return info;
}

static const sl_item_option *
find_option(lua_State *L, const sl_transform_info *info, const char *key) {
  const char *names[MOST + 1] = {0};
  int n = 0;
  for (const sl_item_option *o = info->options; o->name; o++) {
    if (strcmp(o->name, key) == 0) return o;
    if (n < MOST) names[n++] = o->name;
  }
  const char *near = slua_nearest(key, names);
  if (near)
    luaL_error(L, "%s: unknown option '%s'; did you mean '%s'?", info->name,
               key, near);
  luaL_error(L, "%s: unknown option '%s'", info->name, key);
  return info->options; /* not reached */
}

/* {"Resize", 460}: the value without a name is the first required option. */
static void read_place(lua_State *L, int at, const sl_transform_info *info,
                       sl_item_opts *opts) {
  if (slua_len(L, at) > 2)
    luaL_error(L, "%s: at most one value without a name", info->name);
  if (lua_geti(L, at, 2) != LUA_TNIL) {
    const sl_item_option *o = info->options;
    if (!o->name || !o->required)
      luaL_error(L, "%s: options have names", info->name);
    read_option(&(reading){L, info->name, o}, lua_gettop(L), opts);
  }
  lua_pop(L, 1);
}

static sl_item_transform check_transform(lua_State *L, int at) {
  const sl_transform_info *info = find_transform(L, at);
  sl_item_transform t = sl_item_transform_make(info);
  read_place(L, at, info, &t.opts);
  for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
    if (lua_isinteger(L, -2)) continue;
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L, "%s: option names are strings", info->name);
    const sl_item_option *o = find_option(L, info, lua_tostring(L, -2));
    read_option(&(reading){L, info->name, o}, lua_gettop(L), &t.opts);
  }
  return t;
}

static int pipeline(lua_State *L) {
  static const char *const names[] = {"max_pixels", "exact", NULL};
  sl_item_transform t[MOST];
  sl_item_pipeline_opts o = {0};
  luaL_checktype(L, 1, LUA_TTABLE);
  slua_check_keys(L, 2, names, "pipeline");
  o.max_pixels = slua_get_int(L, 2, "max_pixels", 0, "pipeline");
  o.exact = slua_get_flag(L, 2, "exact", 0, "pipeline");
  const lua_Integer n = slua_len(L, 1);
  luaL_argcheck(L, n <= MOST, 1, "at most 32 transforms");
  for (int i = 0; i < n; i++) {
    lua_geti(L, 1, i + 1);
    t[i] = check_transform(L, lua_gettop(L));
    lua_pop(L, 1);
  }
  pipeline_box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (pipeline_box){0};
  luaL_setmetatable(L, SLUA_PIPELINE);
  slua_check(L, sl_item_pipeline_new(&b->p, t, (int)n, &o), NULL);
  return 1;
}

static int pipeline_gc(lua_State *L) {
  pipeline_box *b = luaL_checkudata(L, 1, SLUA_PIPELINE);
  sl_item_pipeline_release(b->p);
  b->p = NULL;
  return 0;
}

static int pipeline_size(lua_State *L) {
  int h, w;
  sl_item_size(slua_check_pipeline(L, 1), lua_toboolean(L, 2), &h, &w);
  lua_pushinteger(L, h);
  lua_pushinteger(L, w);
  return 2;
}

static int image_size(lua_State *L) {
  int h, w;
  slua_check(L, sl_decode_size(luaL_checkstring(L, 1), &h, &w), NULL);
  lua_pushinteger(L, h);
  lua_pushinteger(L, w);
  return 2;
}

/* --- what there is -------------------------------------------------------- */

static void push_named(lua_State *L, const char *name, const char *help) {
  lua_createtable(L, 0, 3);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, help);
  lua_setfield(L, -2, "help");
}

static void push_names(lua_State *L, const char *const *names) {
  lua_newtable(L);
  for (int i = 0; names[i]; i++) {
    lua_pushstring(L, names[i]);
    lua_seti(L, -2, i + 1);
  }
}

static void push_default(lua_State *L, const sl_item_option *o) {
  if (o->type == SL_ITEM_OPT_ENUM) {
    lua_pushstring(L, o->names[(int)o->def[0]]);
  } else if (o->type == SL_ITEM_OPT_PAIR) {
    lua_createtable(L, 2, 0);
    for (int i = 0; i < 2; i++) {
      lua_pushnumber(L, o->def[i]);
      lua_seti(L, -2, i + 1);
    }
  } else {
    lua_pushnumber(L, o->def[0]);
  }
}

/* As slua_push_option does for those of operations. */
static void push_option(lua_State *L, const sl_item_option *o) {
  static const char *const types[] = {[SL_ITEM_OPT_SIZE] = "size",
                                      [SL_ITEM_OPT_INT] = "integer",
                                      [SL_ITEM_OPT_FLOAT] = "number",
                                      [SL_ITEM_OPT_PAIR] = "table",
                                      [SL_ITEM_OPT_ENUM] = "string"};
  push_named(L, o->name, o->help);
  lua_pushstring(L, types[o->type]);
  lua_setfield(L, -2, "type");
  lua_pushboolean(L, o->required);
  lua_setfield(L, -2, "required");
  if (!o->required) {
    push_default(L, o);
    lua_setfield(L, -2, "default");
  }
  if (o->type == SL_ITEM_OPT_ENUM) {
    push_names(L, o->names);
    lua_setfield(L, -2, "names");
  } else {
    lua_pushnumber(L, o->min);
    lua_setfield(L, -2, "min");
    lua_pushnumber(L, o->max);
    lua_setfield(L, -2, "max");
  }
}

static int transforms(lua_State *L) {
  lua_newtable(L);
  for (int i = 0; sl_transform_at(i); i++) {
    const sl_transform_info *info = sl_transform_at(i);
    push_named(L, info->name, info->help);
    lua_newtable(L);
    for (int k = 0; info->options[k].name; k++) {
      push_option(L, &info->options[k]);
      lua_seti(L, -2, k + 1);
    }
    lua_setfield(L, -2, "options");
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

int slua_open_item(lua_State *L);
int slua_open_item(lua_State *L) {
  const luaL_Reg methods[] = {
      {"__gc", pipeline_gc}, {"size", pipeline_size}, {NULL, NULL}};
  const luaL_Reg functions[] = {{"pipeline", pipeline},
                                {"transforms", transforms},
                                {"image_size", image_size},
                                {NULL, NULL}};
  slua_new_class(L, SLUA_PIPELINE, methods);
  slua_data_table(L);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
  return 0;
}
