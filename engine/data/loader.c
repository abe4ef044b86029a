/* loader.c -- see loader.h.
 *
 * The unit of work is one item: its place p in the epoch's order says its
 * batch b = p / batch_size, its slot b % n_slots and its place in the slot.
 * Under the lock are: the next place to take (`taken`), how many items of each
 * slot are still missing, and `opened`, the batches that have a slot. A worker
 * takes a place only of an opened batch; the consumer opens batch b + n_slots
 * when it gives batch b back. Pixels are written without the lock: a place has
 * one writer, and the consumer reads them after `missing` has become 0. */
#define _GNU_SOURCE
#include "data/loader.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/threads.h"
#include "data/bad_items.h"
#include "data/sampler.h"

enum { DEFAULT_PREFETCH = 2, NICER = 5, POLL_MS = 50 };

typedef struct slot {
  int n;       /* items of the batch */
  int missing; /* of them not yet loaded */
  uint8_t *pixels;
  int64_t *rows;
  int32_t *labels;
  float *targets;
  sl_status *status;
  char **why; /* of bad items: owned; else NULL */
} slot;

struct sl_loader {
  sl_loader_config c; /* name, rows, vocab are not valid here */
  char *name;
  int64_t *rows, *order;
  sl_targets targets;
  sl_sampler sampler;
  int64_t count, n_batches; /* items and batches of an epoch */
  int h, w;
  size_t item_bytes;
  int n_slots, n_workers;
  slot *slots;
  sl_item_scratch *scratch; /* of the caller's thread; workers have own ones */
  sl_bad_items *bad;
  double waited;

  int running; /* between start and stop */
  uint32_t epoch;
  int64_t next;     /* batch that the consumer gets next */
  int64_t borrowed; /* batch that the consumer holds, or -1 */
  int64_t seen, seen_bad;
  pthread_t *threads;
  int n_threads; /* running */

  pthread_mutex_t lock;
  pthread_cond_t room, ready;
  int64_t taken, opened; /* places, batches */
  int quit;
};

/* --- one item ------------------------------------------------------------- */

static slot *slot_of(const sl_loader *l, int64_t batch) {
  return &l->slots[batch % l->n_slots];
}

static void set_class(const sl_loader *l, slot *s, int j, int64_t at) {
  const sl_targets *t = &l->targets;
  if (s->labels) s->labels[j] = t->classes[at];
  if (!s->targets) return;
  float *row = s->targets + (int64_t)j * t->n_classes;
  memset(row, 0, (size_t)t->n_classes * sizeof *row);
  for (int64_t i = t->at[at]; i < t->at[at + 1]; i++)
    row[t->classes[i] - 1] = 1;
}

static void load(const sl_loader *l, int64_t place, sl_item_scratch *scratch) {
  slot *s = slot_of(l, place / l->c.batch_size);
  const int j = (int)(place % l->c.batch_size);
  const int64_t at = l->order[place], row = l->rows ? l->rows[at] : at;
  const sl_item_id id = {.seed = l->c.seed,
                         .epoch = l->c.train ? l->epoch : 0,
                         .index = (uint32_t)row,
                         .train = l->c.train};
  char path[4096];
  s->rows[j] = row;
  set_class(l, s, j, at);
  if (sl_files_path(l->c.files, row, path, sizeof path) >= sizeof path)
    s->status[j] = sl_fail(SL_EIO, "%.200s...: the path is too long", path);
  else if (!scratch)
    s->status[j] = SL_ENOMEM;
  else
    s->status[j] = sl_item_load(l->c.pipeline, path, id, scratch,
                                s->pixels + (size_t)j * l->item_bytes);
  if (s->status[j] != SL_OK) s->why[j] = sl_strdup(sl_error());
}

/* --- workers -------------------------------------------------------------- */

static int64_t places_of(const sl_loader *l, int64_t batches) {
  const int64_t n = batches * l->c.batch_size;
  return n < l->count ? n : l->count;
}

/* The next place to load, -1 when there is none left. */
static int64_t take(sl_loader *l) {
  pthread_mutex_lock(&l->lock);
  const int64_t end = places_of(l, l->n_batches);
  while (!l->quit && l->taken < end && l->taken >= places_of(l, l->opened))
    pthread_cond_wait(&l->room, &l->lock);
  const int64_t place = l->quit || l->taken >= end ? -1 : l->taken++;
  pthread_mutex_unlock(&l->lock);
  return place;
}

