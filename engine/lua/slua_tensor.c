/* slua_tensor.c -- making tensors from Lua, and their methods that are not
 * operations: asking, indexing, reading, writing, gradients. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "lua/slua.h"
#include "ops/tape.h"

/* --- making --------------------------------------------------------------- */

static sl_dtype check_dtype(lua_State *L, int arg, sl_dtype def) {
  const char *name = luaL_optstring(L, arg, NULL);
  const int d = name ? sl_dtype_find(name) : (int)def;
  luaL_argcheck(L, d >= 0, arg,
                "dtype is \"f32\", \"bf16\", \"u8\" or \"i32\"");
  return (sl_dtype)d;
}

static const sl_backend *check_device(lua_State *L, int arg) {
  const char *name = luaL_optstring(L, arg, NULL);
  const sl_backend *b = name ? sl_backend_find(name) : sl_backend_default();
  if (!b) luaL_error(L, "%s", sl_error());
  return b;
}

/* Options at the end of zeros, ones, full...: {dtype=, device=,
 * requires_grad=}. */
typedef struct kind {
  sl_dtype dtype;
  const sl_backend *backend;
  int requires_grad;
} kind;

static kind check_kind(lua_State *L, int arg, sl_dtype def, const char *what) {
  kind k = {def, sl_backend_default(), 0};
  if (lua_isnoneornil(L, arg)) return k;
  luaL_checktype(L, arg, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
    static const char *const names[] = {"dtype", "device", "requires_grad",
                                        NULL};
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (strcmp(key, "dtype") == 0)
      k.dtype = check_dtype(L, lua_gettop(L), def);
    else if (strcmp(key, "device") == 0)
      k.backend = check_device(L, lua_gettop(L));
    else if (strcmp(key, "requires_grad") == 0)
      k.requires_grad = lua_toboolean(L, -1);
    else
      luaL_error(L, "%s: unknown option '%s'; did you mean '%s'?", what, key,
                 slua_nearest(key, names) ? slua_nearest(key, names) : "dtype");
  }
  return k;
}

void slua_check_shape(lua_State *L, int arg, sl_ints *shape) {
  const int in_table = lua_type(L, arg) == LUA_TTABLE;
  const lua_Integer n = in_table ? luaL_len(L, arg) : lua_gettop(L) - arg + 1;
  luaL_argcheck(L, n <= SL_MAX_RANK, arg, "at most 6 dimensions");
  *shape = (sl_ints){.n = (int)n};
  for (int i = 0; i < n; i++) {
    int ok;
    if (in_table)
      lua_geti(L, arg, i + 1);
    else
      lua_pushvalue(L, arg + i);
    shape->v[i] = lua_tointegerx(L, -1, &ok);
    lua_pop(L, 1);
    luaL_argcheck(L, ok && shape->v[i] >= 0, arg,
                  "sizes are whole numbers of at least 0");
  }
}

/* zeros(2, 3), zeros({2, 3}), both with {dtype=..} at the end. A last table
 * without a list part is the options. */
static void check_filled(lua_State *L, int first, sl_ints *shape, kind *k,
                         const char *what) {
  const int top = lua_gettop(L);
  const int has_options =
      top >= first && lua_type(L, top) == LUA_TTABLE && luaL_len(L, top) == 0 &&
      (lua_pushnil(L), lua_next(L, top)) && (lua_pop(L, 2), 1);
  *k = check_kind(L, has_options ? top : top + 1, SL_F32, what);
  if (has_options) lua_settop(L, top - 1);
  slua_check_shape(L, first, shape);
}

static sl_status fill(sl_tensor *t, double value) {
  const float v = (float)value;
  sl_tensor *one = NULL, *all = NULL;
  const int64_t stride[SL_MAX_RANK] = {0};
  SL_TRY(sl_tensor_from(&one, t->backend, SL_F32, 0, NULL, &v));
  sl_status status = sl_tensor_view(&all, one, t->rank, t->shape, stride, 0);
  if (status == SL_OK) status = sl_tensor_assign(t, all);
  sl_tensor_release(all);
  sl_tensor_release(one);
  return status;
}

