/* slua_tensor.c -- methods of tensors that are not operations: asking,
 * indexing, reading, writing, gradients. Making them: slua_make.c. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "lua/slua.h"
#include "ops/tape.h"

/* --- asking --------------------------------------------------------------- */

static int shape(lua_State *L) { /* t:shape() -> {N, H, W, C}; t:shape(d) */
  const sl_tensor *t = slua_checktensor(L, 1);
  if (!lua_isnoneornil(L, 2)) {
    const lua_Integer d = luaL_checkinteger(L, 2);
    int at;
    luaL_argcheck(L, d != 0, 2, "dimensions count from 1");
    slua_check(L, sl_dim(d > 0 ? d - 1 : d, t->rank, &at), "shape");
    lua_pushinteger(L, t->shape[at]);
    return 1;
  }
  lua_createtable(L, t->rank, 0);
  for (int i = 0; i < t->rank; i++) {
    lua_pushinteger(L, t->shape[i]);
    lua_seti(L, -2, i + 1);
  }
  return 1;
}

static int dtype(lua_State *L) {
  lua_pushstring(L, sl_dtype_name(slua_checktensor(L, 1)->dtype));
  return 1;
}

static int device(lua_State *L) {
  lua_pushstring(L, slua_checktensor(L, 1)->backend->name);
  return 1;
}

static int numel(lua_State *L) {
  lua_pushinteger(L, sl_tensor_count(slua_checktensor(L, 1)));
  return 1;
}

static int rank(lua_State *L) {
  lua_pushinteger(L, slua_checktensor(L, 1)->rank);
  return 1;
}

static int length(lua_State *L) { /* #t: rows */
  const sl_tensor *t = slua_checktensor(L, 1);
  if (t->rank == 0)
    return luaL_error(L, "a tensor of no dimensions has no length");
  lua_pushinteger(L, t->shape[0]);
  return 1;
}

static int is_lazy(lua_State *L) {
  lua_pushboolean(L, slua_checktensor(L, 1)->lazy != NULL);
  return 1;
}

/* --- reading -------------------------------------------------------------- */

static void push_value(lua_State *L, sl_dtype d, double v) {
  if (sl_dtype_is_float(d))
    lua_pushnumber(L, v);
  else
    lua_pushinteger(L, (lua_Integer)v);
}

static sl_status read_one(sl_tensor *t, double *v) {
  if (t->dtype == SL_I32 || t->dtype == SL_U8) {
    int32_t i;
    SL_TRY(sl_tensor_read(t, SL_I32, &i, 1));
    *v = i;
    return SL_OK;
  }
  float f;
  SL_TRY(sl_tensor_read(t, SL_F32, &f, 1));
  *v = (double)f;
  return SL_OK;
}

static int item(lua_State *L) {
  sl_tensor *t = slua_checktensor(L, 1);
  if (sl_tensor_count(t) != 1)
    return luaL_error(L, "item: %s is not one number", sl_shape_text(t));
  double v = 0;
  slua_check(L, read_one(t, &v), "item");
  push_value(L, t->dtype, v);
  return 1;
}

/* A userdata with the tensor's values as float or int32_t. */
static void *host_values(lua_State *L, sl_tensor *t, int *is_float) {
  const int64_t n = sl_tensor_count(t);
  *is_float = sl_dtype_is_float(t->dtype);
  const sl_dtype d = *is_float ? SL_F32 : SL_I32;
  sl_tensor_retain(t); /* making the userdata may collect its box */
  void *host = lua_newuserdatauv(L, (size_t)(n > 0 ? n : 1) * 4, 0);
  const sl_status status = sl_tensor_read(t, d, host, n);
  sl_tensor_release(t);
  slua_check(L, status, "totable");
  return host;
}

static void push_level(lua_State *L, const sl_tensor *t, const void *host,
                       int is_float, int level, int64_t *at) {
  if (level == t->rank) {
    if (is_float)
      lua_pushnumber(L, (double)((const float *)host)[*at]);
    else
      lua_pushinteger(L, ((const int32_t *)host)[*at]);
    ++*at;
    return;
  }
  luaL_checkstack(L, 4, "totable");
  lua_createtable(L, (int)t->shape[level], 0);
  for (int64_t i = 0; i < t->shape[level]; i++) {
    push_level(L, t, host, is_float, level + 1, at);
    lua_seti(L, -2, i + 1);
  }
}

static int totable(lua_State *L) { /* nested tables; a number for rank 0 */
  int is_float;
  int64_t at = 0;
  const void *host = host_values(L, slua_checktensor(L, 1), &is_float);
  const sl_tensor shape_only = *slua_checktensor(L, 1);
  push_level(L, &shape_only, host, is_float, 0, &at);
  return 1;
}

/* --- indexing ------------------------------------------------------------- */

