/* loader.c -- the epoch: workers and consumer. See loader.h; loader_new.c makes
 * the loader.
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
#include "data/loader_internal.h"

enum { NICER = 5, POLL_MS = 50 };

/* --- one item ------------------------------------------------------------- */

static sl_slot *slot_of(const sl_loader *l, int64_t batch) {
  return &l->slots[batch % l->n_slots];
}

static void set_class(const sl_loader *l, sl_slot *s, int j, int64_t at) {
  const sl_targets *t = &l->targets;
  if (s->labels) s->labels[j] = t->classes[at];
  if (!s->targets) return;
  float *row = s->targets + (int64_t)j * t->n_classes;
  memset(row, 0, (size_t)t->n_classes * sizeof *row);
  for (int64_t i = t->at[at]; i < t->at[at + 1]; i++)
    row[t->classes[i] - 1] = 1;
}

static void load(const sl_loader *l, int64_t place, sl_item_scratch *scratch) {
  sl_slot *s = slot_of(l, place / l->c.batch_size);
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

int64_t sl_loader_places(const sl_loader *l, int64_t batches) {
  const int64_t n = batches * l->c.batch_size;
  return n < l->count ? n : l->count;
}

/* The next place to load, -1 when there is none left. */
static int64_t take(sl_loader *l) {
  pthread_mutex_lock(&l->lock);
  const int64_t end = sl_loader_places(l, l->n_batches);
  while (!l->quit && l->taken < end &&
         l->taken >= sl_loader_places(l, l->opened))
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
  if (sl_item_scratch_new(&scratch) != SL_OK)
    scratch = NULL;
  else
    sl_item_scratch_keep(scratch, l->c.decoded);
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

static void clear_why(sl_slot *s) {
  for (int j = 0; j < s->n; j++) {
    sl_free(s->why[j]);
    s->why[j] = NULL;
  }
}

/* Gives the next unopened batch its slot; under the lock once workers run. */
static void open_batch(sl_loader *l) {
  if (l->opened == l->n_batches) return;
  sl_slot *s = slot_of(l, l->opened);
  clear_why(s);
  s->n = (int)(sl_loader_places(l, l->opened + 1) -
               sl_loader_places(l, l->opened));
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
  l->taken = sl_loader_places(l, first);
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
  open_batch(l); /* batch borrowed + n_slots: the same sl_slot */
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

static sl_status wait_for(sl_loader *l, sl_slot *s) {
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

static sl_status load_here(sl_loader *l, sl_slot *s) {
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
static sl_status note_bad(sl_loader *l, const sl_slot *s, int j) {
  const sl_status status = s->status[j];
  (void)sl_fail(status, "%s", s->why[j] ? s->why[j] : "out of memory");
  const int skippable = status == SL_EDATA || status == SL_EIO;
  if (!skippable || l->c.on_bad == SL_BAD_ERROR) return status;
  l->seen_bad++;
  const int loud = l->c.on_bad == SL_BAD_SKIP;
  SL_TRY(sl_bad_items_add(l->bad, s->rows[j], s->why[j], loud));
  return loud ? too_many_bad(l) : SL_OK;
}

static void move_item(const sl_loader *l, sl_slot *s, int to, int from) {
  const size_t size = l->item_bytes, k = (size_t)l->targets.n_classes;
  memcpy(s->pixels + (size_t)to * size, s->pixels + (size_t)from * size, size);
  s->rows[to] = s->rows[from];
  if (s->labels) s->labels[to] = s->labels[from];
  if (s->targets)
    memcpy(s->targets + (size_t)to * k, s->targets + (size_t)from * k,
           k * sizeof *s->targets);
}

/* Closes the gaps that bad items left; *n: what remains. */
static sl_status keep_good(sl_loader *l, sl_slot *s, int *n) {
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
  sl_slot *s = slot_of(l, l->next);
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