static int filled(lua_State *L, int first, double value, const char *what) {
  sl_ints shape;
  kind k;
  check_filled(L, first, &shape, &k, what);
  slua_box *box = slua_newbox(L);
  slua_check(L, sl_tensor_new(&box->t, k.backend, k.dtype, shape.n, shape.v),
             what);
  slua_check(L, fill(box->t, value), what);
  slua_check(L, sl_require_grad(box->t, k.requires_grad), what);
  return 1;
}

static int zeros(lua_State *L) {
  return filled(L, 1, 0, "zeros");
}

static int ones(lua_State *L) {
  return filled(L, 1, 1, "ones");
}

static int full(lua_State *L) { /* full({2, 3}, value, {options}) */
  const double value = luaL_checknumber(L, 2);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_remove(L, 2);
  return filled(L, 1, value, "full");
}

/* arange(n): 1..n. arange(first, last [, step]): both ends included. */
static int arange(lua_State *L) {
  const int n_args =
      lua_type(L, -1) == LUA_TTABLE ? lua_gettop(L) - 1 : lua_gettop(L);
  const double first = n_args > 1 ? luaL_checknumber(L, 1) : 1;
  const double last = luaL_checknumber(L, n_args > 1 ? 2 : 1);
  const double step = n_args > 2 ? luaL_checknumber(L, 3) : 1;
  const kind k = check_kind(L, n_args + 1, SL_F32, "arange");
  luaL_argcheck(L, step != 0, 3, "the step must not be 0");
  const double span = floor((last - first) / step + 1e-9) + 1;
  luaL_argcheck(L, span < 1e9, 2, "more than a thousand million numbers");
  const int64_t n = span > 0 ? (int64_t)span : 0;
  slua_box *box = slua_newbox(L);
  slua_check(L, sl_tensor_new(&box->t, k.backend, k.dtype, 1, &n), "arange");
  float *v = sl_alloc_data((size_t)n * sizeof *v);
  sl_tensor *t = NULL;
  sl_status status = v ? SL_OK : sl_fail(SL_ENOMEM, "no memory");
  for (int64_t i = 0; v && i < n; i++)
    v[i] = (float)(first + (double)i * step);
  if (status == SL_OK) status = sl_tensor_from(&t, &sl_cpu, SL_F32, 1, &n, v);
  if (status == SL_OK) status = sl_tensor_assign(box->t, t);
  sl_tensor_release(t);
  sl_free_data(v);
  slua_check(L, status, "arange");
  return 1;
}

/* tensor{{1, 2}, {3, 4}}: the shape is read off the first row of each level,
 * and the others must agree. */
static void shape_of_table(lua_State *L, int arg, sl_ints *shape) {
  *shape = (sl_ints){0};
  lua_pushvalue(L, arg);
  int depth = 1;
  while (lua_type(L, -1) == LUA_TTABLE) {
    if (shape->n == SL_MAX_RANK)
      luaL_error(L, "tensor: more than %d levels of tables", (int)SL_MAX_RANK);
    shape->v[shape->n++] = luaL_len(L, -1);
    luaL_checkstack(L, 4, "tensor");
    lua_geti(L, -1, 1);
    depth++;
  }
  lua_pop(L, depth);
}

typedef struct filling {
  sl_ints shape;
  double *values; /* in a userdata on the stack */
  int64_t n;
} filling;

static void fill_from_table(lua_State *L, filling *f, int level) {
  const int at = lua_gettop(L);
  const lua_Integer n =
      lua_type(L, at) == LUA_TTABLE ? luaL_len(L, at) : (lua_Integer)-1;
  if (n != f->shape.v[level])
    luaL_error(L, "tensor: rows of different lengths: %I and %I",
               (lua_Integer)f->shape.v[level], n);
  luaL_checkstack(L, 4, "tensor");
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, at, i);
    if (level + 1 < f->shape.n) {
      fill_from_table(L, f, level + 1);
    } else if (lua_isboolean(L, -1)) {
      f->values[f->n++] = lua_toboolean(L, -1);
    } else {
      int ok;
      f->values[f->n++] = lua_tonumberx(L, -1, &ok);
      if (!ok)
        luaL_error(L, "tensor: value %I is a %s, not a number",
                   (lua_Integer)f->n, luaL_typename(L, -1));
    }
    lua_pop(L, 1);
  }
}