static int64_t check_row(lua_State *L, const sl_tensor *t, lua_Integer i) {
  if (t->rank == 0) luaL_error(L, "a tensor of no dimensions has no rows");
  const int64_t n = t->shape[0], at = i > 0 ? i - 1 : i < 0 ? n + i : -1;
  if (at < 0 || at >= n)
    luaL_error(L, "row %I of a tensor with %I rows", i, (lua_Integer)n);
  return at;
}

/* Row i of t as a view without its first dimension. Not recorded. */
static sl_status row_view(sl_tensor **out, sl_tensor *t, int64_t i) {
  return sl_tensor_view(out, t, t->rank - 1, t->shape + 1, t->stride + 1,
                        t->offset + i * t->stride[0]);
}

/* x[i]: a number for a list of numbers, else row i, differentiable. */
static int index_row(lua_State *L, lua_Integer i) {
  sl_tensor *t = slua_checktensor(L, 1);
  slua_check(L, sl_tensor_materialise(t), NULL);
  const int64_t at = check_row(L, t, i);
  if (t->rank == 1) {
    sl_tensor *one = NULL;
    double v = 0;
    sl_status status = row_view(&one, t, at);
    if (status == SL_OK) status = read_one(one, &v);
    sl_tensor_release(one);
    slua_check(L, status, NULL);
    push_value(L, t->dtype, v);
    return 1;
  }
  luaL_getmetafield(L, 1, "methods");
  lua_getfield(L, -1, "select");
  lua_pushvalue(L, 1);
  lua_pushinteger(L, 1);
  lua_pushinteger(L, at + 1);
  lua_call(L, 3, 1);
  return 1;
}

static int tensor_index(lua_State *L) { /* upvalue 1: methods */
  if (lua_type(L, 2) == LUA_TNUMBER && lua_isinteger(L, 2))
    return index_row(L, lua_tointeger(L, 2));
  if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushvalue(L, 2);
    lua_gettable(L, lua_upvalueindex(1));
    return 1;
  }
  return luaL_error(L,
                    "a tensor is indexed by a row number or a method's "
                    "name, not a %s",
                    luaL_typename(L, 2));
}

static int
tensor_newindex(lua_State *L) { /* x[i] = number or tensor, in place */
  sl_tensor *t = slua_checktensor(L, 1), *row = NULL;
  const int64_t at = check_row(L, t, luaL_checkinteger(L, 2));
  const int is_number = lua_type(L, 3) == LUA_TNUMBER;
  sl_tensor *value = is_number ? NULL : slua_checktensor(L, 3);
  slua_check(L, sl_tensor_materialise(t), NULL);
  sl_status status = row_view(&row, t, at);
  if (status == SL_OK)
    status = is_number ? slua_fill(row, lua_tonumber(L, 3))
                       : sl_tensor_assign(row, value);
  sl_tensor_release(row);
  slua_check(L, status, NULL);
  return 0;
}

/* --- writing, copying ----------------------------------------------------- */

static int fill_(lua_State *L) {
  sl_tensor *t = slua_checktensor(L, 1);
  slua_check(L, sl_tensor_materialise(t), "fill_");
  slua_check(L, slua_fill(t, luaL_checknumber(L, 2)), "fill_");
  lua_settop(L, 1);
  return 1;
}

static int copy_(lua_State *L) {
  sl_tensor *t = slua_checktensor(L, 1);
  slua_check(L, sl_tensor_assign(t, slua_checktensor(L, 2)), "copy_");
  lua_settop(L, 1);
  return 1;
}

static int clone(lua_State *L) {
  slua_checktensor(L, 1);
  slua_box *box = slua_newbox(L);
  sl_tensor *t = slua_checktensor(L, 1);
  slua_check(L, sl_tensor_copy(&box->t, t, t->backend, t->dtype), "clone");
  return 1;
}

static int detach(lua_State *L) {
  slua_checktensor(L, 1);
  slua_box *box = slua_newbox(L);
  slua_check(L, sl_tensor_detach(&box->t, slua_checktensor(L, 1)), "detach");
  return 1;
}

/* t:to"cpu", t:to"f32", t:to("cuda:0", "bf16"): a copy, or t itself when it is
 * there already. A change of dtype alone is an op (cast) with a gradient. */
static int to(lua_State *L) {
  const sl_tensor *t = slua_checktensor(L, 1);
  const sl_backend *b = t->backend;
  int d = (int)t->dtype;
  for (int i = 2; i <= lua_gettop(L); i++) {
    const char *name = luaL_checkstring(L, i);
    if (sl_dtype_find(name) >= 0)
      d = sl_dtype_find(name);
    else
      b = slua_check_device(L, i);
  }
  lua_settop(L, 1);
  if (b == t->backend && d == (int)t->dtype) return 1;
  if (b == t->backend) {
    luaL_getmetafield(L, 1, "methods");
    lua_getfield(L, -1, "cast");
    lua_pushvalue(L, 1);
    lua_pushstring(L, sl_dtype_name((sl_dtype)d));
    lua_call(L, 2, 1);
    return 1;
  }
  slua_box *box = slua_newbox(L);
  slua_check(L, sl_tensor_copy(&box->t, slua_checktensor(L, 1), b, (sl_dtype)d),
             "to");
  return 1;
}

