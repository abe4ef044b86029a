/* slua_hooks.c -- the loop's hooks, in Lua where they must be: batches,
 * forward, loss, metrics. Backward, step and zero_grad call no Lua. */
#include <math.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "lua/slua_train.h"
#include "ops/tape.h"

/* --- protection ------------------------------------------------------------
 */

#define CANCEL "sota.cancel"

/* The flow of a sentinel of core.cancel on top of the stack. */
static sl_flow cancellation(lua_State *L) {
  sl_flow flow = SL_GO_ON;
  if (lua_type(L, -1) != LUA_TTABLE || !lua_getmetatable(L, -1)) return flow;
  luaL_getmetatable(L, CANCEL);
  if (lua_rawequal(L, -1, -2)) {
    lua_pushliteral(L, "level"); /* which a program may have changed */
    lua_rawget(L, -4);
    const char *level = lua_tostring(L, -1);
    if (level) flow = sl_flow_find(level);
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  return flow;
}

/* The error value is on top. A loader that was waiting when Ctrl-C came raised
 * an error of its own. */
static sl_flow caught(slua_run *r) {
  lua_State *L = r->L;
  const sl_flow flow = cancellation(L);
  if (flow != SL_GO_ON) {
    lua_pop(L, 1);
    return flow;
  }
  if (sl_interrupt_pending()) {
    sl_interrupt_clear();
    lua_pop(L, 1);
    return sl_loop_fail(&r->loop, sl_fail(SL_EINTERRUPT, "interrupted"));
  }
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
                                                    : "a callback failed";
  const sl_status status = sl_fail(SL_ELUA, "%s", text);
  lua_setiuservalue(L, r->index, SLUA_RUN_ERROR);
  return sl_loop_fail(&r->loop, status);
}

sl_flow slua_protect(slua_run *r, lua_CFunction f) {
  lua_pushcfunction(r->L, f);
  lua_pushvalue(r->L, r->index);
  return slua_pcall(r->L, 1, 0) == LUA_OK ? SL_GO_ON : caught(r);
}

/* --- in Lua: index 1 is the run --------------------------------------------
 */

/* Pushes the learner (2), the spec (3) and the spec's function (4). */
static slua_run *open_hook(lua_State *L, const char *function) {
  lua_getiuservalue(L, 1, SLUA_RUN_LEARNER);
  lua_getiuservalue(L, 1, SLUA_RUN_SPEC);
  lua_getfield(L, 3, function);
  return lua_touserdata(L, 1);
}

/* spec.train and spec.valid: {n = batches, batches = function(epoch, start)}
 * whose result gives x, y [, number of items] at each call, nil at the end;
 * its second result, a function or an object with __close, ends it. */
static int lua_begin(lua_State *L) {
  slua_run *r = lua_touserdata(L, 1);
  open_hook(L, r->arg.training ? "train" : "valid");
  lua_getfield(L, 4, "n");
  r->arg.n = luaL_checkinteger(L, -1);
  lua_getfield(L, 4, "batches");
  lua_pushinteger(L, r->arg.epoch + 1);
  lua_pushinteger(L, (lua_Integer)r->arg.start);
  lua_call(L, 2, 2);
  lua_setiuservalue(L, 1, SLUA_RUN_CLOSE);
  lua_setiuservalue(L, 1, SLUA_RUN_NEXT);
  return 0;
}

static int64_t count_items(lua_State *L, int x, int n) {
  if (lua_isinteger(L, n)) return lua_tointeger(L, n);
  const sl_tensor *t = slua_totensor(L, x);
  if (t && t->rank > 0) return t->shape[0];
  return luaL_error(L, "a batch must be a tensor, or come with its number of "
                       "items");
}

static int lua_next_batch(lua_State *L) {
  slua_run *r = lua_touserdata(L, 1);
  lua_getiuservalue(L, 1, SLUA_RUN_LEARNER); /* 2 */
  lua_getiuservalue(L, 1, SLUA_RUN_NEXT);
  lua_call(L, 0, 3); /* 3: x, 4: y, 5: items */
  if (lua_isnil(L, 3)) return 0;
  r->loop.batch_size = count_items(L, 3, 5);
  r->loop.has_target = !lua_isnil(L, 4);
  lua_settop(L, 4);
  lua_setfield(L, 2, "yb");
  lua_setfield(L, 2, "xb");
  return 0;
}

static int lua_end(lua_State *L) {
  lua_getiuservalue(L, 1, SLUA_RUN_CLOSE);
  lua_pushnil(L);
  lua_setiuservalue(L, 1, SLUA_RUN_CLOSE);
  lua_pushnil(L);
  lua_setiuservalue(L, 1, SLUA_RUN_NEXT);
  if (lua_isnil(L, 2)) return 0;
  if (luaL_getmetafield(L, 2, "__close") != LUA_TNIL) {
    lua_insert(L, 2);
    lua_pushnil(L);
    lua_call(L, 2, 0);
  } else {
    lua_call(L, 0, 0);
  }
  return 0;
}

static int lua_mode(lua_State *L) { /* spec.mode(learner, training) */
  slua_run *r = open_hook(L, "mode");
  if (lua_isnil(L, 4)) return 0;
  lua_pushvalue(L, 2);
  lua_pushboolean(L, r->arg.training);
  lua_call(L, 2, 0);
  return 0;
}

static int lua_begin_step(lua_State *L) {
  slua_run *r = lua_touserdata(L, 1);
  r->scope = slua_scope_open(L);
  return 0;
}

static int lua_forward(lua_State *L) { /* spec.forward(learner, xb) -> pred */
  slua_sync(L, open_hook(L, "forward"), 2);
  lua_pushvalue(L, 2);
  lua_getfield(L, 2, "xb");
  lua_call(L, 2, 1);
  lua_setfield(L, 2, "pred");
  return 0;
}

/* spec.loss(learner, pred, yb) -> tensor: learner.loss_grad, which callbacks
 * may replace before it is differentiated */
static int lua_loss(lua_State *L) {
  slua_run *r = open_hook(L, "loss");
  lua_pushvalue(L, 2);
  lua_getfield(L, 2, "pred");
  lua_getfield(L, 2, "yb");
  lua_call(L, 3, 1);
  sl_tensor *loss = slua_totensor(L, 4);
  if (!loss || sl_tensor_count(loss) != 1)
    return luaL_error(L, "the loss must be a tensor of one number, not %s",
                      loss ? sl_shape_text(loss) : luaL_typename(L, 4));
  sl_tensor_release(r->loss);
  r->loss = sl_tensor_retain(loss);
  r->loss_known = 0;
  lua_setfield(L, 2, "loss_grad");
  return 0;
}

static int lua_loss_value(lua_State *L) {
  slua_run *r = lua_touserdata(L, 1);
  lua_getiuservalue(L, 1, SLUA_RUN_LEARNER);
  slua_know_loss(L, r, 2);
  lua_getfield(L, 2, "loss"); /* a callback may have put another one there */
  *r->arg.values = slua_tovalue(L, 3, "loss");
  return 0;
}

static int lua_backward(lua_State *L) {
  slua_run *r = lua_touserdata(L, 1);
  lua_getiuservalue(L, 1, SLUA_RUN_LEARNER);
  lua_getfield(L, 2, "loss_grad");
  sl_tensor *loss = slua_totensor(L, 3);
  if (!loss) return luaL_error(L, "learner.loss_grad is no tensor");
  slua_raise(L, slua_backward(L, loss, NULL), "backward");
  if (r->guarded) slua_know_loss(L, r, 2);
  return 0;
}

static int lua_diverged(lua_State *L) {
  slua_run *r = open_hook(L, "diverged");
  lua_pushvalue(L, 2);
  lua_pushstring(L, r->arg.parameter);
  lua_pushinteger(L, r->arg.bad);
  lua_call(L, 3, 0);
  return 0;
}

double slua_tovalue(lua_State *L, int arg, const char *what) {
  sl_tensor *t = slua_totensor(L, arg);
  float v = 0;
  if (!t) {
    if (!lua_isnumber(L, arg))
      luaL_error(L, "%s must be a number, not a %s", what,
                 luaL_typename(L, arg));
    return lua_tonumber(L, arg);
  }
  if (sl_tensor_count(t) != 1)
    luaL_error(L, "%s must be one number, not %s", what, sl_shape_text(t));
  slua_check(L, sl_tensor_read(t, SL_F32, &v, 1), what);
  return (double)v;
}

/* --- metrics ---------------------------------------------------------------
 */

/* spec.metrics: list of {name, f(pred, yb)}, whose means are shown, or of
 * {name, object} with reset(), accumulate(learner), value(). Metric i is put on
 * the stack: its second field. True if it is such an object. */
static int get_metric(lua_State *L, int metrics, int i) {
  lua_geti(L, metrics, i + 1);
  lua_geti(L, -1, 2);
  lua_remove(L, -2);
  if (lua_type(L, -1) != LUA_TTABLE) return 0;
  const int stateful = lua_getfield(L, -1, "accumulate") != LUA_TNIL;
  lua_pop(L, 1);
  return stateful;
}

/* object:method([learner]); n results. The object is on top, and replaced. */
static void call_method(lua_State *L, const char *method, int learner,
                        int n_results) {
  lua_getfield(L, -1, method);
  lua_insert(L, -2);
  if (learner) lua_pushvalue(L, learner);
  lua_call(L, learner ? 2 : 1, n_results);
}

static int lua_metrics(lua_State *L) {
  slua_run *r = open_hook(L, "metrics");
  for (int i = 0; i < r->recorder.n_metrics; i++) {
    if (get_metric(L, 4, i)) {
      call_method(L, "accumulate", 2, 0);
    } else {
      lua_getfield(L, 2, "pred");
      lua_getfield(L, 2, "yb");
      lua_call(L, 2, 1);
      r->arg.values[i] = slua_tovalue(L, 5, r->recorder.metric_names[i]);
    }
    lua_settop(L, 4);
  }
  return 0;
}

static int lua_reset_metrics(lua_State *L) {
  slua_run *r = open_hook(L, "metrics");
  for (int i = 0; i < r->recorder.n_metrics; i++) {
    if (get_metric(L, 4, i)) call_method(L, "reset", 0, 0);
    lua_settop(L, 4);
  }
  return 0;
}

static int lua_epoch_metrics(lua_State *L) {
  slua_run *r = open_hook(L, "metrics");
  for (int i = 0; i < r->recorder.n_metrics; i++) {
    if (get_metric(L, 4, i)) {
      call_method(L, "value", 0, 1);
      r->arg.values[i] = slua_tovalue(L, 5, r->recorder.metric_names[i]);
    }
    lua_settop(L, 4);
  }
  return 0;
}

/* --- as the loop calls them ------------------------------------------------
 */

static sl_flow begin(void *context, int training, int epoch, int64_t start,
                     int64_t *n) {
  slua_run *r = context;
  r->arg.training = training;
  r->arg.epoch = epoch;
  r->arg.start = start;
  const sl_flow flow = slua_protect(r, lua_begin);
  *n = r->arg.n;
  if (flow != SL_GO_ON || training || !r->n_stateful) return flow;
  return slua_protect(r, lua_reset_metrics);
}

static sl_flow next(void *context) {
  return slua_protect(context, lua_next_batch);
}

/* Called when the fit may already be failing: a second failure is only told. */
static void end(void *context) {
  slua_run *r = context;
  lua_pushcfunction(r->L, lua_end);
  lua_pushvalue(r->L, r->index);
  if (slua_pcall(r->L, 1, 0) == LUA_OK) return;
  const char *text = lua_tostring(r->L, -1);
  sl_log(SL_LOG_WARN, "a loader could not be closed: %s", text ? text : "?");
  lua_pop(r->L, 1);
}

static sl_flow mode(void *context, int training) {
  slua_run *r = context;
  sl_tape_enable(training);
  r->arg.training = training;
  return slua_protect(r, lua_mode);
}

static sl_flow begin_step(void *context) {
  return slua_protect(context, lua_begin_step);
}

static void end_step(void *context) {
  slua_run *r = context;
  sl_tensor_release(r->loss);
  r->loss = NULL;
  slua_scope_close(r->L, r->scope);
}

static sl_flow forward(void *context) {
  return slua_protect(context, lua_forward);
}

static sl_flow loss(void *context) {
  return slua_protect(context, lua_loss);
}

static sl_flow loss_value(void *context, double *value) {
  slua_run *r = context;
  r->arg.values = value;
  return slua_protect(r, lua_loss_value);
}

/* The batch is left out, or the fit fails; its gradients are forgotten either
 * way, also those that had been added up before. */
static sl_flow diverged(slua_run *r, const char *parameter, int bad) {
  r->arg.parameter = parameter;
  r->arg.bad = bad;
  const sl_flow flow = slua_protect(r, lua_diverged);
  if (r->loop.optim) sl_optim_zero_grad(r->loop.optim);
  r->loop.has_loss = 0; /* it is not in the averages */
  return flow == SL_GO_ON ? SL_CANCEL_BATCH : flow;
}

/* The loss is looked at when backward has been asked for: on a device that
 * works by itself, looking means waiting. */
static sl_flow backward(void *context) {
  slua_run *r = context;
  const sl_flow flow = slua_protect(r, lua_backward);
  if (flow != SL_GO_ON || !r->guarded || isfinite(r->loss_value)) return flow;
  return diverged(r, NULL, 0);
}

static sl_flow step(void *context) {
  slua_run *r = context;
  sl_optim *o = r->loop.optim;
  if (!o) return SL_GO_ON;
  if (r->guarded) {
    sl_grad_check c;
    const sl_flow flow = sl_loop_fail(&r->loop, sl_optim_check(o, &c));
    if (flow != SL_GO_ON) return flow;
    r->grad_norm = c.norm;
    if (c.bad) return diverged(r, sl_optim_param_at(o, c.first).name, c.bad);
  }
  return sl_loop_fail(&r->loop, sl_optim_step(o));
}

static sl_flow zero_grad(void *context) {
  slua_run *r = context;
  if (r->loop.optim) sl_optim_zero_grad(r->loop.optim);
  return SL_GO_ON;
}

static sl_flow metrics(void *context, double *values) {
  slua_run *r = context;
  r->arg.values = values;
  return slua_protect(r, lua_metrics);
}

static sl_flow epoch_metrics(void *context, double *values) {
  slua_run *r = context;
  r->arg.values = values;
  return r->n_stateful ? slua_protect(r, lua_epoch_metrics) : SL_GO_ON;
}

void slua_hooks(slua_run *r) {
  r->loop.hooks = (sl_hooks){
      .context = r,
      .event = slua_fire,
      .begin = begin,
      .next = next,
      .end = end,
      .mode = mode,
      .begin_step = begin_step,
      .end_step = end_step,
      .forward = forward,
      .loss = loss,
      .loss_value = loss_value,
      .backward = backward,
      .step = step,
      .zero_grad = zero_grad,
      .metrics = metrics,
      .epoch_metrics = epoch_metrics,
  };
}
