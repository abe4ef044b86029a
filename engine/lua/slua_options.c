/* slua_options.c -- option tables, checked against their descriptions. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lua/slua.h"

enum { MAX_OPTIONS = 48 };

/* One option being read: for messages. */
typedef struct reading {
  lua_State *L;
  const sl_option *o;
  const char *what;
} reading;

lua_Integer slua_len(lua_State *L, int index) {
  return lua_istable(L, index) ? (lua_Integer)lua_rawlen(L, index)
                               : luaL_len(L, index);
}

static int wrong(const reading *r, int value, const char *wanted) {
  const char *given = luaL_tolstring(r->L, value, NULL);
  return luaL_error(r->L, "%s: option '%s' must be %s, not %s", r->what,
                    r->o->name, wanted, given);
}

static double number_in_range(const reading *r, int value) {
  int ok;
  const double v = lua_tonumberx(r->L, value, &ok);
  char wanted[96];
  if (ok && lua_type(r->L, value) == LUA_TNUMBER && v >= r->o->min &&
      v <= r->o->max)
    return v;
  if (r->o->min <= -1e15 && r->o->max >= 1e15)
    snprintf(wanted, sizeof wanted, "a number");
  else if (r->o->max >= 1e15)
    snprintf(wanted, sizeof wanted, "a number of at least %g", r->o->min);
  else
    snprintf(wanted, sizeof wanted, "a number from %g to %g", r->o->min,
             r->o->max);
  wrong(r, value, wanted);
  return 0;
}

static int64_t whole_in_range(const reading *r, int value) {
  const double v = number_in_range(r, value);
  if (v != floor(v)) wrong(r, value, "a whole number");
  return (int64_t)v;
}

/* Lua counts from 1; -1 is the last in both. */
static int64_t dimension(const reading *r, int value) {
  int ok;
  const lua_Integer v = lua_tointegerx(r->L, value, &ok);
  if (!ok) wrong(r, value, "a whole number");
  if (v == 0) wrong(r, value, "1 or more, or negative: counted from the end");
  return v > 0 ? v - 1 : v;
}

static int64_t list_item(const reading *r, int value) {
  return r->o->type == SL_OPTION_DIMS ? dimension(r, value)
                                      : whole_in_range(r, value);
}

static void read_list(const reading *r, int value, sl_ints *list) {
  lua_State *L = r->L;
  *list = (sl_ints){0};
  if (lua_type(L, value) != LUA_TTABLE) {
    list->v[list->n++] = list_item(r, value);
    return;
  }
  const lua_Integer n = slua_len(L, value);
  if (n > SL_MAX_RANK) wrong(r, value, "a list of at most 6 numbers");
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, value, i);
    list->v[list->n++] = list_item(r, lua_gettop(L));
    lua_pop(L, 1);
  }
}

static void read_numbers(const reading *r, int value, sl_numbers *list) {
  lua_State *L = r->L;
  *list = (sl_numbers){0};
  if (lua_type(L, value) != LUA_TTABLE) {
    list->v[list->n++] = number_in_range(r, value);
    return;
  }
  const lua_Integer n = slua_len(L, value);
  if (n > SL_MAX_RANK) wrong(r, value, "a list of at most 6 numbers");
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, value, i);
    list->v[list->n++] = number_in_range(r, lua_gettop(L));
    lua_pop(L, 1);
  }
}

static int enum_index(const reading *r, int value) {
  const char *s = lua_tostring(r->L, value);
  char wanted[160] = "one of";
  size_t n = strlen(wanted);
  for (int i = 0; r->o->names[i]; i++) {
    if (s && strcmp(s, r->o->names[i]) == 0) return i;
    n += (size_t)snprintf(wanted + n, sizeof wanted - n, "%s \"%s\"",
                          i ? "," : "", r->o->names[i]);
    if (n >= sizeof wanted) break;
  }
  return wrong(r, value, wanted);
}

static int dtype_index(const reading *r, int value) {
  const char *s = lua_tostring(r->L, value);
  const int d = s ? sl_dtype_find(s) : -1;
  return d >= 0 ? d : wrong(r, value, "\"f32\", \"bf16\", \"u8\" or \"i32\"");
}

static void read_value(const reading *r, int value, char *field) {
  double number;
  int64_t whole;
  int flag;
  sl_ints list;
  sl_numbers numbers;
  switch (r->o->type) {
  case SL_OPTION_FLOAT:
    number = number_in_range(r, value);
    memcpy(field, &number, sizeof number);
    break;
  case SL_OPTION_INT:
    whole = whole_in_range(r, value);
    memcpy(field, &whole, sizeof whole);
    break;
  case SL_OPTION_DIM:
    whole = dimension(r, value);
    memcpy(field, &whole, sizeof whole);
    break;
  case SL_OPTION_BOOL:
    if (!lua_isboolean(r->L, value)) wrong(r, value, "true or false");
    flag = lua_toboolean(r->L, value);
    memcpy(field, &flag, sizeof flag);
    break;
  case SL_OPTION_ENUM:
    flag = enum_index(r, value);
    memcpy(field, &flag, sizeof flag);
    break;
  case SL_OPTION_DTYPE:
    flag = dtype_index(r, value);
    memcpy(field, &flag, sizeof flag);
    break;
  case SL_OPTION_INTS:
  case SL_OPTION_DIMS:
    read_list(r, value, &list);
    memcpy(field, &list, sizeof list);
    break;
  case SL_OPTION_NUMBERS:
    read_numbers(r, value, &numbers);
    memcpy(field, &numbers, sizeof numbers);
    break;
  }
}

