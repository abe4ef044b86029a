/* slua_events.c -- from events of the loop to the callbacks that asked.
 *
 * A callback is a table; it is told of an event when it has a function of that
 * name, as cb[event](cb, learner). Of its fields these count:
 *   order                  0 unless given; ties in the order of the list
 *   run_train, run_valid   false: not for the batches of training, validation
 *   run                    false: not at all, until the end of the fit
 * Orders below 50 come before the recorder, the others after. */
#include <string.h>

#include "lua/slua_train.h"

enum { RECORDER = 50 };

/* --- sorting ---------------------------------------------------------------
 */

typedef struct ranked {
  double order;
  lua_Integer at; /* in the list */
} ranked;

static double order_of(lua_State *L) { /* of the callback on top */
  double order = 0;
  if (lua_getfield(L, -1, "order") != LUA_TNIL) {
    if (!lua_isnumber(L, -1))
      luaL_error(L, "fit: the order of a callback must be a number, not a %s",
                 luaL_typename(L, -1));
    order = lua_tonumber(L, -1);
  }
  lua_pop(L, 1);
  return order;
}

static void insert(ranked *list, lua_Integer n, ranked r) {
  for (; n > 0 && list[n - 1].order > r.order; n--)
    list[n] = list[n - 1];
  list[n] = r;
}

/* Pushes a userdata with the list's callbacks by order. */
static ranked *rank(lua_State *L, int cbs, lua_Integer n) {
  ranked *list = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof *list, 0);
  for (lua_Integer i = 1; i <= n; i++) {
    const int type = lua_geti(L, cbs, i);
    if (type != LUA_TTABLE && type != LUA_TUSERDATA)
      luaL_error(L, "fit: callback %d is a %s, not a table", (int)i,
                 lua_typename(L, type));
    insert(list, i - 1, (ranked){order_of(L), i});
    lua_pop(L, 1);
  }
  return list;
}

