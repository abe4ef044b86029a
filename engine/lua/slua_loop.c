/* slua_loop.c -- core.fit and core.validate: the training loop for Lua.
 *
 * core.fit(spec): spec is a table with
 *   learner    table that callbacks see: epoch, n_epoch, iter, n_iter (from 1),
 *              train_iter, pct_train, training, bs, xb, yb, pred, loss_grad,
 *              loss (a number), smooth_loss, recorder; with diverged grad_norm,
 *              of the gradients as the last step had them
 *   n_epoch [, start_epoch, start_iter: how much of it is done; start_state:
 *              what core.fit_state() gave then]
 *   train, valid   loaders: slua_hooks.c
 *   forward(learner, xb) -> pred       loss(learner, pred, yb) -> tensor
 *   mode(learner, training)            (optional)
 *   optim      optimiser               (optional)
 *   diverged(learner, parameter, n)    (optional) called when the training loss
 *              is not finite (no parameter), or n gradients, the parameter's
 *              first, before the step is taken: raises, or leaves the batch out
 *   cbs        list of callbacks: slua_events.c
 *   metrics    list of {name, function or object}
 *   schedule   list of {hyper = "lr", schedule = s [, group = 1]}
 *   table      true: the epoch table on stdout
 *   progress   true: the progress line on stderr, if that is a terminal
 *   history    file name of history.csv [, history_append = true]
 * Returns the recorder: {values = rows, losses, lrs, moms, iters, names}.
 *
 * core.validate(spec) makes one pass over spec.valid and returns its row.
 * core.cancel.batch and its like are what callbacks raise: error(cancel.fit).
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "lua/slua_train.h"
#include "ops/tape.h"

#define RUN      "sota.run"
#define CANCEL   "sota.cancel"
#define STOP     "sota.stop"
#define RECORDER "sota.recorder"

/* --- reading the spec ------------------------------------------------------
 */

static const char *const spec_fields[] = {
    "learner",  "n_epoch",        "start_epoch", "start_iter", "train",
    "valid",    "forward",        "loss",        "mode",       "optim",
    "cbs",      "metrics",        "table",       "history",    "schedule",
    "progress", "history_append", "start_state", "diverged",   NULL};

static int flag(lua_State *L, int spec, const char *name) {
  lua_getfield(L, spec, name);
  const int on = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return on;
}

static lua_Integer integer(lua_State *L, int spec, const char *name) {
  lua_getfield(L, spec, name);
  if (!lua_isnoneornil(L, -1) && !lua_isinteger(L, -1))
    luaL_error(L, "fit: %s must be a whole number, not %s", name,
               luaL_tolstring(L, -1, NULL));
  const lua_Integer v = lua_tointeger(L, -1);
  if (v < 0 || v > INT32_MAX)
    luaL_error(L, "fit: %s is %I: a count is wanted", name, v);
  lua_pop(L, 1);
  return v;
}

/* The names stay alive in a list of the run's own: what the spec has may be a
 * number, and may change. */
static void read_metrics(lua_State *L, slua_run *r, int spec) {
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, r->index, SLUA_RUN_NAMES);
  if (lua_getfield(L, spec, "metrics") == LUA_TTABLE) {
    const lua_Integer n = slua_len(L, -1);
    if (n > SL_MAX_METRICS)
      luaL_error(L, "fit: %I metrics; at most %d are possible", n,
                 (int)SL_MAX_METRICS);
    r->recorder.n_metrics = (int)n;
    for (int i = 0; i < (int)n; i++) {
      lua_geti(L, -1, i + 1);
      luaL_checktype(L, -1, LUA_TTABLE);
      lua_geti(L, -1, 1);
      r->recorder.metric_names[i] = luaL_checkstring(L, -1);
      lua_seti(L, -4, i + 1);
      lua_geti(L, -1, 2);
      r->n_stateful += lua_istable(L, -1);
      lua_pop(L, 2);
    }
  }
  lua_pop(L, 2);
}