static void finish(sl_loader *l, int64_t place) {
  pthread_mutex_lock(&l->lock);
  if (--slot_of(l, place / l->c.batch_size)->missing == 0)
    pthread_cond_signal(&l->ready);
  pthread_mutex_unlock(&l->lock);
}

/* libvips wants the scratch made and freed by the thread that uses it. When
 * there is none the items become errors, which the consumer meets in order. */
static void *work(void *p) {
  sl_loader *l = p;
  sl_item_scratch *scratch = NULL;
  const id_t self = (id_t)gettid(); /* on Linux a thread has its own niceness */
  (void)setpriority(PRIO_PROCESS, self,
                    getpriority(PRIO_PROCESS, self) + NICER);
  if (sl_item_scratch_new(&scratch) != SL_OK) scratch = NULL;
  for (int64_t place; (place = take(l)) >= 0;) {
    load(l, place, scratch);
    finish(l, place);
  }
  sl_item_scratch_free(scratch);
  return NULL;
}

/* Ctrl-C is for the main thread: workers are born with all signals blocked. */
static sl_status start_workers(sl_loader *l) {
  sigset_t all, before;
  int error = 0;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  while (l->n_threads < l->n_workers && !error) {
    error = pthread_create(&l->threads[l->n_threads], NULL, work, l);
    l->n_threads += !error;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!error) return SL_OK;
  SL_REQUIRE(l->n_threads > 0, SL_ENOMEM, "no loader thread can start: %s",
             strerror(error));
  sl_log(SL_LOG_WARN, "only %d of %d loader threads could start: %s",
         l->n_threads, l->n_workers, strerror(error));
  return SL_OK;
}

/* --- the epoch ------------------------------------------------------------ */

static void clear_why(slot *s) {
  for (int j = 0; j < s->n; j++) {
    sl_free(s->why[j]);
    s->why[j] = NULL;
  }
}

/* Gives the next unopened batch its slot; under the lock once workers run. */
static void open_batch(sl_loader *l) {
  if (l->opened == l->n_batches) return;
  slot *s = slot_of(l, l->opened);
  clear_why(s);
  s->n = (int)(places_of(l, l->opened + 1) - places_of(l, l->opened));
  s->missing = s->n;
  l->opened++;
}

sl_status sl_loader_start(sl_loader *l, uint32_t epoch, int64_t first) {
  sl_loader_stop(l);
  SL_REQUIRE(first >= 0 && first <= l->n_batches, SL_EINVAL,
             "an epoch of the %s set has %lld batches: it cannot begin at "
             "batch %lld",
             l->name, (long long)l->n_batches, (long long)first + 1);
  SL_TRY(sl_sampler_order(&l->sampler, epoch, l->order));
  l->epoch = epoch;
  l->next = l->opened = first;
  l->borrowed = -1;
  l->taken = places_of(l, first);
  l->seen = l->seen_bad = 0;
  l->quit = 0;
  for (int i = 0; i < l->n_slots; i++)
    open_batch(l);
  l->running = 1;
  const sl_status status = start_workers(l);
  if (status != SL_OK) sl_loader_stop(l);
  return status;
}

void sl_loader_stop(sl_loader *l) {
  pthread_mutex_lock(&l->lock);
  l->quit = 1;
  pthread_cond_broadcast(&l->room);
  pthread_mutex_unlock(&l->lock);
  for (int i = 0; i < l->n_threads; i++)
    pthread_join(l->threads[i], NULL);
  for (int i = 0; l->slots && i < l->n_slots; i++)
    clear_why(&l->slots[i]);
  l->n_threads = 0;
  l->running = 0;
}

void sl_loader_release(sl_loader *l) {
  if (!l->running || l->borrowed < 0) return;
  pthread_mutex_lock(&l->lock);
  open_batch(l); /* batch borrowed + n_slots: the same slot */
  pthread_cond_broadcast(&l->room);
  pthread_mutex_unlock(&l->lock);
  l->borrowed = -1;
}

/* --- the consumer --------------------------------------------------------- */

static struct timespec soon(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec += POLL_MS * 1000000L;
  if (t.tv_nsec >= 1000000000L) {
    t.tv_nsec -= 1000000000L;
    t.tv_sec++;
  }
  return t;
}

