/* loop.h -- the training loop: fastai's events in fastai's order.
 *
 *   fit: before_fit
 *     each epoch: before_epoch
 *       before_train, each batch: before_batch, forward, after_pred, loss,
 *           after_loss, before_backward, backward, after_backward,
 *           before_step, step, after_step, zero_grad, after_batch;  after_train
 *       before_validate, each batch: before_batch, forward, after_pred, loss,
 *           after_loss, after_batch;  after_validate
 *     after_epoch
 *   after_fit
 *
 * Whoever is told of an event may answer with a cancellation: it ends the
 * level of that name (fit, epoch, train, validate, batch, step, backward) with
 * the events after_cancel_<level> and after_<level>; after_ events of levels
 * in between do not happen. One that no open level answers to is an error.
 *
 * A failure or an interrupt (base/interrupt.h, looked at before each batch)
 * ends everything with the one event after_abort: what must be put back is
 * put back there, at the end of fit otherwise. Loaders are always ended.
 *
 * The loop knows neither Lua nor tensors: all work is done by hooks. Its own
 * part (loop_defaults.c) is the counters, mode, schedules, recorder, table,
 * history and progress line. */
#ifndef SL_TRAIN_LOOP_H
#define SL_TRAIN_LOOP_H

#include "train/optim.h"
#include "train/progress.h"
#include "train/recorder.h"
#include "train/schedule.h"
#include "train/table.h"

/* X(event), in the order of a fit. */
#define SL_EVENTS(X)                                                           \
  X(before_fit)                                                                \
  X(before_epoch)                                                              \
  X(before_train)                                                              \
  X(before_batch)                                                              \
  X(after_pred)                                                                \
  X(after_loss)                                                                \
  X(before_backward)                                                           \
  X(after_cancel_backward)                                                     \
  X(after_backward)                                                            \
  X(before_step)                                                               \
  X(after_cancel_step)                                                         \
  X(after_step)                                                                \
  X(after_cancel_batch)                                                        \
  X(after_batch)                                                               \
  X(after_cancel_train)                                                        \
  X(after_train)                                                               \
  X(before_validate)                                                           \
  X(after_cancel_validate)                                                     \
  X(after_validate)                                                            \
  X(after_cancel_epoch)                                                        \
  X(after_epoch)                                                               \
  X(after_cancel_fit)                                                          \
  X(after_fit)                                                                 \
  X(after_abort)

#define X(name) SL_ON_##name,
typedef enum sl_event { SL_EVENTS(X) SL_EVENT_COUNT } sl_event;
#undef X

const char *sl_event_name(sl_event e);
/* Happens for each batch: callbacks may ask for these in training only, or in
 * validation only. */
int sl_event_is_inner(sl_event e);

/* How to go on. */
typedef enum sl_flow {
  SL_GO_ON,
  SL_CANCEL_BACKWARD,
  SL_CANCEL_STEP,
  SL_CANCEL_BATCH,
  SL_CANCEL_TRAIN,
  SL_CANCEL_VALIDATE,
  SL_CANCEL_EPOCH,
  SL_CANCEL_FIT,
  SL_FAILED, /* loop->status says why; made by sl_loop_fail */
} sl_flow;

const char *sl_flow_name(sl_flow f);    /* "batch" of SL_CANCEL_BATCH */
sl_flow sl_flow_find(const char *name); /* SL_GO_ON: no such level */

typedef struct sl_loop sl_loop;

/* What does the work. Each is called with hooks.context; all but those marked
 * (optional) must be there. */
typedef struct sl_hooks {
  void *context;
  /* late: 0 before the recorder has seen the event, 1 after; each callback
   * belongs to one of the two. */
  sl_flow (*event)(void *context, sl_event e, int late);

  /* The loader of the training or the validation set. begin says how many
   * batches there are, start of which are skipped (resuming). next sets
   * loop->batch_size (0: the end) and loop->has_target. */
  sl_flow (*begin)(void *context, int training, int epoch, int64_t start,
                   int64_t *n_batches);
  sl_flow (*next)(void *context);
  void (*end)(void *context); /* matches each begin that went well */

  sl_flow (*mode)(void *context, int training); /* train or eval, gradients */
  sl_flow (*begin_step)(void *context);         /* opens the batch's scope */
  void (*end_step)(void *context);              /* closes it */
  sl_flow (*forward)(void *context);
  sl_flow (*loss)(void *context);
  /* Reads the loss of the batch; asked for once, before after_batch. */
  sl_flow (*loss_value)(void *context, double *value);
  sl_flow (*backward)(void *context);
  sl_flow (*step)(void *context);
  sl_flow (*zero_grad)(void *context);

  /* (optional) n_metrics values of this validation batch. */
  sl_flow (*metrics)(void *context, double *values);
  /* (optional) May replace the epoch's values: metrics that are no means. */
  sl_flow (*epoch_metrics)(void *context, double *values);
} sl_hooks;

/* A hyperparameter that follows a schedule over the fit. */
typedef struct sl_scheduled {
  sl_hyper hyper;
  int group; /* -1: all */
  sl_schedule schedule;
} sl_scheduled;

struct sl_loop {
  /* Set by the caller. */
  sl_hooks hooks;
  int n_epoch;
  int start_epoch;          /* resuming: epochs before this one are done */
  int64_t start_iter;       /* and this many batches of it */
  double start_seconds;     /* which took so long */
  int resumes;              /* the recorder has what was seen so far */
  int has_train, has_valid; /* sets without a loader are left out */
  sl_optim *optim;          /* for schedules and the rate column, or NULL */
  const sl_scheduled *scheduled;
  int n_scheduled;
  sl_recorder *recorder; /* or NULL */
  sl_progress *progress; /* or NULL */
  FILE *table;           /* where the epoch table goes, or NULL */
  sl_history *history;   /* or NULL */

  /* Where the loop is. Hooks read these. Counted from 0. */
  int epoch;
  int64_t iter, n_iter;         /* of the current loader */
  int64_t train_iter;           /* training batches since before_fit */
  double pct_train;             /* share of training done */
  int training;                 /* 1 between before_train and after_train */
  int64_t batch_size;           /* items of the current batch */
  int has_target;               /* the batch has labels: there is a loss */
  int has_loss;                 /* the current batch got as far as its loss */
  double loss, smooth_loss;     /* of the current batch; NaN before the first */
  double epoch_started, waited; /* seconds: clock; in the loader, this pass */
  int64_t items;                /* of this pass so far */
  int trained;                  /* training happened in this epoch */
  sl_status status;             /* of a failure */
};

/* before_fit ... after_fit. SL_OK for a fit that was cancelled, too. */
SL_MUST_USE sl_status sl_loop_fit(sl_loop *l);

/* One pass over the validation loader: before_fit, before_epoch,
 * before_validate ... after_fit. */
SL_MUST_USE sl_status sl_loop_validate(sl_loop *l);

/* For hooks: remembers why; SL_GO_ON for SL_OK. */
sl_flow sl_loop_fail(sl_loop *l, sl_status status);

#endif
