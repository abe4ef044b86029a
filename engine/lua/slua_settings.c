/* slua_settings.c -- what holds for the whole run: core.set(name, value) and
 * core.get(name). Values may be strings, as they come from the command line. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/room.h"
#include "base/threads.h"
#include "data/decode.h"
#include "lua/slua.h"
#include "ops/random.h"

static int deterministic, precision;
static const char *const precisions[] = {"auto", "f32", "bf16", NULL};

static void set_device(lua_State *L) {
  const sl_backend *b = sl_backend_find(luaL_checkstring(L, 2));
  if (!b) luaL_error(L, "device: %s", sl_error());
  sl_backend_set_default(b);
}

static void get_device(lua_State *L) {
  lua_pushstring(L, sl_backend_default()->name);
}

static lua_Integer whole(lua_State *L, const char *what, lua_Integer least) {
  int ok;
  const lua_Integer n = lua_tointegerx(L, 2, &ok);
  if (!ok || n < least)
    luaL_error(L, "%s must be a whole number of at least %I, not '%s'", what,
               least, luaL_tolstring(L, 2, NULL));
  return n;
}

static void set_seed(lua_State *L) {
  sl_seed((uint64_t)whole(L, "seed", 0));
}

static void get_seed(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)sl_seed_get());
}

static void set_threads(lua_State *L) {
  const lua_Integer n = whole(L, "threads", 0);
  if (n > SL_MAX_THREADS)
    luaL_error(L, "threads must be at most %d, not %I", (int)SL_MAX_THREADS, n);
  slua_check(L, sl_pool_resize((int)n), "threads");
}

static void get_threads(lua_State *L) {
  lua_pushinteger(L, sl_pool_size());
}

/* "4GB", "500MB", bytes; 0: no limit but the machine's. */
static void set_memory_limit(lua_State *L) {
  const char *text = luaL_tolstring(L, 2, NULL);
  char *end;
  double bytes = strtod(text, &end);
  const char *const units[] = {"KB", "MB", "GB", "TB"};
  int unit = *end ? -1 : 0;
  for (int i = 0; i < 4 && unit < 0; i++)
    if (strcasecmp(end, units[i]) == 0) unit = i + 1;
  for (int i = 0; i < unit; i++)
    bytes *= 1024;
  if (end == text || unit < 0 || !(bytes >= 0 && bytes < 0x1p62))
    luaL_error(L,
               "memory-limit: a size such as 4GB or 500MB is wanted, not '%s'",
               text);
  sl_memory_limit_set((int64_t)bytes);
}

static void get_memory_limit(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)sl_memory_limit());
}

enum { AUTO, F32, BF16 }; /* positions in precisions */

/* can_bf16() -> whether models can be trained in bf16 on the default device */
static int can_bf16(lua_State *L) {
  lua_pushboolean(L, sl_backend_default()->bf16() != SL_BF16_NONE);
  return 1;
}

static void set_precision(lua_State *L) {
  const char *s = luaL_checkstring(L, 2);
  for (int i = 0; precisions[i]; i++)
    if (strcmp(s, precisions[i]) == 0) {
      if (i == BF16 && sl_backend_default()->bf16() == SL_BF16_NONE)
        luaL_error(L, "precision: this processor has no bf16 arithmetic "
                      "(AVX-512 is wanted); use f32 or auto");
      precision = i;
      return;
    }
  luaL_error(L, "precision must be auto, f32 or bf16, not '%s'", s);
}

/* What "auto" comes to: bf16 where that is fast. */
static void get_precision(lua_State *L) {
  int p = precision;
  if (p == AUTO) p = sl_backend_default()->bf16() == SL_BF16_FAST ? BF16 : F32;
  lua_pushstring(L, precisions[p]);
}

static int is_on(lua_State *L) {
  return lua_isstring(L, 2) ? strcmp(lua_tostring(L, 2), "false") != 0
                            : lua_toboolean(L, 2);
}

static void set_deterministic(lua_State *L) {
  deterministic = is_on(L);
  sl_backend_deterministic(deterministic);
}

static void get_deterministic(lua_State *L) {
  lua_pushboolean(L, deterministic);
}

static void set_untrusted(lua_State *L) {
  sl_decode_allow_untrusted(is_on(L));
}

static void get_untrusted(lua_State *L) {
  lua_pushboolean(L, sl_decode_allows_untrusted());
}

static void set_traceback(lua_State *L) {
  const char *s = luaL_checkstring(L, 2);
  if (!slua_traceback_set(s))
    luaL_error(L, "traceback must be short or full, not '%s'", s);
}

static void get_traceback(lua_State *L) {
  lua_pushstring(L, slua_traceback_set(NULL));
}

static const struct {
  const char *name;
  void (*set)(lua_State *L); /* from the value at 2 */
  void (*get)(lua_State *L); /* pushes one */
} settings[] = {
    {"device", set_device, get_device},
    {"seed", set_seed, get_seed},
    {"threads", set_threads, get_threads},
    {"precision", set_precision, get_precision},
    {"deterministic", set_deterministic, get_deterministic},
    {"allow-untrusted-images", set_untrusted, get_untrusted},
    {"memory-limit", set_memory_limit, get_memory_limit},
    {"traceback", set_traceback, get_traceback},
};
enum { N_SETTINGS = sizeof settings / sizeof *settings };

static int find(lua_State *L) {
  const char *name = luaL_checkstring(L, 1), *names[N_SETTINGS + 1] = {0};
  for (int i = 0; i < N_SETTINGS; i++) {
    names[i] = settings[i].name;
    if (strcmp(name, names[i]) == 0) return i;
  }
  const char *near = slua_nearest(name, names);
  return luaL_error(L, "there is no setting '%s'; did you mean '%s'?", name,
                    near ? near : names[0]);
}

static int set(lua_State *L) {
  const int i = find(L);
  luaL_checkany(L, 2);
  settings[i].set(L);
  return 0;
}

static int get(lua_State *L) {
  settings[find(L)].get(L);
  return 1;
}

/* random_state() -> {seed, call}: where the sequence of random operations
 * stands; random_state(that) puts it back there. */
static int random_state(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_geti(L, 1, 1);
    lua_geti(L, 1, 2);
    sl_random_restore((sl_random_state){(uint64_t)luaL_checkinteger(L, -2),
                                        (uint32_t)luaL_checkinteger(L, -1)});
    return 0;
  }
  const sl_random_state s = sl_random_save();
  lua_createtable(L, 2, 0);
  lua_pushinteger(L, (lua_Integer)s.seed);
  lua_seti(L, -2, 1);
  lua_pushinteger(L, (lua_Integer)s.call);
  lua_seti(L, -2, 2);
  return 1;
}

static const luaL_Reg functions[] = {{"set", set},
                                     {"get", get},
                                     {"can_bf16", can_bf16},
                                     {"random_state", random_state},
                                     {NULL, NULL}};

int slua_open_settings(lua_State *L);
int slua_open_settings(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
  return 0;
}
