/* slua_decoded.c -- decoded images kept for later epochs, in Lua.
 *
 *   data.decoded(files, bytes [, folder, file_bytes]) -> decoded: the option
 *       `decoded` of loaders over these files, as many as like; `bytes` of
 *       pixels in memory at most; what does not fit goes to a file in `folder`
 *       (nil: none), whose files take `file_bytes` together
 *   data.cifar(folder, files) -> decoded, n, names: CIFAR-10's binary files,
 *       all in memory; files, an empty list, gets their items, of which the
 *       first n are for training; names of the classes, in their order
 *   decoded:bytes() -> what is kept in memory now, and the size of the file
 *   decoded:close(), <close>: at the latest with the last of its loaders */
#include "base/log.h"
#include "data/cifar.h"
#include "lua/slua_data.h"

typedef struct decoded_box {
  sl_decoded *d;
} decoded_box;

/* Holds what was read while Lua's copies of it are made. */
#define CIFAR "sota.cifar"
typedef struct cifar_box {
  sl_cifar set;
} cifar_box;

sl_decoded *slua_check_decoded(lua_State *L, int arg) {
  const decoded_box *b = luaL_checkudata(L, arg, SLUA_DECODED);
  if (!b->d) luaL_error(L, "these decoded images have been closed");
  return b->d;
}

/* A folder that cannot be written to is no reason not to train. */
static void open_file(sl_decoded *d, const sl_files *files, const char *folder,
                      lua_Integer budget) {
  sl_pixel_file *f;
  if (sl_pixel_file_open(folder, files, budget, &f) == SL_OK)
    sl_decoded_set_file(d, f);
  else
    sl_log(SL_LOG_WARN, "decoded images are not kept on disk: %s", sl_error());
}

static int new_decoded(lua_State *L) {
  const sl_files *files = slua_check_files(L, 1);
  const int64_t n = sl_files_count(files);
  const lua_Integer budget = luaL_checkinteger(L, 2);
  const char *folder = luaL_optstring(L, 3, NULL);
  const lua_Integer on_disk = luaL_optinteger(L, 4, 0);
  decoded_box *b = lua_newuserdatauv(L, sizeof *b, 0);
  b->d = NULL;
  luaL_setmetatable(L, SLUA_DECODED);
  slua_check(L, sl_decoded_new(n, budget, &b->d), "decoded");
  if (folder) open_file(b->d, files, folder, on_disk);
  return 1;
}

/* The box comes first: what is read goes there before Lua is called again. */
static int cifar(lua_State *L) {
  const char *folder = luaL_checkstring(L, 1);
  sl_files *files = slua_check_files(L, 2);
  decoded_box *b = lua_newuserdatauv(L, sizeof *b, 0);
  b->d = NULL;
  luaL_setmetatable(L, SLUA_DECODED);
  cifar_box *c = lua_newuserdatauv(L, sizeof *c, 0);
  *c = (cifar_box){0};
  luaL_setmetatable(L, CIFAR);
  slua_check(L, sl_cifar_open(folder, files, &c->set), "cifar10");
  b->d = sl_decoded_retain(c->set.images);
  lua_pushvalue(L, -2);
  lua_pushinteger(L, c->set.n_train);
  lua_createtable(L, c->set.n_classes, 0);
  for (int k = 0; k < c->set.n_classes; k++) {
    lua_pushstring(L, c->set.names[k]);
    lua_seti(L, -2, k + 1);
  }
  return 3;
}

static int close_cifar(lua_State *L) {
  cifar_box *c = luaL_checkudata(L, 1, CIFAR);
  sl_cifar_clear(&c->set);
  return 0;
}

static int close_decoded(lua_State *L) {
  decoded_box *b = luaL_checkudata(L, 1, SLUA_DECODED);
  sl_decoded_release(b->d);
  b->d = NULL;
  return 0;
}

static int bytes(lua_State *L) {
  const sl_decoded *d = slua_check_decoded(L, 1);
  lua_pushinteger(L, sl_decoded_bytes(d));
  lua_pushinteger(L, sl_decoded_file_bytes(d));
  return 2;
}

int slua_open_decoded(lua_State *L);
int slua_open_decoded(lua_State *L) {
  const luaL_Reg methods[] = {{"__gc", close_decoded},
                              {"__close", close_decoded},
                              {"close", close_decoded},
                              {"bytes", bytes},
                              {NULL, NULL}};
  const luaL_Reg functions[] = {
      {"decoded", new_decoded}, {"cifar", cifar}, {NULL, NULL}};
  const luaL_Reg cifar_methods[] = {{"__gc", close_cifar}, {NULL, NULL}};
  slua_new_class(L, SLUA_DECODED, methods);
  slua_new_class(L, CIFAR, cifar_methods);
  slua_data_table(L);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
  return 0;
}
