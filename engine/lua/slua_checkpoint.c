/* slua_checkpoint.c -- what checkpoints need of the engine:
 *   core.fit_state() -> {recorder = tensor, seconds = of this epoch, history =
 *       the text of history.csv, or nil}, inside a fit; core.fit goes on with
 *       it (start_state)
 *   core.list_dir(path) -> names, sorted; nil if it cannot be read
 *   core.lock(path) -> an object that keeps a file locked until :close(), or
 *       nil if another process has it
 *   core.sleep(seconds) -> false if Ctrl-C came */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "lua/slua_data.h"
#include "lua/slua_train.h"

/* Doubles travel as pairs of i32: files of tensors have no f64 to write. */
enum { WORDS = sizeof(double) / sizeof(int32_t) };

static sl_status pack(const slua_run *r, sl_tensor **out) {
  double *numbers = NULL;
  int64_t n = 0;
  SL_TRY(sl_recorder_pack(&r->recorder, &numbers, &n));
  const int64_t shape[] = {n, WORDS};
  const sl_status status =
      sl_tensor_from(out, &sl_cpu, SL_I32, 2, shape, numbers);
  sl_free(numbers);
  return status;
}

void slua_unpack_recorder(lua_State *L, int arg, sl_recorder *r) {
  sl_tensor *t = slua_checktensor(L, arg);
  if (t->dtype != SL_I32 || t->rank != 2 || t->shape[1] != WORDS)
    luaL_error(L, "fit: start_state.recorder cannot be %s", sl_shape_text(t));
  double *numbers = sl_alloc((size_t)t->shape[0] + 1, sizeof *numbers);
  if (!numbers) luaL_error(L, "fit: out of memory");
  sl_status status = sl_tensor_read(t, SL_I32, numbers, sl_tensor_count(t));
  if (status == SL_OK) status = sl_recorder_unpack(r, numbers, t->shape[0]);
  sl_free(numbers);
  slua_check(L, status, "fit");
}

/* With the rows that could not be written yet. */
static void push_history(lua_State *L, const slua_run *r) {
  const size_t n = sl_grow_size(&r->history.file);
  luaL_Buffer b;
  char *room = luaL_buffinitsize(L, &b, n);
  slua_check(L, sl_grow_read(&r->history.file, room), "fit_state");
  luaL_pushresultsize(&b, n);
}

static int fit_state(lua_State *L) {
  const slua_run *r = slua_running;
  if (!r) return luaL_error(L, "fit_state: nothing is being trained");
  lua_createtable(L, 0, 3);
  slua_box *box = slua_newbox(L);
  slua_check(L, pack(r, &box->t), "fit_state");
  lua_setfield(L, -2, "recorder");
  lua_pushnumber(L, sl_clock() - r->loop.epoch_started);
  lua_setfield(L, -2, "seconds");
  if (r->history.file.path) {
    push_history(L, r);
    lua_setfield(L, -2, "history");
  }
  return 1;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static int list_dir(lua_State *L) {
  struct dirent **list = NULL;
  const int n = scandir(luaL_checkstring(L, 1), &list, NULL, by_name);
  if (n < 0) return 0;
  lua_createtable(L, n, 0);
  for (int i = 0, k = 0; i < n; i++) {
    if (list[i]->d_name[0] != '.') {
      lua_pushstring(L, list[i]->d_name);
      lua_seti(L, -2, ++k);
    }
    free(list[i]);
  }
  free(list);
  return 1;
}

#define LOCK "sota.lock"

static int unlock(lua_State *L) {
  int *fd = luaL_checkudata(L, 1, LOCK);
  if (*fd >= 0) close(*fd);
  *fd = -1;
  return 0;
}

static int lock(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
  *fd = -1;
  luaL_setmetatable(L, LOCK);
  *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (*fd < 0)
    return luaL_error(L, "cannot write %s: %s", path, strerror(errno));
  if (flock(*fd, LOCK_EX | LOCK_NB) == 0) return 1;
  if (errno == EWOULDBLOCK) return 0;
  return 1; /* a file system without locks */
}

static const luaL_Reg lock_methods[] = {
    {"close", unlock}, {"__gc", unlock}, {NULL, NULL}};

static int do_sleep(lua_State *L) {
  const double end = sl_clock() + luaL_checknumber(L, 1);
  const struct timespec moment = {0, 20000000};
  while (!sl_interrupt_pending() && sl_clock() < end)
    nanosleep(&moment, NULL);
  lua_pushboolean(L, !sl_interrupt_pending());
  return 1;
}

static const luaL_Reg functions[] = {{"fit_state", fit_state},
                                     {"list_dir", list_dir},
                                     {"lock", lock},
                                     {"sleep", do_sleep},
                                     {NULL, NULL}};

int slua_open_checkpoint(lua_State *L);
int slua_open_checkpoint(lua_State *L) {
  slua_new_class(L, LOCK, lock_methods);
  luaL_setfuncs(L, functions, 0);
  return 0;
}
