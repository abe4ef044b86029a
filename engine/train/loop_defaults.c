/* loop_defaults.c -- what the loop does itself at its events. In fastai these
 * are the callbacks TrainEval (first of all), Recorder, ParamScheduler,
 * Progress and CSVLogger (after those of order below 50). */
#include <math.h>

#include "base/log.h"
#include "train/loop_internal.h"

#define GO(expr)                                                               \
  do {                                                                         \
    const sl_flow flow_ = (expr);                                              \
    if (flow_ != SL_GO_ON) return flow_;                                       \
  } while (0)

/* --- first: counters -------------------------------------------------------
 */

static double share_per_batch(const sl_loop *l) {
  return 1.0 / ((double)l->n_iter * l->n_epoch);
}

/* pct_train is a sum; resuming adds up the same terms, for the same bits. */
static void start_training(sl_loop *l) {
  l->pct_train = (double)l->epoch / l->n_epoch;
  if (l->epoch != l->start_epoch) return;
  for (int64_t i = 0; i < l->start_iter; i++)
    l->pct_train += share_per_batch(l);
  l->train_iter = l->epoch * l->n_iter + l->start_iter;
}

static sl_flow end_batch(sl_loop *l) {
  if (l->training) {
    l->pct_train += share_per_batch(l);
    l->train_iter++;
  }
  if (!l->has_loss) return SL_GO_ON;
  return l->hooks.loss_value(l->hooks.context, &l->loss);
}

sl_flow sl_loop_first(sl_loop *l, sl_event e) {
  if (e == SL_ON_before_train) start_training(l);
  return e == SL_ON_after_batch ? end_batch(l) : SL_GO_ON;
}

/* --- schedules -------------------------------------------------------------
 */

static void apply_schedules(sl_loop *l) {
  for (int i = 0; i < l->n_scheduled && l->optim; i++) {
    const sl_scheduled *s = &l->scheduled[i];
    sl_optim_set(l->optim, s->group, s->hyper,
                 sl_schedule_at(&s->schedule, l->pct_train));
  }
}

/* --- recorder --------------------------------------------------------------
 */

static sl_flow record_train(sl_loop *l) {
  const double none = (double)NAN;
  const double lr = l->optim ? sl_optim_get(l->optim, -1, SL_LR) : none;
  const double mom = l->optim ? sl_optim_get(l->optim, -1, SL_MOM) : none;
  GO(sl_loop_fail(l, sl_recorder_train(l->recorder, l->loss, lr, mom)));
  l->smooth_loss = l->recorder->smooth.shown;
  return SL_GO_ON;
}

static sl_flow record_valid(sl_loop *l) {
  double values[SL_MAX_METRICS] = {0};
  if (l->hooks.metrics && l->recorder->n_metrics)
    GO(l->hooks.metrics(l->hooks.context, values));
  sl_recorder_valid(l->recorder, l->loss, values, (double)l->batch_size);
  return SL_GO_ON;
}

static sl_flow record_batch(sl_loop *l) {
  if (!l->has_loss) return SL_GO_ON;
  return l->training ? record_train(l) : record_valid(l);
}

static sl_flow fill_row(sl_loop *l, sl_row *row) {
  const sl_recorder *r = l->recorder;
  *row = (sl_row){
      .epoch = l->epoch + 1, /* people count from 1 */
      .has_train = l->trained && r->smooth.n > 0,
      .has_valid = r->valid_loss.weight > 0,
      .train_loss = r->smooth.shown,
      .valid_loss = sl_mean_value(&r->valid_loss),
      .seconds = sl_clock() - l->epoch_started,
      .batches = r->losses.n,
  };
  for (int i = 0; i < r->n_metrics; i++)
    row->metric[i] = sl_mean_value(&r->metric[i]);
  if (!l->hooks.epoch_metrics || !row->has_valid) return SL_GO_ON;
  return l->hooks.epoch_metrics(l->hooks.context, row->metric);
}

/* --- what people see -------------------------------------------------------
 */

enum { LINE = 4096 };

static void print(const sl_loop *l, const char *line) {
  if (l->progress) sl_progress_clear(l->progress);
  fprintf(l->table, "%s\n", line);
  fflush(l->table);
}

static void print_header(const sl_loop *l) {
  char line[LINE];
  sl_table_header(l->recorder, line, sizeof line);
  print(l, line);
}

static sl_flow end_epoch(sl_loop *l) {
  sl_row row;
  GO(fill_row(l, &row));
  GO(sl_loop_fail(l, sl_recorder_row(l->recorder, &row)));
  if (l->table) {
    char line[LINE];
    sl_table_row(l->recorder, &row, line, sizeof line);
    print(l, line);
  }
  if (!l->history) return SL_GO_ON;
  return sl_loop_fail(l, sl_history_add(l->history, l->recorder, &row));
}

static void start_bar(const sl_loop *l) {
  char label[48];
  snprintf(label, sizeof label, "%s %d/%d", l->training ? "train" : "valid",
           l->epoch + 1, l->n_epoch > 0 ? l->n_epoch : 1);
  sl_progress_start(l->progress, label, l->n_iter, "img");
}

static void move_bar(const sl_loop *l) {
  l->progress->waited = l->waited;
  if (l->training) l->progress->loss = l->smooth_loss;
  sl_progress_update(l->progress, l->iter + 1, l->items + l->batch_size);
}

static void show(sl_loop *l, sl_event e) {
  if (e == SL_ON_before_train || e == SL_ON_before_validate) {
    start_bar(l);
  } else if (e == SL_ON_after_batch) {
    move_bar(l);
  } else if (e == SL_ON_after_train || e == SL_ON_after_validate ||
             e == SL_ON_after_fit || e == SL_ON_after_abort) {
    sl_progress_clear(l->progress);
  }
}

static sl_flow record(sl_loop *l, sl_event e) {
  if (e == SL_ON_before_fit) {
    if (!l->resumes) sl_recorder_start(l->recorder);
    if (l->table) print_header(l);
  } else if (e == SL_ON_before_epoch || e == SL_ON_before_validate) {
    sl_recorder_valid_start(l->recorder);
  } else if (e == SL_ON_after_batch) {
    return record_batch(l);
  } else if (e == SL_ON_after_epoch) {
    return end_epoch(l);
  }
  return SL_GO_ON;
}

sl_flow sl_loop_middle(sl_loop *l, sl_event e) {
  if (e == SL_ON_before_epoch) {
    l->epoch_started = sl_clock();
    if (l->epoch == l->start_epoch) l->epoch_started -= l->start_seconds;
    l->trained = 0;
  }
  if (e == SL_ON_after_train) l->trained = 1;
  if (l->recorder) GO(record(l, e));
  if (l->progress) show(l, e);
  if (e == SL_ON_before_batch && l->training) apply_schedules(l);
  return SL_GO_ON;
}
