/* test_loop.c -- the training loop: fastai's traces of events (events.json),
 * counters, failures, interrupts, resuming. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "golden.h"
#include "support.h"
#include "train/loop.h"

enum { TRAIN_BATCHES = 2, VALID_BATCHES = 2, MOST = 400 };

/* A model of the work: it counts, and cancels or fails where told to. */
typedef struct fake {
  sl_loop loop;
  sl_recorder recorder;
  sl_event seen[MOST];
  int n_seen;
  /* raise `flow` at the `nth` time of `at`, early callbacks, before the trace
   * callback hears of it */
  sl_event at;
  int nth, times;
  sl_flow flow;
  sl_status status;
  int batches; /* of this pass */
  int open_loaders, open_steps;
  int forwards, losses, backwards, steps, zeroed, modes[2];
  double loss_value;
  double pct[MOST];
  int n_pct;
  int interrupt_at; /* forward number */
  int no_labels;
} fake;

static sl_flow event(void *context, sl_event e, int late) {
  fake *f = context;
  if (late) return SL_GO_ON;
  if (e == f->at && f->flow != SL_GO_ON && ++f->times == f->nth) {
    if (f->flow == SL_FAILED)
      return sl_loop_fail(&f->loop, sl_fail(f->status, "planted"));
    return f->flow;
  }
  ck_assert_int_lt(f->n_seen, MOST);
  f->seen[f->n_seen++] = e;
  if (e == SL_ON_before_batch && f->loop.training)
    f->pct[f->n_pct++] = f->loop.pct_train;
  return SL_GO_ON;
}

static sl_flow begin(void *context, int training, int epoch, int64_t start,
                     int64_t *n) {
  fake *f = context;
  (void)epoch;
  f->open_loaders++;
  f->batches = (int)start;
  *n = training ? TRAIN_BATCHES : VALID_BATCHES;
  return SL_GO_ON;
}

static sl_flow next(void *context) {
  fake *f = context;
  if (f->batches++ < f->loop.n_iter) {
    f->loop.batch_size = 4;
    f->loop.has_target = !f->no_labels;
  }
  return SL_GO_ON;
}

static void end(void *context) {
  ((fake *)context)->open_loaders--;
}

static sl_flow mode(void *context, int training) {
  ((fake *)context)->modes[training]++;
  return SL_GO_ON;
}

static sl_flow begin_step(void *context) {
  ((fake *)context)->open_steps++;
  return SL_GO_ON;
}

static void end_step(void *context) {
  ((fake *)context)->open_steps--;
}

static sl_flow forward(void *context) {
  fake *f = context;
  if (++f->forwards == f->interrupt_at) sl_interrupt_request();
  return SL_GO_ON;
}

static sl_flow loss(void *context) {
  ((fake *)context)->losses++;
  return SL_GO_ON;
}

static sl_flow loss_value(void *context, double *value) {
  *value = ((fake *)context)->loss_value;
  return SL_GO_ON;
}

static sl_flow backward(void *context) {
  ((fake *)context)->backwards++;
  return SL_GO_ON;
}

static sl_flow step(void *context) {
  ((fake *)context)->steps++;
  return SL_GO_ON;
}

static sl_flow zero_grad(void *context) {
  ((fake *)context)->zeroed++;
  return SL_GO_ON;
}

static fake *new_fake(void) {
  fake *f = calloc(1, sizeof *f);
  f->nth = 1;
  f->loss_value = 0.5;
  f->loop = (sl_loop){
      .hooks = {.context = f,
                .event = event,
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
                .zero_grad = zero_grad},
      .n_epoch = 1,
      .has_train = 1,
      .has_valid = 1,
      .recorder = &f->recorder,
  };
  return f;
}

static void free_fake(fake *f) {
  ck_assert_int_eq(f->open_loaders, 0);
  ck_assert_int_eq(f->open_steps, 0);
  ck_assert(!sl_interrupt_deferred());
  sl_recorder_free(&f->recorder);
  free(f);
}

static void check_trace(const fake *f, const char *key) {
  json_t *all = t_golden("events.json"), *want = t_member(all, key);
  for (size_t i = 0; i < json_array_size(want); i++) {
    const char *have =
        (int)i < f->n_seen ? sl_event_name(f->seen[i]) : "(nothing)";
    ck_assert_msg(!strcmp(have, json_string_value(json_array_get(want, i))),
                  "%s, event %zu: %s, want %s", key, i, have,
                  json_string_value(json_array_get(want, i)));
  }
  ck_assert_int_eq(f->n_seen, (int)json_array_size(want));
  json_decref(all);
}

/* Each trace: what is raised, where, how often. The recording callback of the
 * vectors comes after the one that cancels. */
static const struct trace {
  const char *key;
  sl_event at;
  sl_flow flow;
  int nth;
} traces[] = {
    {"plain_fit", SL_ON_before_fit, SL_GO_ON, 0},
    {"grad_accum_8 (first batch cancels at before_step)", SL_ON_before_step,
     SL_CANCEL_BATCH, 1},
    {"cancel_epoch_in_after_train", SL_ON_after_train, SL_CANCEL_EPOCH, 1},
    {"cancel_fit_in_after_batch", SL_ON_after_batch, SL_CANCEL_FIT, 1},
};

