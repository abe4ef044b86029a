/* loop.c -- see loop.h: levels, cancellations, failures. */
#include "train/loop.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "ops/profile.h"
#include "train/loop_internal.h"

#define X(name) #name,
static const char *const event_names[] = {SL_EVENTS(X)};
#undef X

static const char *const flow_names[] = {
    NULL, "backward", "step", "batch", "train", "validate", "epoch", "fit",
};

const char *sl_event_name(sl_event e) {
  return event_names[e];
}

int sl_event_is_inner(sl_event e) {
  return e >= SL_ON_before_batch && e <= SL_ON_after_batch;
}

const char *sl_flow_name(sl_flow f) {
  return f < SL_FAILED ? flow_names[f] : NULL;
}

sl_flow sl_flow_find(const char *name) {
  for (int f = SL_CANCEL_BACKWARD; f < SL_FAILED; f++)
    if (!strcmp(name, flow_names[f])) return (sl_flow)f;
  return SL_GO_ON;
}

sl_flow sl_loop_fail(sl_loop *l, sl_status status) {
  if (status == SL_OK) return SL_GO_ON;
  l->status = status;
  return SL_FAILED;
}

#define GO(expr)                                                               \
  do {                                                                         \
    const sl_flow flow_ = (expr);                                              \
    if (flow_ != SL_GO_ON) return flow_;                                       \
  } while (0)

static sl_flow fire(sl_loop *l, sl_event e) {
  GO(sl_loop_first(l, e));
  GO(l->hooks.event(l->hooks.context, e, 0));
  GO(sl_loop_middle(l, e));
  return l->hooks.event(l->hooks.context, e, 1);
}

/* --- levels ----------------------------------------------------------------
 */

typedef sl_flow body(sl_loop *l);

typedef struct level {
  sl_event before, after_cancel, after;
  sl_flow cancel;
} level;

#define LEVEL(name, CANCEL)                                                    \
  static const level name##_level = {SL_ON_before_##name,                      \
                                     SL_ON_after_cancel_##name,                \
                                     SL_ON_after_##name, SL_CANCEL_##CANCEL}
LEVEL(backward, BACKWARD);
LEVEL(step, STEP);
LEVEL(batch, BATCH);
LEVEL(train, TRAIN);
LEVEL(validate, VALIDATE);
LEVEL(epoch, EPOCH);
LEVEL(fit, FIT);

/* before_x, the body, after_x; a cancellation of x in the first two is
 * answered here. One raised by after_x belongs to the levels outside. */
static sl_flow run_level(sl_loop *l, const level *v, body *f) {
  sl_flow flow = fire(l, v->before);
  if (flow == SL_GO_ON) flow = f(l);
  if (flow == v->cancel) flow = fire(l, v->after_cancel);
  GO(flow);
  return fire(l, v->after);
}

/* A hook whose time is that phase's in a profile. */
static sl_flow in_phase(sl_loop *l, sl_phase phase, sl_flow (*hook)(void *)) {
  const sl_phase before = sl_profile_phase(phase);
  const sl_flow flow = hook(l->hooks.context);
  sl_profile_phase(before);
  return flow;
}

/* --- a batch ---------------------------------------------------------------
 */

static sl_flow backward(sl_loop *l) {
  return in_phase(l, SL_PHASE_BACKWARD, l->hooks.backward);
}

static sl_flow step(sl_loop *l) {
  return in_phase(l, SL_PHASE_STEP, l->hooks.step);
}

static sl_flow do_batch(sl_loop *l) {
  const sl_hooks *h = &l->hooks;
  GO(in_phase(l, SL_PHASE_FORWARD, h->forward));
  GO(fire(l, SL_ON_after_pred));
  if (l->has_target) {
    GO(in_phase(l, SL_PHASE_LOSS, h->loss));
    l->has_loss = 1;
  }
  GO(fire(l, SL_ON_after_loss));
  if (!l->training || !l->has_target) return SL_GO_ON;
  GO(run_level(l, &backward_level, backward));
  GO(run_level(l, &step_level, step));
  return h->zero_grad(h->context);
}

/* --- a pass over a loader --------------------------------------------------
 */