static sl_status interrupted(void) {
  return sl_fail(SL_EINTERRUPT, "interrupted while waiting for data");
}

static sl_status wait_for(sl_loader *l, slot *s) {
  sl_status status = SL_OK;
  pthread_mutex_lock(&l->lock);
  while (s->missing > 0 && status == SL_OK) {
    const struct timespec until = soon();
    pthread_cond_timedwait(&l->ready, &l->lock, &until);
    if (s->missing > 0 && sl_interrupt_pending()) status = interrupted();
  }
  pthread_mutex_unlock(&l->lock);
  return status;
}

static sl_status load_here(sl_loader *l, slot *s) {
  while (s->missing > 0) {
    if (sl_interrupt_pending()) return interrupted();
    load(l, l->taken++, l->scratch);
    s->missing--;
  }
  return SL_OK;
}

static sl_status too_many_bad(const sl_loader *l) {
  if (!sl_bad_items_too_many(l->seen_bad, l->seen)) return SL_OK;
  return sl_fail(SL_EDATA,
                 "%lld of the first %lld images of the %s set cannot be read; "
                 "the last: %s",
                 (long long)l->seen_bad, (long long)l->seen, l->name,
                 sl_error());
}

/* Item j of s is bad: an error, or a note. Leaves its reason in sl_error(). */
static sl_status note_bad(sl_loader *l, const slot *s, int j) {
  const sl_status status = s->status[j];
  (void)sl_fail(status, "%s", s->why[j] ? s->why[j] : "out of memory");
  const int skippable = status == SL_EDATA || status == SL_EIO;
  if (!skippable || l->c.on_bad == SL_BAD_ERROR) return status;
  l->seen_bad++;
  SL_TRY(sl_bad_items_add(l->bad, s->rows[j], s->why[j]));
  return too_many_bad(l);
}

static void move_item(const sl_loader *l, slot *s, int to, int from) {
  const size_t size = l->item_bytes, k = (size_t)l->targets.n_classes;
  memcpy(s->pixels + (size_t)to * size, s->pixels + (size_t)from * size, size);
  s->rows[to] = s->rows[from];
  if (s->labels) s->labels[to] = s->labels[from];
  if (s->targets)
    memcpy(s->targets + (size_t)to * k, s->targets + (size_t)from * k,
           k * sizeof *s->targets);
}

/* Closes the gaps that bad items left; *n: what remains. */
static sl_status keep_good(sl_loader *l, slot *s, int *n) {
  *n = 0;
  for (int j = 0; j < s->n; j++) {
    l->seen++;
    if (s->status[j] != SL_OK) {
      SL_TRY(note_bad(l, s, j));
      continue;
    }
    if (*n < j) move_item(l, s, *n, j);
    ++*n;
  }
  return SL_OK;
}

static sl_status next_batch(sl_loader *l, sl_batch *out) {
  slot *s = slot_of(l, l->next);
  const double begin = sl_clock();
  const sl_status status = l->n_workers > 0 ? wait_for(l, s) : load_here(l, s);
  l->waited += sl_clock() - begin;
  SL_TRY(status);
  int n;
  SL_TRY(keep_good(l, s, &n));
  *out = (sl_batch){.number = l->next,
                    .n = n,
                    .h = l->h,
                    .w = l->w,
                    .pixels = s->pixels,
                    .labels = s->labels,
                    .targets = s->targets,
                    .rows = s->rows,
                    .n_bad = s->n - n};
  l->borrowed = l->next++;
  return SL_OK;
}

sl_status sl_loader_next(sl_loader *l, sl_batch *out) {
  *out = (sl_batch){0};
  SL_REQUIRE(l->running, SL_EINVAL, "the %s loader was not started", l->name);
  do {
    sl_loader_release(l);
    if (l->next == l->n_batches) {
      *out = (sl_batch){0};
      return SL_OK;
    }
    const sl_status status = next_batch(l, out);
    if (status == SL_EINTERRUPT) return status;
    if (status != SL_OK) {
      sl_loader_stop(l);
      return status;
    }
  } while (out->n == 0);
  return SL_OK;
}

/* --- make and free -------------------------------------------------------- */

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

static sl_status slot_init(const sl_loader *l, slot *s) {
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

static void slot_close(slot *s) {
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
  if (l->n_workers == 0) return sl_item_scratch_new(&l->scratch);
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
  return places_of(l, l->n_batches);
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