START_TEST(traces_of_fits) {
  const struct trace *t = &traces[_i];
  fake *f = new_fake();
  f->at = t->at;
  f->flow = t->flow;
  f->nth = t->nth;
  ck_assert_int_eq(sl_loop_fit(&f->loop), SL_OK);
  check_trace(f, t->key);
  free_fake(f);
}
END_TEST

/* Both training batches are cancelled, no validation batch is. */
static sl_flow cancel_in_training(void *context, sl_event e, int late) {
  fake *f = context;
  if (!late && e == SL_ON_before_batch && f->loop.training)
    return SL_CANCEL_BATCH;
  return event(context, e, late);
}

START_TEST(cancelled_batches) {
  fake *f = new_fake();
  f->loop.hooks.event = cancel_in_training;
  ck_assert_int_eq(sl_loop_fit(&f->loop), SL_OK);
  check_trace(f, "cancel_batch_in_before_batch");
  ck_assert_int_eq(f->forwards, VALID_BATCHES);
  ck_assert_int_eq((int)f->recorder.losses.n, 0);
  ck_assert(!f->recorder.rows[0].has_train && f->recorder.rows[0].has_valid);
  free_fake(f);
}
END_TEST

START_TEST(trace_of_validate) {
  fake *f = new_fake();
  ck_assert_int_eq(sl_loop_validate(&f->loop), SL_OK);
  check_trace(f, "validate()");
  ck_assert_int_eq(f->backwards, 0);
  ck_assert_double_eq(f->recorder.rows[0].valid_loss, 0.5);
  free_fake(f);
}
END_TEST

START_TEST(work_of_a_fit) {
  fake *f = new_fake();
  ck_assert_int_eq(sl_loop_fit(&f->loop), SL_OK);
  ck_assert_int_eq(f->losses, TRAIN_BATCHES + VALID_BATCHES);
  ck_assert_int_eq(f->backwards, TRAIN_BATCHES);
  ck_assert_int_eq(f->steps, TRAIN_BATCHES);
  ck_assert_int_eq(f->zeroed, TRAIN_BATCHES);
  ck_assert_int_eq(f->modes[0], 1);
  ck_assert_int_eq(f->modes[1], 1);
  ck_assert_double_eq_tol(f->loop.pct_train, 1, 1e-15);
  free_fake(f);
}
END_TEST

START_TEST(without_labels_there_is_no_loss) {
  fake *f = new_fake();
  f->no_labels = 1;
  ck_assert_int_eq(sl_loop_validate(&f->loop), SL_OK);
  check_trace(f, "get_preds()");
  ck_assert_int_eq(f->forwards, VALID_BATCHES);
  ck_assert_int_eq(f->losses, 0);
  ck_assert(!f->recorder.rows[0].has_valid);
  free_fake(f);
}
END_TEST

/* Every level can be cancelled from before_<level>, and then the rest of the
 * fit goes on. */
static const struct level_case {
  sl_event at, cancelled, after;
  sl_flow flow;
  int forwards, backwards, steps;
} level_cases[] = {
    {SL_ON_before_backward, SL_ON_after_cancel_backward, SL_ON_after_backward,
     SL_CANCEL_BACKWARD, 4, 1, 2},
    {SL_ON_before_step, SL_ON_after_cancel_step, SL_ON_after_step,
     SL_CANCEL_STEP, 4, 2, 1},
    {SL_ON_before_batch, SL_ON_after_cancel_batch, SL_ON_after_batch,
     SL_CANCEL_BATCH, 3, 1, 1},
    {SL_ON_after_pred, SL_ON_after_cancel_train, SL_ON_after_train,
     SL_CANCEL_TRAIN, 3, 0, 0},
    {SL_ON_before_validate, SL_ON_after_cancel_validate, SL_ON_after_validate,
     SL_CANCEL_VALIDATE, 2, 2, 2},
    {SL_ON_before_epoch, SL_ON_after_cancel_epoch, SL_ON_after_epoch,
     SL_CANCEL_EPOCH, 0, 0, 0},
    {SL_ON_before_fit, SL_ON_after_cancel_fit, SL_ON_after_fit, SL_CANCEL_FIT,
     0, 0, 0},
};

START_TEST(each_level_cancels) {
  const struct level_case *c = &level_cases[_i];
  fake *f = new_fake();
  f->at = c->at;
  f->flow = c->flow;
  ck_assert_int_eq(sl_loop_fit(&f->loop), SL_OK);
  int k = 0;
  while (k < f->n_seen && f->seen[k] != c->cancelled)
    k++;
  ck_assert_int_lt(k + 1, f->n_seen);
  ck_assert_int_eq(f->seen[k + 1], c->after);
  ck_assert_int_eq(f->forwards, c->forwards);
  ck_assert_int_eq(f->backwards, c->backwards);
  ck_assert_int_eq(f->steps, c->steps);
  ck_assert_int_eq(f->seen[f->n_seen - 1], SL_ON_after_fit);
  free_fake(f);
}
END_TEST