static sl_flow next_batch(sl_loop *l) {
  if (sl_interrupt_pending()) {
    sl_interrupt_clear();
    return sl_loop_fail(l, sl_fail(SL_EINTERRUPT, "interrupted"));
  }
  const double asked = sl_clock();
  l->batch_size = 0;
  l->has_target = l->has_loss = 0;
  GO(in_phase(l, SL_PHASE_WAIT, l->hooks.next));
  l->waited += sl_clock() - asked;
  return SL_GO_ON;
}

static sl_flow one_batch(sl_loop *l, int *more) {
  GO(next_batch(l));
  *more = l->batch_size > 0;
  if (!*more) return SL_GO_ON;
  const sl_flow flow = run_level(l, &batch_level, do_batch);
  l->items += l->batch_size;
  l->iter++;
  return flow;
}

static sl_flow each_batch(sl_loop *l) {
  sl_flow flow = SL_GO_ON;
  int more = 1;
  while (flow == SL_GO_ON && more) {
    flow = l->hooks.begin_step(l->hooks.context);
    if (flow != SL_GO_ON) break;
    flow = one_batch(l, &more);
    l->hooks.end_step(l->hooks.context);
  }
  return flow;
}

static sl_flow all_batches(sl_loop *l) {
  const int resumes = l->training && l->epoch == l->start_epoch;
  l->iter = resumes ? l->start_iter : 0;
  l->waited = 0;
  l->items = 0;
  return each_batch(l);
}

/* The loader is begun around the level, so that n_iter is known in its first
 * event, and ended however the level ends. */
static sl_flow pass(sl_loop *l, const level *v, int training) {
  const sl_hooks *h = &l->hooks;
  const int resumes = training && l->epoch == l->start_epoch;
  GO(h->begin(h->context, training, l->epoch, resumes ? l->start_iter : 0,
              &l->n_iter));
  l->training = training;
  const int was_validating = sl_profile_validating(!training);
  sl_flow flow = h->mode(h->context, training);
  if (flow == SL_GO_ON) flow = run_level(l, v, all_batches);
  h->end(h->context);
  sl_profile_validating(was_validating);
  l->training = 0;
  return flow;
}

/* --- epochs ----------------------------------------------------------------
 */

static sl_flow do_epoch(sl_loop *l) {
  if (l->has_train) GO(pass(l, &train_level, 1));
  if (l->has_valid) GO(pass(l, &validate_level, 0));
  return SL_GO_ON;
}

static sl_flow do_fit(sl_loop *l) {
  for (l->epoch = l->start_epoch; l->epoch < l->n_epoch; l->epoch++)
    GO(run_level(l, &epoch_level, do_epoch));
  return SL_GO_ON;
}

/* after_abort, without losing the message of what went wrong. */
static sl_status abort_fit(sl_loop *l) {
  const sl_status status = l->status;
  char *message = sl_strdup(sl_error());
  fire(l, SL_ON_after_abort);
  l->status = status;
  if (message) sl_fail(status, "%s", message);
  sl_free(message);
  return status;
}

static sl_status finish(sl_loop *l, sl_flow flow) {
  if (flow == SL_GO_ON) return SL_OK;
  if (flow != SL_FAILED)
    sl_loop_fail(l, sl_fail(SL_EINVAL,
                            "a callback cancelled the %s where there is none "
                            "to cancel",
                            sl_flow_name(flow)));
  return abort_fit(l);
}

static void start(sl_loop *l) {
  l->epoch = l->start_epoch;
  l->iter = l->n_iter = l->train_iter = l->items = 0;
  l->pct_train = 0;
  l->training = l->trained = 0;
  l->loss = l->smooth_loss = (double)NAN;
  l->status = SL_OK;
}

/* A first Ctrl-C waits for the batch to end. */
static sl_status run(sl_loop *l, sl_flow (*f)(sl_loop *l)) {
  start(l);
  sl_interrupt_defer(1);
  const sl_status status = finish(l, f(l));
  sl_interrupt_defer(0);
  return status;
}

static sl_flow fit(sl_loop *l) {
  return run_level(l, &fit_level, do_fit);
}

sl_status sl_loop_fit(sl_loop *l) {
  return run(l, fit);
}

static sl_flow validate(sl_loop *l) {
  GO(fire(l, SL_ON_before_fit));
  GO(fire(l, SL_ON_before_epoch));
  GO(pass(l, &validate_level, 0));
  GO(fire(l, SL_ON_after_epoch));
  return fire(l, SL_ON_after_fit);
}

sl_status sl_loop_validate(sl_loop *l) {
  return run(l, validate);
}