static sl_status convert(sl_tensor *t, const double *values, int64_t n) {
  char *host = sl_alloc_data((size_t)n * sl_dtype_size(t->dtype));
  SL_REQUIRE(host, SL_ENOMEM, "no memory");
  sl_status status = SL_OK;
  for (int64_t i = 0; i < n; i++) {
    const double v = values[i];
    const double lo = t->dtype == SL_U8 ? 0 : -2147483648.0;
    const double hi = t->dtype == SL_U8 ? 255 : 2147483647.0;
    if (t->dtype == SL_F32) {
      ((float *)(void *)host)[i] = (float)v;
    } else if (t->dtype == SL_BF16) {
      ((sl_bf16 *)(void *)host)[i] = sl_bf16_from_f32((float)v);
    } else if (!(v >= lo && v <= hi)) {
      status = sl_fail(SL_EINVAL, "value %g does not fit in %s", v,
                       sl_dtype_name(t->dtype));
    } else if (t->dtype == SL_U8) {
      ((uint8_t *)host)[i] = (uint8_t)v;
    } else {
      ((int32_t *)(void *)host)[i] = (int32_t)v;
    }
  }
  if (status == SL_OK)
    status = t->backend->upload(sl_data(t), host, sl_tensor_bytes(t));
  sl_free_data(host);
  return status;
}

static int tensor(lua_State *L) { /* tensor(number | nested table [, kind]) */
  const kind k = check_kind(L, 2, SL_F32, "tensor");
  filling f = {0};
  lua_settop(L, 1);
  if (lua_type(L, 1) != LUA_TTABLE) luaL_checknumber(L, 1);
  shape_of_table(L, 1, &f.shape);
  int64_t count = 1;
  for (int i = 0; i < f.shape.n; i++)
    count *= f.shape.v[i];
  f.values = lua_newuserdatauv(
      L, (size_t)(count > 0 ? count : 1) * sizeof *f.values, 0);
  lua_pushvalue(L, 1);
  if (f.shape.n > 0)
    fill_from_table(L, &f, 0);
  else
    f.values[f.n++] = lua_tonumber(L, 1);
  slua_box *box = slua_newbox(L);
  slua_check(L,
             sl_tensor_new(&box->t, k.backend, k.dtype, f.shape.n, f.shape.v),
             "tensor");
  slua_check(L, convert(box->t, f.values, count), "tensor");
  slua_check(L, sl_require_grad(box->t, k.requires_grad), "tensor");
  return 1;
}

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

static int tensor_newindex(lua_State *L) { /* x[i] = number or tensor, in place */
  sl_tensor *t = slua_checktensor(L, 1), *row = NULL;
  const int64_t at = check_row(L, t, luaL_checkinteger(L, 2));
  const int is_number = lua_type(L, 3) == LUA_TNUMBER;
  sl_tensor *value = is_number ? NULL : slua_checktensor(L, 3);
  slua_check(L, sl_tensor_materialise(t), NULL);
  sl_status status = row_view(&row, t, at);
  if (status == SL_OK)
    status = is_number ? fill(row, lua_tonumber(L, 3))
                       : sl_tensor_assign(row, value);
  sl_tensor_release(row);
  slua_check(L, status, NULL);
  return 0;
}

/* --- writing, copying ----------------------------------------------------- */

static int fill_(lua_State *L) {
  sl_tensor *t = slua_checktensor(L, 1);
  slua_check(L, sl_tensor_materialise(t), "fill_");
  slua_check(L, fill(t, luaL_checknumber(L, 2)), "fill_");
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
      b = check_device(L, i);
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
  slua_check(L, sl_backward(t, seed), "backward");
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

/* memory(): bytes in use and their peak, on the default device. */
static int memory(lua_State *L) {
  const sl_backend *b = sl_backend_default();
  lua_pushinteger(L, b->used());
  lua_pushinteger(L, b->peak(lua_toboolean(L, 1)));
  return 2;
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

static const luaL_Reg functions[] = {{"tensor", tensor},
                                     {"zeros", zeros},
                                     {"ones", ones},
                                     {"full", full},
                                     {"arange", arange},
                                     {"no_grad", no_grad},
                                     {"enable_grad", enable_grad},
                                     {"is_tensor", is_tensor},
                                     {"memory", memory},
                                     {"live_tensors", live_tensors},
                                     {NULL, NULL}};

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