/* --- gradients ------------------------------------------------------------ */

/* t:requires_grad() asks, t:requires_grad(true) sets and returns t. */
static int requires_grad(lua_State *L) {
  sl_tensor *t = slua_checktensor(L, 1);
  if (lua_isnone(L, 2)) {
    lua_pushboolean(L, t->requires_grad || t->node);
    return 1;
  }
  slua_check(L, sl_require_grad(t, lua_toboolean(L, 2)), "requires_grad");
  lua_settop(L, 1);
  return 1;
}

static int backward(lua_State *L) { /* loss:backward([gradient]) */
  sl_tensor *t = slua_checktensor(L, 1);
  sl_tensor *seed = lua_isnoneornil(L, 2) ? NULL : slua_checktensor(L, 2);
  slua_check(L, slua_backward(L, t, seed), "backward");
  return 0;
}

static int grad(lua_State *L) { /* the gradient itself, or nil */
  slua_checktensor(L, 1);
  slua_box *box = slua_newbox(L);
  sl_tensor *g = sl_grad(slua_checktensor(L, 1));
  if (g)
    box->t = sl_tensor_retain(g);
  else
    lua_pushnil(L);
  return 1;
}

static int zero_grad(lua_State *L) {
  sl_grad_clear(slua_checktensor(L, 1));
  return 0;
}

/* no_grad(f, ...): f's results, nothing recorded meanwhile. */
static int with_recording(lua_State *L, int on) {
  luaL_checkany(L, 1);
  const int was = sl_tape_enable(on);
  const int failed = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  sl_tape_enable(was);
  return failed ? lua_error(L) : lua_gettop(L);
}

static int no_grad(lua_State *L) {
  return with_recording(L, 0);
}

static int enable_grad(lua_State *L) {
  return with_recording(L, 1);
}

static int is_tensor(lua_State *L) {
  lua_pushboolean(L, luaL_testudata(L, 1, SLUA_TENSOR) != NULL);
  return 1;
}

/* memory([restart [, free]]): bytes in use and their peak, which begins anew if
 * restart, on the default device. free: also what more can be taken, once what
 * is kept for later has been given back. */
static int memory(lua_State *L) {
  const sl_backend *b = sl_backend_default();
  lua_pushinteger(L, b->used());
  lua_pushinteger(L, b->peak(lua_toboolean(L, 1)));
  if (!lua_toboolean(L, 2)) return 2;
  b->trim();
  lua_pushinteger(L, (lua_Integer)b->room());
  return 3;
}

static int live_tensors(lua_State *L) {
  lua_pushinteger(L, sl_tensor_live());
  return 1;
}

static const luaL_Reg methods[] = {{"shape", shape},
                                   {"dtype", dtype},
                                   {"device", device},
                                   {"numel", numel},
                                   {"dim", rank},
                                   {"is_lazy", is_lazy},
                                   {"item", item},
                                   {"totable", totable},
                                   {"fill_", fill_},
                                   {"copy_", copy_},
                                   {"clone", clone},
                                   {"detach", detach},
                                   {"to", to},
                                   {"requires_grad", requires_grad},
                                   {"backward", backward},
                                   {"grad", grad},
                                   {"zero_grad", zero_grad},
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"no_grad", no_grad},           {"enable_grad", enable_grad},
    {"is_tensor", is_tensor},       {"memory", memory},
    {"live_tensors", live_tensors}, {NULL, NULL}};

/* Metamethods that are ops under another name. */
static const char *const operators[][2] = {
    {"__add", "add"}, {"__sub", "sub"}, {"__mul", "mul"}, {"__div", "div"},
    {"__unm", "neg"}, {"__pow", "pow"}, {NULL, NULL}};

/* __unm gets its operand twice. */
static int unary_minus(lua_State *L) {
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static void set_operators(lua_State *L) { /* stack: metatable, methods */
  for (int i = 0; operators[i][0]; i++) {
    if (lua_getfield(L, -1, operators[i][1]) == LUA_TNIL) {
      lua_pop(L, 1);
      continue;
    }
    if (operators[i][1][0] == 'n') lua_pushcclosure(L, unary_minus, 1);
    lua_setfield(L, -3, operators[i][0]);
  }
}

int slua_open_tensor(lua_State *L);
int slua_open_tensor(lua_State *L) {
  luaL_getmetatable(L, SLUA_TENSOR);
  lua_getfield(L, -1, "methods");
  luaL_setfuncs(L, methods, 0);
  set_operators(L);
  lua_pushcclosure(L, tensor_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, tensor_newindex);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, length);
  lua_setfield(L, -2, "__len");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
  return 0;
}