START_TEST(cancelling_what_is_not_running) {
  fake *f = new_fake();
  f->at = SL_ON_after_batch; /* after the batch is over */
  f->flow = SL_CANCEL_BATCH;
  ck_assert_int_eq(sl_loop_fit(&f->loop), SL_EINVAL);
  ck_assert_ptr_nonnull(strstr(sl_error(), "cancelled the batch where there"));
  ck_assert_int_eq(f->seen[f->n_seen - 1], SL_ON_after_abort);
  free_fake(f);
}
END_TEST

/* A failure at any event: loaders and steps are closed, after_abort is told
 * once, and the message is the first one. */
START_TEST(failures) {
  fake *f = new_fake();
  f->at = (sl_event)_i;
  f->flow = SL_FAILED;
  f->status = SL_EDIVERGED;
  const sl_status status = sl_loop_fit(&f->loop);
  if (f->times == 0) { /* an event that a plain fit does not have */
    ck_assert_int_eq(status, SL_OK);
  } else {
    ck_assert_int_eq(status, SL_EDIVERGED);
    ck_assert_str_eq(sl_error(), "planted");
    ck_assert_int_eq(f->seen[f->n_seen - 1], SL_ON_after_abort);
  }
  free_fake(f);
}
END_TEST

START_TEST(interrupt_ends_after_the_batch) {
  fake *f = new_fake();
  f->interrupt_at = 1;
  ck_assert_int_eq(sl_loop_fit(&f->loop), SL_EINTERRUPT);
  ck_assert_int_eq(f->steps, 1);
  ck_assert_int_eq(f->forwards, 1);
  ck_assert_int_eq(f->seen[f->n_seen - 2], SL_ON_after_batch);
  ck_assert_int_eq(f->seen[f->n_seen - 1], SL_ON_after_abort);
  ck_assert_int_eq(sl_interrupt_pending(), 0);
  free_fake(f);
}
END_TEST

/* The second half of a fit, resumed inside epoch 1, sees the same positions to
 * the bit. */
START_TEST(resuming) {
  fake *whole = new_fake(), *rest = new_fake();
  whole->loop.n_epoch = rest->loop.n_epoch = 3;
  rest->loop.start_epoch = 1;
  rest->loop.start_iter = 1;
  ck_assert_int_eq(sl_loop_fit(&whole->loop), SL_OK);
  ck_assert_int_eq(sl_loop_fit(&rest->loop), SL_OK);
  ck_assert_int_eq(whole->n_pct, 6);
  ck_assert_int_eq(rest->n_pct, 3);
  for (int i = 0; i < 3; i++)
    ck_assert(whole->pct[3 + i] == rest->pct[i]);
  ck_assert_int_eq((int)rest->loop.train_iter, 6);
  ck_assert_int_eq(rest->recorder.rows[0].epoch, 2);
  free_fake(whole);
  free_fake(rest);
}
END_TEST

START_TEST(table_and_history) {
  char path[] = "/tmp/sl_loop_XXXXXX", text[1024];
  close(mkstemp(path));
  fake *f = new_fake();
  FILE *table = tmpfile();
  sl_history h;
  f->loop.n_epoch = 2;
  f->loop.table = table;
  f->loop.history = &h;
  ck_assert_int_eq(sl_history_open(&h, path, 0, &f->recorder), SL_OK);
  ck_assert_int_eq(sl_loop_fit(&f->loop), SL_OK);
  sl_history_close(&h);
  rewind(table);
  text[fread(text, 1, sizeof text - 1, table)] = 0;
  fclose(table);
  ck_assert_str_eq(text, "epoch     train_loss  valid_loss  time    \n"
                         "1         0.500000    0.500000    00:00     \n"
                         "2         0.500000    0.500000    00:00     \n");
  FILE *csv = fopen(path, "r");
  text[fread(text, 1, sizeof text - 1, csv)] = 0;
  fclose(csv);
  ck_assert_ptr_nonnull(strstr(text, "epoch,train_loss,valid_loss,time\n1,"));
  unlink(path);
  free_fake(f);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("loop", &tc);
  tcase_add_loop_test(tc, traces_of_fits, 0, sizeof traces / sizeof *traces);
  tcase_add_test(tc, cancelled_batches);
  tcase_add_test(tc, trace_of_validate);
  tcase_add_test(tc, work_of_a_fit);
  tcase_add_test(tc, without_labels_there_is_no_loss);
  tcase_add_loop_test(tc, each_level_cancels, 0,
                      sizeof level_cases / sizeof *level_cases);
  tcase_add_test(tc, cancelling_what_is_not_running);
  tcase_add_loop_test(tc, failures, 0, SL_ON_after_abort);
  tcase_add_test(tc, interrupt_ends_after_the_batch);
  tcase_add_test(tc, resuming);
  tcase_add_test(tc, table_and_history);
  return t_main(s);
}