static void read_scheduled(lua_State *L, sl_scheduled *s) { /* on top */
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_getfield(L, -1, "hyper");
  const char *name = luaL_checkstring(L, -1);
  const int h = sl_hyper_find(name);
  if (h < 0) luaL_error(L, "fit: no hyperparameter '%s'", name);
  lua_getfield(L, -2, "group");
  lua_getfield(L, -3, "schedule");
  s->hyper = (sl_hyper)h;
  s->group = (int)luaL_optinteger(L, -2, 0) - 1;
  s->schedule = *slua_checkschedule(L, lua_gettop(L));
  lua_pop(L, 3);
}

static void read_schedules(lua_State *L, slua_run *r, int spec) {
  if (lua_getfield(L, spec, "schedule") == LUA_TTABLE) {
    const int n = (int)slua_len(L, -1);
    r->scheduled = sl_alloc((size_t)n + 1, sizeof *r->scheduled);
    if (!r->scheduled) luaL_error(L, "fit: out of memory");
    for (int i = 0; i < n; i++) {
      lua_geti(L, -1, i + 1);
      read_scheduled(L, &r->scheduled[i]);
      lua_pop(L, 1);
    }
    r->loop.scheduled = r->scheduled;
    r->loop.n_scheduled = n;
  }
  lua_pop(L, 1);
}

static void read_optim(lua_State *L, slua_run *r, int spec) {
  if (lua_getfield(L, spec, "optim") != LUA_TNIL)
    r->loop.optim = slua_checkoptim(L, lua_gettop(L));
  lua_setiuservalue(L, r->index, SLUA_RUN_OPTIM);
}

/* learner.recorder = {values = {}, names = {...}}; core.recorder_meta is its
 * metatable, to which the Lua library adds methods. */
static void new_recorder(lua_State *L, const slua_run *r, int learner) {
  lua_createtable(L, 0, 4);
  lua_newtable(L);
  lua_setfield(L, -2, "values");
  lua_createtable(L, r->recorder.n_metrics, 0);
  for (int i = 0; i < r->recorder.n_metrics; i++) {
    lua_pushstring(L, r->recorder.metric_names[i]);
    lua_seti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "names");
  luaL_setmetatable(L, RECORDER);
  lua_setfield(L, learner, "recorder");
}

static void open_history(lua_State *L, slua_run *r, int spec) {
  if (lua_getfield(L, spec, "history") != LUA_TNIL) {
    const char *path = luaL_checkstring(L, -1);
    const int append = flag(L, spec, "history_append");
    slua_check(L, sl_history_open(&r->history, path, append, &r->recorder),
               "fit");
    r->loop.history = &r->history;
  }
  lua_pop(L, 1);
}

/* --- a run -----------------------------------------------------------------
 */

static void close_run(slua_run *r) {
  sl_recorder_free(&r->recorder);
  sl_history_close(&r->history);
  sl_free(r->scheduled);
  r->scheduled = NULL;
  sl_tensor_release(r->loss);
  r->loss = NULL;
}

static int run_gc(lua_State *L) {
  close_run(luaL_checkudata(L, 1, RUN));
  return 0;
}

static slua_run *new_run(lua_State *L) {
  slua_run *r = lua_newuserdatauv(L, sizeof *r, SLUA_RUN_VALUES);
  memset(r, 0, sizeof *r);
  luaL_setmetatable(L, RUN);
  r->L = L;
  r->index = lua_gettop(L);
  r->loop.recorder = &r->recorder;
  slua_hooks(r);
  return r;
}

/* spec.start_state = {recorder = tensor, seconds = number} */
static void read_state(lua_State *L, slua_run *r, int spec) {
  if (lua_getfield(L, spec, "start_state") == LUA_TTABLE) {
    lua_getfield(L, -1, "seconds");
    r->loop.start_seconds = luaL_optnumber(L, -1, 0);
    lua_getfield(L, -2, "recorder");
    slua_unpack_recorder(L, lua_gettop(L), &r->recorder);
    r->loop.resumes = 1;
    lua_pop(L, 2);
  }
  lua_pop(L, 1);
}

