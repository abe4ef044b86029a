/* slua_train.h -- what the bindings of train/ share. */
#ifndef SL_LUA_SLUA_TRAIN_H
#define SL_LUA_SLUA_TRAIN_H

#include "lua/slua.h"
#include "train/loop.h"

#define SLUA_OPTIM    "sota.optim"
#define SLUA_SCHEDULE "sota.schedule"

sl_optim *slua_checkoptim(lua_State *L, int arg);
sl_schedule *slua_checkschedule(lua_State *L, int arg);

/* Pushes a box with one more reference to t, which the engine, not only a box,
 * must hold. */
void slua_pushtensor(lua_State *L, sl_tensor *t);

/* Raises this thread's message as an error object {code = ...} whose string it
 * is: the process's exit code for SL_EINTERRUPT and SL_EDIVERGED (main.c). For
 * any other status, as slua_check does. */
void slua_raise(lua_State *L, sl_status status, const char *what);

/* How many fits run with the optimiser at arg: while there are any, it cannot
 * be closed. */
void slua_optim_use(lua_State *L, int arg, int change);

/* A number, or the value of a tensor of one element; raises otherwise. */
double slua_tovalue(lua_State *L, int arg, const char *what);

/* --- one run of core.fit: slua_loop.c, slua_hooks.c, slua_events.c ---------
 */

/* A userdata. What is Lua's lies in its user values. */
enum {
  SLUA_RUN_ERROR = 1, /* what a callback raised */
  SLUA_RUN_LEARNER,   /* the table that callbacks see */
  SLUA_RUN_SPEC,      /* what fit was called with */
  SLUA_RUN_EVENTS,    /* {[2 * event + late + 1] = {cb, f, cb, f, ...}} */
  SLUA_RUN_NEXT,      /* the open loader: function that gives batches */
  SLUA_RUN_CLOSE,     /* and what ends it, or nil */
  SLUA_RUN_NAMES,     /* of the metrics */
  SLUA_RUN_OPTIM,     /* the optimiser, or nil */
  SLUA_RUN_VALUES = SLUA_RUN_OPTIM
};

typedef struct slua_run {
  lua_State *L;
  int index; /* of this userdata on fit's stack */
  sl_loop loop;
  sl_recorder recorder;
  sl_progress progress;
  sl_history history;
  sl_scheduled *scheduled; /* owned */
  int listeners[SL_EVENT_COUNT][2];
  int n_rows;      /* of the recorder, that learner.recorder.values has */
  int n_stateful;  /* metrics with a reset, accumulate and value */
  int scope;       /* mark of the open step */
  sl_tensor *loss; /* of the batch; owned */
  int loss_known;  /* learner.loss has it */
  int old_tape;    /* recording before the fit */
  int guarded;     /* steps that are not finite are not taken */
  double loss_value, grad_norm; /* of the batch; of the last step */
  /* arguments and results of hooks on their way through lua_pcall */
  struct {
    sl_event event;
    int late, training, epoch;
    int64_t start, n;
    double *values;
    const char *parameter;
    int bad;
  } arg;
} slua_run;

extern _Thread_local slua_run *slua_running; /* the innermost, or NULL */

/* The recorder from the i32 tensor at arg; raises if it is none. */
void slua_unpack_recorder(lua_State *L, int arg, sl_recorder *r);

/* Runs f(run) protected. A cancellation becomes its flow; an error is kept in
 * SLUA_RUN_ERROR, and makes the loop fail with SL_ELUA. */
sl_flow slua_protect(slua_run *r, lua_CFunction f);

void slua_hooks(slua_run *r); /* fills loop.hooks */

/* Sorts the callbacks of the list at `cbs` into SLUA_RUN_EVENTS. */
void slua_listen(lua_State *L, slua_run *r, int run, int cbs);
sl_flow slua_fire(void *context, sl_event e, int late); /* hooks.event */
/* Sets the learner's counters and the like. */
void slua_sync(lua_State *L, const slua_run *r, int learner);
/* Gives the learner its loss as a number, once per batch. */
void slua_know_loss(lua_State *L, slua_run *r, int learner);
void slua_push_row(lua_State *L, const sl_recorder *r, const sl_row *row);

#endif
