/* slua_op.c -- one C function binds every op in the registry.
 *
 *   sota.<op>(tensor, ... [, options])   or   tensor:<op>(... [, options])
 *
 * A number may stand for a tensor input. Inputs that are optional may be nil,
 * false or left out. Ops that take any number of tensors take them in a list.
 * Options come in a table or by place: see slua_check_options. */
#include <math.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "lua/slua.h"
#include "ops/random.h"

/* The inputs of a call, borrowed from boxes that stay on the stack. */
typedef struct inputs {
  sl_tensor *t[SL_OP_MAX_IN];
  int at[SL_OP_MAX_IN]; /* stack index of each box; 0: not given */
  int n;
} inputs;

/* A number becomes a tensor of no dimensions, on the device of the others and
 * of integer type where the others are integers and so is it. */
static void box_number(lua_State *L, int arg, const sl_tensor *like) {
  const sl_backend *backend = like ? like->backend : sl_backend_default();
  const double v = lua_tonumber(L, arg);
  const int as_int =
      like && like->dtype == SL_I32 && v == floor(v) && fabs(v) <= INT32_MAX;
  const float f = (float)v;
  const int32_t i = as_int ? (int32_t)v : 0;
  slua_box *box = slua_newbox(L); /* may close like: it is not used below */
  slua_check(L,
             sl_tensor_from(&box->t, backend, as_int ? SL_I32 : SL_F32, 0, NULL,
                            as_int ? (const void *)&i : &f),
             NULL);
  lua_replace(L, arg);
}

/* Numbers are converted first: that can collect, and so close a box. */
static void box_numbers(lua_State *L, const sl_op *op) {
  const sl_tensor *like = NULL;
  for (int i = 1; i <= op->n_in && !like; i++)
    like = slua_totensor(L, i);
  for (int i = 1; i <= op->n_in; i++)
    if (lua_type(L, i) == LUA_TNUMBER) box_number(L, i, like);
}

static void place(inputs *in, int at) {
  in->at[in->n++] = at;
}

/* Fills in->at; returns the index of the first option. */
static int find_inputs(lua_State *L, const sl_op *op, inputs *in) {
  if (op->variadic) {
    luaL_checktype(L, 1, LUA_TTABLE);
    const lua_Integer n = slua_len(L, 1);
    luaL_argcheck(L, n >= 1 && n <= SL_OP_MAX_IN, 1,
                  "wants a list of 1 to 64 tensors");
    luaL_checkstack(L, (int)n + 8, "too many tensors");
    for (lua_Integer i = 1; i <= n; i++) {
      lua_geti(L, 1, i);
      lua_insert(L, (int)i + 1);
      place(in, (int)i + 1);
    }
    return (int)n + 2;
  }
  int arg = 1;
  for (; arg <= op->n_in; arg++)
    place(in, arg);
  for (int i = 0; i < op->n_optional && arg <= lua_gettop(L); i++) {
    if (luaL_testudata(L, arg, SLUA_TENSOR))
      place(in, arg++);
    else if (!lua_toboolean(L, arg))
      place(in, -arg++);
    else
      break;
  }
  return arg;
}

static void read_inputs(lua_State *L, inputs *in) {
  for (int i = 0; i < in->n; i++)
    in->t[i] = in->at[i] > 0 ? slua_checktensor(L, in->at[i]) : NULL;
}

/* Boxes first, all of them, while nothing is owned. */
static void make_boxes(lua_State *L, int n, slua_box **boxes) {
  for (int i = 0; i < n; i++)
    boxes[i] = slua_newbox(L);
}

static sl_status run(sl_op_id id, const inputs *in, const char *opts, int n_out,
                     slua_box **boxes) {
  sl_tensor *out[SL_OP_MAX_OUT] = {0};
  SL_TRY(sl_op_run(id, in->t, in->n, opts, out));
  for (int i = 0; i < n_out; i++)
    boxes[i]->t = out[i];
  return SL_OK;
}