/* Appends the callback on top, if it listens to e, to the list of (e, late). */
static void add_listener(lua_State *L, slua_run *r, int events, sl_event e,
                         int late) {
  if (lua_getfield(L, -1, sl_event_name(e)) == LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  const int slot = 2 * (int)e + late + 1;
  if (lua_geti(L, events, slot) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_seti(L, events, slot);
  }
  const int n = r->listeners[e][late]++;
  lua_pushvalue(L, -3); /* callback, function, list, callback */
  lua_seti(L, -2, 2 * n + 1);
  lua_insert(L, -2);
  lua_seti(L, -2, 2 * n + 2);
  lua_pop(L, 1);
}

void slua_listen(lua_State *L, slua_run *r, int run, int cbs) {
  lua_newtable(L);
  const int events = lua_gettop(L);
  if (lua_istable(L, cbs)) {
    const lua_Integer n = slua_len(L, cbs);
    const ranked *list = rank(L, cbs, n);
    for (lua_Integer i = 0; i < n; i++) {
      lua_geti(L, cbs, list[i].at);
      for (int e = 0; e < SL_EVENT_COUNT; e++)
        add_listener(L, r, events, (sl_event)e, list[i].order >= RECORDER);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  lua_setiuservalue(L, run, SLUA_RUN_EVENTS);
}

/* --- what callbacks see ----------------------------------------------------
 */

static void set_integer(lua_State *L, int t, const char *name, int64_t v) {
  lua_pushinteger(L, (lua_Integer)v);
  lua_setfield(L, t, name);
}

static void set_number(lua_State *L, int t, const char *name, double v) {
  lua_pushnumber(L, v);
  lua_setfield(L, t, name);
}

/* Epochs and batches are counted from 1; before the first they are 0. */
void slua_sync(lua_State *L, const slua_run *r, int learner) {
  const sl_loop *l = &r->loop;
  set_integer(L, learner, "epoch", l->epoch + 1);
  set_integer(L, learner, "n_epoch", l->n_epoch);
  set_integer(L, learner, "iter", l->iter + 1);
  set_integer(L, learner, "n_iter", l->n_iter);
  set_integer(L, learner, "train_iter", l->train_iter);
  set_integer(L, learner, "bs", l->batch_size);
  set_number(L, learner, "pct_train", l->pct_train);
  set_number(L, learner, "smooth_loss", l->smooth_loss);
  if (r->guarded) set_number(L, learner, "grad_norm", r->grad_norm);
  lua_pushboolean(L, l->training);
  lua_setfield(L, learner, "training");
  lua_pushboolean(L, l->status == SL_EINTERRUPT);
  lua_setfield(L, learner, "interrupted");
}

void slua_know_loss(lua_State *L, slua_run *r, int learner) {
  if (!r->loss || r->loss_known) return;
  float v = 0;
  slua_check(L, sl_tensor_read(r->loss, SL_F32, &v, 1), "loss");
  r->loss_known = 1;
  r->loss_value = (double)v;
  set_number(L, learner, "loss", (double)v);
}

/* {epoch, train_loss, valid_loss, <metrics>, time}: what was measured */
void slua_push_row(lua_State *L, const sl_recorder *r, const sl_row *row) {
  lua_newtable(L);
  const int t = lua_gettop(L);
  set_integer(L, t, "epoch", row->epoch);
  set_number(L, t, "time", row->seconds);
  if (row->has_train) set_number(L, t, "train_loss", row->train_loss);
  if (!row->has_valid) return;
  set_number(L, t, "valid_loss", row->valid_loss);
  for (int i = 0; i < r->n_metrics; i++)
    set_number(L, t, r->metric_names[i], row->metric[i]);
}

/* learner.recorder.values gets the rows that it does not have yet. */
static void sync_rows(lua_State *L, slua_run *r, int learner) {
  if (r->n_rows >= r->recorder.n_rows) return;
  lua_getfield(L, learner, "recorder");
  lua_getfield(L, -1, "values");
  for (; r->n_rows < r->recorder.n_rows; r->n_rows++) {
    slua_push_row(L, &r->recorder, &r->recorder.rows[r->n_rows]);
    lua_seti(L, -2, r->n_rows + 1);
  }
  lua_pop(L, 2);
}

/* --- telling them ----------------------------------------------------------
 */

static int is_false(lua_State *L, int at, const char *name) {
  const int is =
      lua_getfield(L, at, name) == LUA_TBOOLEAN && !lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is;
}

static int wants(lua_State *L, const slua_run *r, int cb, sl_event e) {
  if (is_false(L, cb, "run")) return 0;
  if (!sl_event_is_inner(e)) return 1;
  return !is_false(L, cb, r->loop.training ? "run_train" : "run_valid");
}

/* Stack: 1 the run. */
static int tell(lua_State *L) {
  slua_run *r = lua_touserdata(L, 1);
  const sl_event e = r->arg.event;
  const int slot = 2 * (int)e + r->arg.late + 1;
  const int n = r->listeners[e][r->arg.late];
  lua_getiuservalue(L, 1, SLUA_RUN_LEARNER); /* 2 */
  lua_getiuservalue(L, 1, SLUA_RUN_EVENTS);
  slua_sync(L, r, 2);
  slua_know_loss(L, r, 2);
  sync_rows(L, r, 2);
  if (lua_geti(L, 3, slot) == LUA_TNIL) return 0; /* 4 */
  for (int i = 0; i < n; i++) {
    lua_geti(L, 4, 2 * i + 1); /* 5: the callback */
    lua_geti(L, 4, 2 * i + 2);
    if (wants(L, r, 5, e)) {
      lua_pushvalue(L, 5);
      lua_pushvalue(L, 2);
      lua_call(L, 2, 0);
    }
    lua_settop(L, 4);
  }
  return 0;
}

sl_flow slua_fire(void *context, sl_event e, int late) {
  slua_run *r = context;
  if (!r->listeners[e][late]) return SL_GO_ON;
  r->arg.event = e;
  r->arg.late = late;
  return slua_protect(r, tell);
}