static slua_run *open_run(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  slua_check_keys(L, 1, spec_fields, "fit");
  slua_run *r = new_run(L); /* 2 */
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, 2, SLUA_RUN_SPEC);
  if (lua_getfield(L, 1, "learner") != LUA_TTABLE)
    luaL_error(L, "fit: learner must be a table");
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, 2, SLUA_RUN_LEARNER);
  read_metrics(L, r, 1);
  read_schedules(L, r, 1);
  read_optim(L, r, 1);
  r->loop.n_epoch = (int)integer(L, 1, "n_epoch");
  r->loop.start_epoch = (int)integer(L, 1, "start_epoch");
  r->loop.start_iter = integer(L, 1, "start_iter");
  read_state(L, r, 1);
  r->guarded = flag(L, 1, "diverged");
  r->grad_norm = (double)NAN;
  r->loop.has_train = flag(L, 1, "train");
  r->loop.has_valid = flag(L, 1, "valid");
  new_recorder(L, r, 3);
  lua_getfield(L, 1, "cbs");
  slua_listen(L, r, 2, 4);
  lua_settop(L, 3);
  if (flag(L, 1, "progress")) {
    r->progress = sl_progress_new();
    r->loop.progress = &r->progress;
  }
  return r;
}

static void push_series(lua_State *L, const sl_series *s) {
  lua_createtable(L, (int)s->n, 0);
  for (int64_t i = 0; i < s->n; i++) {
    lua_pushnumber(L, s->at[i]);
    lua_seti(L, -2, (lua_Integer)i + 1);
  }
}

/* The training batches that had been done at the end of each epoch. */
static void push_iters(lua_State *L, const sl_recorder *r) {
  lua_createtable(L, r->n_rows, 0);
  for (int i = 0; i < r->n_rows; i++) {
    lua_pushinteger(L, r->rows[i].batches);
    lua_seti(L, -2, i + 1);
  }
}

/* The series of a recorder, into the table on top. */
static void fill_recorder(lua_State *L, const sl_recorder *r) {
  push_series(L, &r->losses);
  lua_setfield(L, -2, "losses");
  push_series(L, &r->lrs);
  lua_setfield(L, -2, "lrs");
  push_series(L, &r->moms);
  lua_setfield(L, -2, "moms");
  push_iters(L, r);
  lua_setfield(L, -2, "iters");
}

/* Leaves learner.recorder on top, complete. */
static void finish_recorder(lua_State *L, slua_run *r) {
  lua_getfield(L, 3, "recorder");
  lua_getfield(L, -1, "values");
  for (; r->n_rows < r->recorder.n_rows; r->n_rows++) {
    slua_push_row(L, &r->recorder, &r->recorder.rows[r->n_rows]);
    lua_seti(L, -2, r->n_rows + 1);
  }
  lua_pop(L, 1);
  fill_recorder(L, &r->recorder);
}

/* unpack_recorder(tensor, names of the metrics) -> what core.fit returned */
static int unpack_recorder(lua_State *L) {
  slua_run *r = new_run(L); /* 3: frees what it holds */
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, "names");
  for (int i = 0; i < (int)luaL_len(L, 2) && i < SL_MAX_METRICS; i++) {
    lua_geti(L, 2, i + 1);
    r->recorder.metric_names[r->recorder.n_metrics++] = luaL_checkstring(L, -1);
    lua_pop(L, 1);
  }
  slua_unpack_recorder(L, 1, &r->recorder);
  lua_createtable(L, r->recorder.n_rows, 0);
  for (int i = 0; i < r->recorder.n_rows; i++) {
    slua_push_row(L, &r->recorder, &r->recorder.rows[i]);
    lua_seti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "values");
  fill_recorder(L, &r->recorder);
  luaL_setmetatable(L, RECORDER);
  return 1;
}

void slua_raise(lua_State *L, sl_status status, const char *what) {
  if (status != SL_EINTERRUPT && status != SL_EDIVERGED) {
    slua_check(L, status, what);
    return;
  }
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, status == SL_EINTERRUPT ? 130 : 3);
  lua_setfield(L, -2, "code");
  lua_pushstring(L, status == SL_EINTERRUPT ? "interrupted!" : sl_error());
  lua_setfield(L, -2, "message");
  luaL_setmetatable(L, STOP);
  lua_error(L);
}

