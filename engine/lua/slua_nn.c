/* slua_nn.c -- what the Lua library needs of C beside the operations: the
 * tensors' metatable (for tostring), names that are near, and the pattern that
 * the golden vectors are filled with. */
#include "base/alloc.h"
#include "lua/slua.h"

enum { MAX_NAMES = 1024 };

/* nearest(key, names) -> the name that key was likely meant to be, or nil. */
static int nearest(lua_State *L) {
  const char *key = luaL_checkstring(L, 1), *names[MAX_NAMES + 1];
  luaL_checktype(L, 2, LUA_TTABLE);
  const lua_Integer n = slua_len(L, 2);
  luaL_argcheck(L, n <= MAX_NAMES, 2, "at most 1024 names");
  for (lua_Integer i = 0; i < n; i++) { /* the table keeps the strings alive */
    luaL_argcheck(L, lua_geti(L, 2, i + 1) == LUA_TSTRING, 2,
                  "wants a list of strings");
    names[i] = lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  names[n] = NULL;
  lua_pushstring(L, slua_nearest(key, names));
  return 1;
}

/* Element j of pattern k, uniform in [-1, 1): an integer hash that is the same
 * in any language, so that golden vectors need not hold their inputs. */
static double pattern(uint32_t k, uint32_t j) {
  uint32_t x = (j + 1) * 2654435761u + (k + 1) * 40503u;
  x ^= x >> 16;
  x *= 2246822519u;
  x ^= x >> 13;
  return 2 * ((double)x / 4294967296.0) - 1;
}

static sl_status fill_pattern(sl_tensor *t, uint32_t k, double scale) {
  const int64_t n = sl_tensor_count(t);
  sl_tensor *values = NULL;
  float *v = sl_alloc_data((size_t)n * sizeof *v);
  SL_REQUIRE(v, SL_ENOMEM, "no memory for %lld numbers", (long long)n);
  for (int64_t j = 0; j < n; j++)
    v[j] = (float)(pattern(k, (uint32_t)j) * scale);
  sl_status status =
      sl_tensor_from(&values, t->backend, SL_F32, t->rank, t->shape, v);
  if (status == SL_OK) status = sl_tensor_assign(t, values);
  sl_tensor_release(values);
  sl_free_data(v);
  return status;
}

/* hash_fill(t, k [, scale]) -> t, its elements scale times pattern number k in
 * row-major order. For tests. */
static int hash_fill(lua_State *L) {
  const lua_Integer k = luaL_checkinteger(L, 2);
  const double scale = luaL_optnumber(L, 3, 1);
  luaL_argcheck(L, k >= 0 && k < UINT32_MAX, 2, "wants a whole number from 0");
  slua_check(L, fill_pattern(slua_checktensor(L, 1), (uint32_t)k, scale),
             "hash_fill");
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
    {"nearest", nearest}, {"hash_fill", hash_fill}, {NULL, NULL}};

int slua_open_nn(lua_State *L);
int slua_open_nn(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
  luaL_getmetatable(L, SLUA_TENSOR);
  lua_setfield(L, -2, "tensor_meta");
  return 0;
}
