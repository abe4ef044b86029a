/* slua_loader.c -- loaders in Lua.
 *
 *   data.loader{files=, pipeline=, rows=, vocab=, multi=false, name="data",
 *               train=false, batch_size=64, shuffle=train, drop_last=train,
 *               seed=0, workers=-1, prefetch=0, on_bad="error"|"skip"|"list",
 *               rank=0, world=1, decoded=} -> loader             (loader.h says
 * more)
 *
 *   for i, x, y, rows in loader:batches(epoch [, first]) do ... end
 *       batch i (from 1), x: u8 (N,H,W,3), y: i32 (N) classes, or f32 (N,K)
 *       when multi, or false without vocab; rows: of the file list. However
 *       the loop ends, its threads end with it.
 *   loader:start(epoch [, first]); i, x, y, rows = loader:next(), nil at the
 *       end; loader:stop()                             the same by hand
 *
 *   #loader (batches), loader:items(), loader:batch_size(), loader:workers(),
 *   loader:size() -> h, w; loader:counts() -> items of each class, or nil
 *   loader:waited() -> seconds spent waiting for data
 *   loader:bad() -> list of {row=, path=, reason=}
 *   loader:close(), <close> */
#include <string.h>

#include "data/loader.h"
#include "lua/slua_data.h"

#define LOOP "sota.loader.loop"

typedef struct loader_box {
  sl_loader *l;
  const sl_files *files; /* held by the loader */
  lua_Integer run;       /* counts starts */
} loader_box;

static loader_box *check_box(lua_State *L, int arg) {
  loader_box *b = luaL_checkudata(L, arg, SLUA_LOADER);
  if (!b->l) luaL_error(L, "this loader has been closed");
  return b;
}

static sl_loader *check_loader(lua_State *L, int arg) {
  return check_box(L, arg)->l;
}

/* --- making --------------------------------------------------------------- */

static const char *const option_names[] = {
    "files",    "pipeline",   "rows",    "vocab",     "multi",   "name",
    "train",    "batch_size", "shuffle", "drop_last", "seed",    "workers",
    "prefetch", "on_bad",     "rank",    "world",     "decoded", NULL};

static int small(lua_State *L, const char *key, lua_Integer def) {
  const lua_Integer v = slua_get_int(L, 1, key, def, "loader");
  if (v < -1 || v > INT32_MAX)
    luaL_error(L, "loader: option '%s' is out of range: %I", key, v);
  return (int)v;
}

static int required(lua_State *L, const char *key) {
  const int at = slua_get(L, 1, key);
  if (!at) luaL_error(L, "loader: option '%s' is missing", key);
  return at;
}

static sl_bad_image bad_image(lua_State *L) {
  static const char *const words[] = {"error", "skip", "list"};
  const char *s = slua_get_text(L, 1, "on_bad", "error", "loader");
  for (int i = 0; i < 3; i++)
    if (strcmp(s, words[i]) == 0) return (sl_bad_image)i;
  luaL_error(L, "loader: on_bad is \"error\", \"skip\" or \"list\", not \"%s\"",
             s);
  return SL_BAD_ERROR;
}

static void read_numbers(lua_State *L, sl_loader_config *c) {
  c->name = slua_get_text(L, 1, "name", "data", "loader");
  c->train = slua_get_flag(L, 1, "train", 0, "loader");
  c->multi = slua_get_flag(L, 1, "multi", 0, "loader");
  c->shuffle = slua_get_flag(L, 1, "shuffle", c->train, "loader");
  c->drop_last = slua_get_flag(L, 1, "drop_last", c->train, "loader");
  c->seed = (uint64_t)slua_get_int(L, 1, "seed", 0, "loader");
  c->batch_size = small(L, "batch_size", 64);
  c->workers = small(L, "workers", -1);
  c->prefetch = small(L, "prefetch", 0);
  c->rank = small(L, "rank", 0);
  c->world = small(L, "world", 1);
  c->on_bad = bad_image(L);
}

