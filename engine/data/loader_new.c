/* loader_new.c -- making and freeing a loader; what it knows of itself. See
 * loader.h. */
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/threads.h"
#include "data/loader_internal.h"

enum { DEFAULT_PREFETCH = 2 };

static sl_status check(const sl_loader_config *c) {
  SL_REQUIRE(c->batch_size > 0, SL_EINVAL,
             "the batch size must be 1 or more, not %d", c->batch_size);
  SL_REQUIRE(c->workers >= -1 && c->workers <= SL_MAX_WORKERS, SL_EINVAL,
             "workers must be -1 (one per core) to %d, not %d", SL_MAX_WORKERS,
             c->workers);
  SL_REQUIRE(c->prefetch >= 0 && c->prefetch <= 1024, SL_EINVAL,
             "prefetch must be 0 (the default, %d) to 1024 batches, not %d",
             DEFAULT_PREFETCH, c->prefetch);
  SL_REQUIRE(
      c->world >= 0 && c->rank >= 0 && c->rank < (c->world ? c->world : 1),
      SL_EINVAL, "rank %d is not one of %d processes", c->rank, c->world);
  return SL_OK;
}

/* How many items and batches an epoch has; lowers the batch size. */
static sl_status plan(sl_loader *l) {
  sl_loader_config *c = &l->c;
  SL_REQUIRE(c->n > 0, SL_EINVAL, "the %s set is empty", l->name);
  l->sampler = (sl_sampler){.n = c->n,
                            .shuffle = c->shuffle,
                            .seed = c->seed,
                            .rank = c->rank,
                            .world = c->world,
                            .even = c->train,
                            .drop_last = c->drop_last};
  l->count = sl_sampler_count(&l->sampler);
  SL_REQUIRE(l->count > 0, SL_EINVAL,
             "the %s set has %lld items: too few for %d processes", l->name,
             (long long)c->n, c->world);
  if (c->drop_last && c->batch_size > l->count) {
    sl_log(SL_LOG_WARN,
           "batch size %d is larger than the %s set: using all its %lld items "
           "as one batch",
           c->batch_size, l->name, (long long)l->count);
    c->batch_size = (int)l->count;
  }
  l->n_batches = l->count / c->batch_size;
  if (!c->drop_last && l->count % c->batch_size) l->n_batches++;
  return SL_OK;
}

static sl_status slot_init(const sl_loader *l, sl_slot *s) {
  const size_t n = (size_t)l->c.batch_size;
  const size_t k = (size_t)l->targets.n_classes;
  s->pixels = sl_alloc_data(n * l->item_bytes);
  s->rows = sl_alloc(n, sizeof *s->rows);
  s->status = sl_alloc(n, sizeof *s->status);
  s->why = sl_alloc(n, sizeof *s->why);
  if (k && l->c.multi)
    s->targets = sl_alloc(n * k, sizeof *s->targets);
  else if (k)
    s->labels = sl_alloc(n, sizeof *s->labels);
  SL_REQUIRE(s->pixels && s->rows && s->status && s->why &&
                 (!k || s->labels || s->targets),
             SL_ENOMEM,
             "no memory for %d batches of %d images of %dx%d (%.1f MB each): "
             "lower the batch size or prefetch",
             l->n_slots, l->c.batch_size, l->h, l->w,
             1e-6 * (double)(n * l->item_bytes));
  return SL_OK;
}

static void slot_close(sl_slot *s) {
  sl_free_data(s->pixels);
  sl_free(s->rows);
  sl_free(s->status);
  sl_free(s->why);
  sl_free(s->targets);
  sl_free(s->labels);
}

static sl_status make_slots(sl_loader *l) {
  const int wanted = 1 + (l->c.prefetch ? l->c.prefetch : DEFAULT_PREFETCH);
  l->n_slots = l->n_batches < wanted ? (int)l->n_batches : wanted;
  if (l->n_workers == 0) l->n_slots = 1;
  l->slots = sl_alloc((size_t)l->n_slots, sizeof *l->slots);
  SL_REQUIRE(l->slots, SL_ENOMEM, "no memory for a loader");
  for (int i = 0; i < l->n_slots; i++)
    SL_TRY(slot_init(l, &l->slots[i]));
  return SL_OK;
}

static sl_status make_workers(sl_loader *l) {
  if (l->n_workers == 0) {
    SL_TRY(sl_item_scratch_new(&l->scratch));
    sl_item_scratch_keep(l->scratch, l->c.decoded);
    return SL_OK;
  }
  l->threads = sl_alloc((size_t)l->n_workers, sizeof *l->threads);
  SL_REQUIRE(l->threads, SL_ENOMEM, "no memory for %d workers", l->n_workers);
  return SL_OK;
}