static int stop_to_string(lua_State *L) {
  lua_getfield(L, 1, "message");
  return 1;
}

_Thread_local slua_run *slua_running;

/* A callback must not close what the loop is about to use. */
static void use_optim(lua_State *L, const slua_run *r, int change) {
  if (!r->loop.optim) return;
  lua_getiuservalue(L, r->index, SLUA_RUN_OPTIM);
  slua_optim_use(L, lua_gettop(L), change);
  lua_pop(L, 1);
}

static void run_loop(lua_State *L, slua_run *r, sl_status (*loop)(sl_loop *)) {
  const int old_tape = sl_tape_enabled();
  slua_run *outer = slua_running;
  slua_running = r;
  use_optim(L, r, 1);
  const sl_status status = loop(&r->loop);
  use_optim(L, r, -1);
  slua_running = outer;
  sl_tape_enable(old_tape);
  finish_recorder(L, r); /* 4 */
  if (status == SL_ELUA) lua_getiuservalue(L, 2, SLUA_RUN_ERROR);
  if (status != SL_OK) close_run(r);
  slua_raise(L, status, "fit");
}

static int fit(lua_State *L) {
  slua_run *r = open_run(L);
  if (r->loop.n_epoch < 1)
    return luaL_error(L, "fit: n_epoch is %d: at least 1 is wanted",
                      r->loop.n_epoch);
  if (!r->loop.has_train) return luaL_error(L, "fit: there is no train loader");
  r->loop.table = flag(L, 1, "table") ? stdout : NULL;
  open_history(L, r, 1);
  run_loop(L, r, sl_loop_fit);
  close_run(r);
  return 1;
}

static int validate(lua_State *L) {
  slua_run *r = open_run(L);
  if (!r->loop.has_valid)
    return luaL_error(L, "validate: there is no valid loader");
  run_loop(L, r, sl_loop_validate);
  if (r->recorder.n_rows > 0)
    slua_push_row(L, &r->recorder, &r->recorder.rows[r->recorder.n_rows - 1]);
  else
    lua_pushnil(L);
  close_run(r);
  return 1;
}

/* --- opening ---------------------------------------------------------------
 */

static int cancel_to_string(lua_State *L) {
  lua_getfield(L, 1, "level");
  lua_pushfstring(L, "cancel %s (no such level is running)",
                  lua_tostring(L, -1));
  return 1;
}

static void open_cancel(lua_State *L) {
  luaL_newmetatable(L, CANCEL);
  lua_pushcfunction(L, cancel_to_string);
  lua_setfield(L, -2, "__tostring");
  lua_newtable(L);
  for (int f = SL_CANCEL_BACKWARD; f < SL_FAILED; f++) {
    const char *level = sl_flow_name((sl_flow)f);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, level);
    lua_setfield(L, -2, "level");
    lua_pushvalue(L, -3);
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, level);
  }
  lua_setfield(L, -3, "cancel");
  lua_pop(L, 1);
}

static const luaL_Reg functions[] = {{"fit", fit},
                                     {"validate", validate},
                                     {"unpack_recorder", unpack_recorder},
                                     {NULL, NULL}};

int slua_open_loop(lua_State *L);
int slua_open_loop(lua_State *L) {
  luaL_newmetatable(L, RUN);
  lua_pushcfunction(L, run_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newmetatable(L, STOP);
  lua_pushcfunction(L, stop_to_string);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 2);
  luaL_newmetatable(L, RECORDER);
  lua_setfield(L, -2, "recorder_meta");
  open_cancel(L);
  luaL_setfuncs(L, functions, 0);
  lua_createtable(L, SL_EVENT_COUNT, 0);
  for (int e = 0; e < SL_EVENT_COUNT; e++) {
    lua_pushstring(L, sl_event_name((sl_event)e));
    lua_seti(L, -2, e + 1);
  }
  lua_setfield(L, -2, "events");
  return 0;
}
