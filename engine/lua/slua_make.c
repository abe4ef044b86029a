/* slua_make.c -- tensors made from Lua values: tensor, zeros, ones, full,
 * arange. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "lua/slua.h"
#include "ops/tape.h"

static sl_dtype check_dtype(lua_State *L, int arg, sl_dtype def) {
  const char *name = luaL_optstring(L, arg, NULL);
  const int d = name ? sl_dtype_find(name) : (int)def;
  luaL_argcheck(L, d >= 0, arg,
                "dtype is \"f32\", \"bf16\", \"u8\" or \"i32\"");
  return (sl_dtype)d;
}

const sl_backend *slua_check_device(lua_State *L, int arg) {
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
  static const char *const names[] = {"dtype", "device", "requires_grad", NULL};
  kind k = {def, sl_backend_default(), 0};
  if (lua_isnoneornil(L, arg)) return k;
  slua_check_keys(L, arg, names, what);
  lua_getfield(L, arg, "dtype");
  k.dtype = check_dtype(L, lua_gettop(L), def);
  lua_getfield(L, arg, "device");
  k.backend = slua_check_device(L, lua_gettop(L));
  lua_getfield(L, arg, "requires_grad");
  k.requires_grad = lua_toboolean(L, -1);
  lua_pop(L, 3);
  return k;
}

void slua_check_shape(lua_State *L, int arg, sl_ints *shape) {
  const int in_table = lua_type(L, arg) == LUA_TTABLE;
  const lua_Integer n = in_table ? slua_len(L, arg) : lua_gettop(L) - arg + 1;
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
      top >= first && lua_type(L, top) == LUA_TTABLE && slua_len(L, top) == 0 &&
      (lua_pushnil(L), lua_next(L, top)) && (lua_pop(L, 2), 1);
  *k = check_kind(L, has_options ? top : top + 1, SL_F32, what);
  if (has_options) lua_settop(L, top - 1);
  slua_check_shape(L, first, shape);
}

sl_status slua_fill(sl_tensor *t, double value) {
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
  slua_check(L, slua_fill(box->t, value), what);
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
    shape->v[shape->n++] = slua_len(L, -1);
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
      lua_type(L, at) == LUA_TTABLE ? slua_len(L, at) : (lua_Integer)-1;
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

static const luaL_Reg functions[] = {{"tensor", tensor}, {"zeros", zeros},
                                     {"ones", ones},     {"full", full},
                                     {"arange", arange}, {NULL, NULL}};

int slua_open_make(lua_State *L);
int slua_open_make(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
  return 0;
}