static sl_status copy_rows(sl_loader *l, const sl_loader_config *c) {
  const int64_t n_files = sl_files_count(c->files);
  l->name = sl_strdup(c->name ? c->name : "data");
  l->order = sl_alloc((size_t)l->c.n, sizeof *l->order);
  if (c->rows) l->rows = sl_alloc((size_t)c->n, sizeof *l->rows);
  SL_REQUIRE(l->name && l->order && (!c->rows || l->rows), SL_ENOMEM,
             "no memory for a set of %lld items", (long long)l->c.n);
  for (int64_t i = 0; c->rows && i < c->n; i++) {
    SL_REQUIRE(c->rows[i] >= 0 && c->rows[i] < n_files, SL_EINVAL,
               "row %lld is not in a list of %lld files",
               (long long)c->rows[i] + 1, (long long)n_files);
    l->rows[i] = c->rows[i];
  }
  return SL_OK;
}

static sl_status build(sl_loader *l, const sl_loader_config *c) {
  SL_TRY(copy_rows(l, c));
  SL_TRY(plan(l));
  if (c->vocab)
    SL_TRY(sl_targets_init(&l->targets, c->vocab, c->files, l->rows, l->c.n,
                           c->multi, l->name));
  sl_item_size(c->pipeline, c->train, &l->h, &l->w);
  l->item_bytes = (size_t)l->h * (size_t)l->w * 3;
  l->n_workers = c->workers < 0 ? sl_cores() : c->workers;
  SL_TRY(make_slots(l));
  SL_TRY(make_workers(l));
  return sl_bad_items_new(sl_files_count(c->files), &l->bad);
}

static void init_locks(sl_loader *l) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->room, &monotonic);
  pthread_cond_init(&l->ready, &monotonic);
  pthread_condattr_destroy(&monotonic);
}

sl_status sl_loader_new(const sl_loader_config *c, sl_loader **out) {
  SL_TRY(check(c));
  sl_loader *l = sl_alloc(1, sizeof *l);
  SL_REQUIRE(l, SL_ENOMEM, "no memory for a loader");
  l->c = *c;
  if (!c->rows) l->c.n = sl_files_count(c->files);
  sl_files_retain(c->files);
  sl_item_pipeline_retain(c->pipeline);
  sl_decoded_retain(c->decoded);
  init_locks(l);
  const sl_status status = build(l, c);
  if (status != SL_OK) {
    sl_loader_free(l);
    return status;
  }
  sl_files_freeze(c->files);
  *out = l;
  return SL_OK;
}

void sl_loader_free(sl_loader *l) {
  if (!l) return;
  sl_loader_stop(l);
  for (int i = 0; l->slots && i < l->n_slots; i++)
    slot_close(&l->slots[i]);
  sl_item_scratch_free(l->scratch);
  sl_bad_items_free(l->bad);
  sl_targets_close(&l->targets);
  pthread_cond_destroy(&l->room);
  pthread_cond_destroy(&l->ready);
  pthread_mutex_destroy(&l->lock);
  sl_files_release(l->c.files);
  sl_item_pipeline_release(l->c.pipeline);
  sl_decoded_release(l->c.decoded);
  sl_free(l->slots);
  sl_free(l->threads);
  sl_free(l->rows);
  sl_free(l->order);
  sl_free(l->name);
  sl_free(l);
}

/* --- what it knows -------------------------------------------------------- */

int64_t sl_loader_length(const sl_loader *l) {
  return l->n_batches;
}

int64_t sl_loader_items(const sl_loader *l) {
  return sl_loader_places(l, l->n_batches);
}

int sl_loader_batch_size(const sl_loader *l) {
  return l->c.batch_size;
}

int sl_loader_workers(const sl_loader *l) {
  return l->n_workers;
}

void sl_loader_size(const sl_loader *l, int *h, int *w) {
  *h = l->h;
  *w = l->w;
}

const sl_targets *sl_loader_targets(const sl_loader *l) {
  return l->targets.n_classes ? &l->targets : NULL;
}

double sl_loader_waited(const sl_loader *l) {
  return l->waited;
}

int64_t sl_loader_bad_count(const sl_loader *l) {
  return sl_bad_items_count(l->bad);
}

void sl_loader_bad(const sl_loader *l, int64_t i, int64_t *row,
                   const char **reason) {
  sl_bad_items_get(l->bad, i, row, reason);
}