/* Values that the config points into stay on the stack. */
static int new_loader(lua_State *L) {
  sl_loader_config c = {0};
  int at;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  slua_check_keys(L, 1, option_names, "loader");
  read_numbers(L, &c);
  c.files = slua_check_files(L, required(L, "files"));
  c.pipeline = slua_check_pipeline(L, required(L, "pipeline"));
  if ((at = slua_get(L, 1, "decoded")) != 0)
    c.decoded = slua_check_decoded(L, at);
  if ((at = slua_get(L, 1, "vocab")) != 0) c.vocab = slua_check_vocab(L, at);
  if ((at = slua_get(L, 1, "rows")) != 0) {
    const slua_rows *r = slua_check_rows(L, at);
    c.rows = r->v;
    c.n = r->n;
  }
  loader_box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (loader_box){.files = c.files};
  luaL_setmetatable(L, SLUA_LOADER);
  slua_check(L, sl_loader_new(&c, &b->l), NULL);
  return 1;
}

static int close_loader(lua_State *L) {
  loader_box *b = luaL_checkudata(L, 1, SLUA_LOADER);
  sl_loader_free(b->l);
  b->l = NULL;
  return 0;
}

/* --- batches -------------------------------------------------------------- */

static void start_at(lua_State *L, loader_box *b, int arg) {
  const lua_Integer epoch = luaL_optinteger(L, arg, 1);
  const lua_Integer first = luaL_optinteger(L, arg + 1, 1);
  luaL_argcheck(L, epoch >= 0 && epoch <= UINT32_MAX, arg,
                "is not the number of an epoch");
  luaL_argcheck(L, first >= 1, arg + 1, "batches count from 1");
  b->run++;
  slua_check(L, sl_loader_start(b->l, (uint32_t)epoch, first - 1), NULL);
}

static int start(lua_State *L) {
  start_at(L, check_box(L, 1), 2);
  return 0;
}

static int stop(lua_State *L) {
  sl_loader_stop(check_loader(L, 1));
  return 0;
}

/* Copies to the device; dead tensors may be waiting for the collector. */
static void push_tensor(lua_State *L, sl_dtype dtype, int rank,
                        const int64_t *shape, const void *data) {
  slua_box *box = slua_newbox(L);
  const sl_backend *backend = sl_backend_default();
  sl_status s = sl_tensor_from(&box->t, backend, dtype, rank, shape, data);
  if (s == SL_ENOMEM) {
    lua_gc(L, LUA_GCCOLLECT, 0);
    s = sl_tensor_from(&box->t, backend, dtype, rank, shape, data);
  }
  slua_check(L, s, "batch");
}

static void push_labels(lua_State *L, const sl_loader *l, const sl_batch *b) {
  if (b->labels) {
    push_tensor(L, SL_I32, 1, (const int64_t[]){b->n}, b->labels);
  } else if (b->targets) {
    const int64_t shape[] = {b->n, sl_loader_targets(l)->n_classes};
    push_tensor(L, SL_F32, 2, shape, b->targets);
  } else {
    lua_pushboolean(L, 0);
  }
}

/* The loader stays on the stack, so the batch's memory stays. */
static int push_batch(lua_State *L, sl_loader *l) {
  sl_batch b;
  slua_check(L, sl_loader_next(l, &b), NULL);
  if (b.n == 0) return 0;
  lua_pushinteger(L, b.number + 1);
  push_tensor(L, SL_U8, 4, (const int64_t[]){b.n, b.h, b.w, 3}, b.pixels);
  push_labels(L, l, &b);
  slua_rows *rows = slua_new_rows(L, b.n);
  memcpy(rows->v, b.rows, (size_t)b.n * sizeof *b.rows);
  sl_loader_release(l);
  return 4;
}

static int next(lua_State *L) {
  return push_batch(L, check_loader(L, 1));
}

/* Upvalues: the loader, the run that this loop began. */
static int next_of_loop(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  const loader_box *b = check_box(L, 1);
  if (b->run != lua_tointeger(L, lua_upvalueindex(2)))
    luaL_error(L, "this loop over batches was ended: its loader was started "
                  "again inside");
  return push_batch(L, b->l);
}

typedef struct loop {
  lua_Integer run; /* user value 1: the loader */
} loop;