static int call_op(lua_State *L) {
  const sl_op_id id = (sl_op_id)lua_tointeger(L, lua_upvalueindex(1));
  const sl_op *op = sl_op_get(id);
  const int n_out = op->n_out ? op->n_out : 1;
  alignas(max_align_t) char opts[SL_OP_MAX_OPTS];
  inputs in = {0};
  slua_box *boxes[SL_OP_MAX_OUT];
  luaL_checkstack(L, 16, op->name);
  if (!op->variadic && lua_gettop(L) < op->n_in)
    return luaL_error(L, "%s: wants (%s)", op->name, op->args);
  if (!op->variadic) box_numbers(L, op);
  const int first = find_inputs(L, op, &in);
  slua_check_options(L, first, op->options, opts, op->opts_size, op->name);
  make_boxes(L, n_out, boxes);
  read_inputs(L, &in);
  const sl_random_state before = sl_random_save();
  sl_status status = run(id, &in, opts, n_out, boxes);
  if (status == SL_ENOMEM) { /* dead tensors may be waiting for the collector */
    lua_gc(L, LUA_GCCOLLECT, 0);
    read_inputs(L, &in);       /* a finalizer may have closed inputs */
    sl_random_restore(before); /* the same numbers as in the first try */
    status = run(id, &in, opts, n_out, boxes);
  }
  slua_check(L, status, op->name);
  int made = n_out; /* results that this call has not are not returned */
  while (made > 0 && !boxes[made - 1]->t)
    made--;
  lua_settop(L, made - n_out - 1);
  return made;
}

/* sota.ops(): the descriptions, for help() and the editor stub. */
void slua_push_option(lua_State *L, const sl_option *o) {
  static const char *const types[] = {"number",    "integer",   "boolean",
                                      "string",    "integer[]", "integer",
                                      "integer[]", "dtype",     "number[]"};
  lua_newtable(L);
  lua_pushstring(L, o->name), lua_setfield(L, -2, "name");
  lua_pushstring(L, o->help), lua_setfield(L, -2, "help");
  lua_pushstring(L, types[o->type]), lua_setfield(L, -2, "type");
  lua_pushboolean(L, o->required), lua_setfield(L, -2, "required");
  if (o->type == SL_OPTION_ENUM)
    lua_pushstring(L, o->names[(int)o->def]);
  else if (o->type == SL_OPTION_BOOL)
    lua_pushboolean(L, o->def != 0);
  else if (o->type == SL_OPTION_DIM)
    lua_pushinteger(L, (lua_Integer)o->def + (o->def >= 0));
  else if (o->required || isnan(o->def) || o->type >= SL_OPTION_DIMS)
    lua_pushnil(L);
  else
    lua_pushnumber(L, o->def);
  lua_setfield(L, -2, "default");
  lua_pushnumber(L, o->min), lua_setfield(L, -2, "min");
  lua_pushnumber(L, o->max), lua_setfield(L, -2, "max");
  if (o->type != SL_OPTION_ENUM) return;
  lua_newtable(L);
  for (int i = 0; o->names[i]; i++)
    lua_pushstring(L, o->names[i]), lua_seti(L, -2, i + 1);
  lua_setfield(L, -2, "names");
}

static void push_op(lua_State *L, const sl_op *op) {
  lua_newtable(L);
  lua_pushstring(L, op->name), lua_setfield(L, -2, "name");
  lua_pushstring(L, op->args), lua_setfield(L, -2, "args");
  lua_pushstring(L, op->help), lua_setfield(L, -2, "help");
  lua_pushstring(L, op->example), lua_setfield(L, -2, "example");
  lua_pushinteger(L, op->n_out ? op->n_out : 1), lua_setfield(L, -2, "n_out");
  lua_newtable(L);
  for (int i = 0; op->options && op->options[i].name; i++)
    slua_push_option(L, &op->options[i]), lua_seti(L, -2, i + 1);
  lua_setfield(L, -2, "options");
}

static int describe_ops(lua_State *L) {
  lua_newtable(L);
  for (int id = 0; id < SL_OP_COUNT; id++)
    push_op(L, sl_op_get((sl_op_id)id)), lua_seti(L, -2, id + 1);
  return 1;
}

/* sota.core.layer(name or nil): which layer runs, for messages. Returns the
 * one before. The name is kept alive in the registry. */
static int set_layer(lua_State *L) {
  static const char key;
  const char *name = luaL_optstring(L, 1, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
  lua_pushvalue(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
  sl_layer_set(name);
  return 1;
}

int slua_open_op(lua_State *L);
int slua_open_op(lua_State *L) {
  luaL_getmetatable(L, SLUA_TENSOR);
  lua_getfield(L, -1, "methods");
  for (int id = 0; id < SL_OP_COUNT; id++) {
    lua_pushinteger(L, id);
    lua_pushcclosure(L, call_op, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, sl_op_get((sl_op_id)id)->name);
    lua_setfield(L, -4, sl_op_get((sl_op_id)id)->name);
  }
  lua_pop(L, 2);
  lua_pushcfunction(L, describe_ops);
  lua_setfield(L, -2, "ops");
  lua_pushcfunction(L, set_layer);
  lua_setfield(L, -2, "layer");
  return 0;
}