static int is_list(const sl_option *o) {
  return o->type == SL_OPTION_INTS || o->type == SL_OPTION_DIMS ||
         o->type == SL_OPTION_NUMBERS;
}

static int unknown(lua_State *L, const sl_option *options, const char *what,
                   const char *key) {
  const char *names[MAX_OPTIONS + 1] = {0};
  for (int i = 0; options && options[i].name && i < MAX_OPTIONS; i++)
    names[i] = options[i].name;
  const char *near = slua_nearest(key, names);
  if (near)
    return luaL_error(L, "%s: unknown option '%s'; did you mean '%s'?", what,
                      key, near);
  if (!names[0])
    return luaL_error(L, "%s: unknown option '%s'; it has none", what, key);
  lua_pushstring(L, names[0]);
  for (int i = 1; names[i]; i++) {
    lua_pushfstring(L, ", %s", names[i]);
    lua_concat(L, 2);
  }
  return luaL_error(L, "%s: unknown option '%s'; there are: %s", what, key,
                    lua_tostring(L, -1));
}

/* The list part of the table is the first list option; so is a second way to
 * give the first option of all when that is no list: {2}. */
static const sl_option *for_list_part(const sl_option *options) {
  for (const sl_option *o = options; o && o->name; o++)
    if (is_list(o)) return o;
  return options && options->name ? options : NULL;
}

static void from_table(lua_State *L, int arg, const sl_option *options,
                       char *opts, const char *what, char *seen) {
  const lua_Integer n_list = slua_len(L, arg);
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
    if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 &&
        lua_tointeger(L, -2) <= n_list)
      continue;
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L, "%s: option names are strings", what);
    const char *key = lua_tostring(L, -2);
    const sl_option *o = options;
    while (o && o->name && strcmp(o->name, key) != 0)
      o++;
    if (!o || !o->name) unknown(L, options, what, key);
    const reading r = {L, o, what};
    read_value(&r, lua_gettop(L),
               opts + o->offset); /* NOLINT: unknown raises */
    seen[o - options] = 1;
  }
  if (n_list == 0) return;
  const sl_option *o = for_list_part(options);
  if (!o) luaL_error(L, "%s: takes no list of values", what);
  const reading r = {L, o, what};
  if (is_list(o)) {
    read_value(&r, arg, opts + o->offset);
  } else {
    lua_geti(L, arg, 1);
    read_value(&r, lua_gettop(L), opts + o->offset);
    lua_pop(L, 1);
  }
  seen[o - options] = 1;
}

/* Options by name, and not a list. */
static int has_names(lua_State *L, int arg) {
  if (lua_type(L, arg) != LUA_TTABLE || slua_len(L, arg) > 0) return 0;
  lua_pushnil(L);
  if (!lua_next(L, arg)) return 0;
  lua_pop(L, 2);
  return 1;
}

/* Numbers after one another fill a list option: reshape(2, 3). A table of
 * names may come last: avg_pool2d(2, {ceil_mode = true}). */
static int from_places(lua_State *L, int arg, const sl_option *options,
                       char *opts, const char *what, char *seen) {
  const int top = lua_gettop(L);
  for (int i = 0; arg <= top; i++) {
    if (arg == top && has_names(L, arg)) {
      from_table(L, arg, options, opts, what, seen);
      return 0;
    }
    const sl_option *o = options ? &options[i] : NULL;
    if (!o || !o->name) return luaL_error(L, "%s: too many arguments", what);
    const reading r = {L, o, what};
    if (is_list(o) && lua_type(L, arg) == LUA_TNUMBER) {
      lua_newtable(L);
      for (int k = 1; arg <= top && lua_type(L, arg) == LUA_TNUMBER; k++) {
        lua_pushvalue(L, arg++);
        lua_seti(L, -2, k);
      }
      read_value(&r, lua_gettop(L), opts + o->offset);
      lua_pop(L, 1);
      seen[i] = 1;
    } else {
      if (!lua_isnil(L, arg)) {
        read_value(&r, arg, opts + o->offset);
        seen[i] = 1;
      }
      arg++;
    }
  }
  return 0;
}

void slua_check_options(lua_State *L, int arg, const sl_option *options,
                        void *opts, size_t size, const char *what) {
  const sl_op as_op = {.options = options, .opts_size = size};
  char seen[MAX_OPTIONS] = {0};
  luaL_checkstack(L, 8, what);
  sl_op_defaults(&as_op, opts);
  if (lua_gettop(L) == arg && lua_type(L, arg) == LUA_TTABLE)
    from_table(L, arg, options, opts, what, seen);
  else
    from_places(L, arg, options, opts, what, seen);
  for (int i = 0; options && options[i].name; i++)
    if (options[i].required && !seen[i])
      luaL_error(L, "%s: option '%s' is missing: %s", what, options[i].name,
                 options[i].help);
}