/* Only the epoch of this loop: the loader may have been started again. */
static int end_of_loop(lua_State *L) {
  const loop *lp = luaL_checkudata(L, 1, LOOP);
  lua_getiuservalue(L, 1, 1);
  const loader_box *b = lua_touserdata(L, -1);
  if (b->l && b->run == lp->run) sl_loader_stop(b->l);
  return 0;
}

static int batches(lua_State *L) {
  loader_box *b = check_box(L, 1);
  lua_settop(L, 3); /* loader, epoch, first */
  loop *lp = lua_newuserdatauv(L, sizeof *lp, 1);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, LOOP);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, b->run + 1);
  lua_pushcclosure(L, next_of_loop, 2);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, -4);
  lp->run = b->run + 1;
  start_at(L, b, 2);
  return 4;
}

/* --- what it knows -------------------------------------------------------- */

static int length(lua_State *L) {
  lua_pushinteger(L, sl_loader_length(check_loader(L, 1)));
  return 1;
}

static int items(lua_State *L) {
  lua_pushinteger(L, sl_loader_items(check_loader(L, 1)));
  return 1;
}

static int batch_size(lua_State *L) {
  lua_pushinteger(L, sl_loader_batch_size(check_loader(L, 1)));
  return 1;
}

static int workers(lua_State *L) {
  lua_pushinteger(L, sl_loader_workers(check_loader(L, 1)));
  return 1;
}

static int size(lua_State *L) {
  int h, w;
  sl_loader_size(check_loader(L, 1), &h, &w);
  lua_pushinteger(L, h);
  lua_pushinteger(L, w);
  return 2;
}

static int counts(lua_State *L) {
  const sl_targets *t = sl_loader_targets(check_loader(L, 1));
  if (!t) return 0;
  const size_t n = (size_t)t->n_classes;
  int64_t *counted = lua_newuserdatauv(L, n * sizeof *counted, 0);
  sl_targets_count(t, counted);
  lua_createtable(L, t->n_classes, 0);
  for (int k = 0; k < t->n_classes; k++) {
    lua_pushinteger(L, counted[k]);
    lua_rawseti(L, -2, k + 1);
  }
  return 1;
}

static int waited(lua_State *L) {
  lua_pushnumber(L, sl_loader_waited(check_loader(L, 1)));
  return 1;
}

static int bad(lua_State *L) {
  const loader_box *b = check_box(L, 1);
  lua_newtable(L);
  for (int64_t i = 0; i < sl_loader_bad_count(b->l); i++) {
    int64_t row;
    const char *reason;
    char path[4096];
    sl_loader_bad(b->l, i, &row, &reason);
    sl_files_path(b->files, row, path, sizeof path);
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, row + 1);
    lua_setfield(L, -2, "row");
    lua_pushstring(L, path);
    lua_setfield(L, -2, "path");
    lua_pushstring(L, reason);
    lua_setfield(L, -2, "reason");
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int to_string(lua_State *L) {
  const loader_box *b = luaL_checkudata(L, 1, SLUA_LOADER);
  if (b->l)
    lua_pushfstring(L, "[loader: %I items, %I batches of %d, %d workers]",
                    (lua_Integer)sl_loader_items(b->l),
                    (lua_Integer)sl_loader_length(b->l),
                    sl_loader_batch_size(b->l), sl_loader_workers(b->l));
  else
    lua_pushliteral(L, "[closed loader]");
  return 1;
}

int slua_open_loader(lua_State *L);
int slua_open_loader(lua_State *L) {
  const luaL_Reg methods[] = {{"__gc", close_loader},
                              {"__close", close_loader},
                              {"__len", length},
                              {"__tostring", to_string},
                              {"close", close_loader},
                              {"start", start},
                              {"next", next},
                              {"stop", stop},
                              {"batches", batches},
                              {"items", items},
                              {"batch_size", batch_size},
                              {"workers", workers},
                              {"size", size},
                              {"counts", counts},
                              {"waited", waited},
                              {"bad", bad},
                              {NULL, NULL}};
  const luaL_Reg ends[] = {{"__close", end_of_loop}, {NULL, NULL}};
  const luaL_Reg functions[] = {{"loader", new_loader}, {NULL, NULL}};
  slua_new_class(L, SLUA_LOADER, methods);
  slua_new_class(L, LOOP, ends);
  slua_data_table(L);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
  return 0;
}
