/* profile.c -- see profile.h: recording. */
#include "ops/profile.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "ops/profile_internal.h"

enum {
  MOST_EVENTS = 1000000, /* in a trace: viewers are slow with more */
  DEEPEST = 16,          /* calls inside of calls */
};

int sl_profile_on;
profile sl_profile_record;
static profile *const p = &sl_profile_record;

static pthread_t owner;

/* Calls that have begun and not ended. */
static struct {
  double began, inner; /* inner: seconds in calls inside */
  sl_phase phase;      /* before it */
} open_calls[DEEPEST];
static int depth;

static int is_ours(void) {
  return pthread_equal(pthread_self(), owner);
}

/* --- rows ----------------------------------------------------------------- */

static uint32_t hash_of(int what, const char *layer) {
  uint32_t h = 2166136261u ^ (uint32_t)what; /* FNV-1a */
  for (; *layer; layer++)
    h = (h ^ (uint8_t)*layer) * 16777619u;
  return h ^ h >> 15;
}

/* The slot where that row is, or would be. */
static int32_t *slot_of(int what, const char *layer) {
  uint32_t i = hash_of(what, layer);
  for (;; i++) {
    int32_t *slot = &p->slots[i & (uint32_t)(p->n_slots - 1)];
    if (!*slot) return slot;
    const profile_row *r = &p->rows[*slot - 1];
    if (r->what == what && strcmp(r->layer, layer) == 0) return slot;
  }
}

/* Room for one more row; the table stays at most half full. */
static int make_room(void) {
  if (p->n_rows < p->rows_room) return 1;
  const int room = p->rows_room ? 2 * p->rows_room : 256;
  profile_row *rows = sl_realloc(p->rows, (size_t)room * sizeof *rows);
  if (!rows) return 0;
  p->rows = rows;
  int32_t *slots = sl_alloc((size_t)room * 2, sizeof *slots);
  if (!slots) return 0;
  sl_free(p->slots);
  p->slots = slots;
  p->n_slots = 2 * room;
  p->rows_room = room;
  for (int i = 0; i < p->n_rows; i++)
    *slot_of(p->rows[i].what, p->rows[i].layer) = i + 1;
  return 1;
}

/* NULL: no memory, and this call is not recorded. */
static profile_row *row_of(int what, const char *layer) {
  if (!make_room()) return NULL;
  int32_t *slot = slot_of(what, layer);
  if (*slot) return &p->rows[*slot - 1];
  char *name = sl_strdup(layer);
  if (!name) return NULL;
  p->rows[p->n_rows] = (profile_row){.what = what, .layer = name};
  *slot = ++p->n_rows;
  return &p->rows[*slot - 1];
}

/* --- events --------------------------------------------------------------- */

static void add_event(const profile_event *e) {
  if (!p->trace) return;
  if (p->n_events == p->events_room && p->events_room < MOST_EVENTS) {
    const int64_t room = p->events_room ? 2 * p->events_room : 4096;
    profile_event *events =
        sl_realloc(p->events, (size_t)room * sizeof *events);
    if (events) {
      p->events = events;
      p->events_room = room < MOST_EVENTS ? room : MOST_EVENTS;
    }
  }
  if (p->n_events < p->events_room)
    p->events[p->n_events++] = *e;
  else
    p->events_lost++;
}

/* --- phases --------------------------------------------------------------- */

/* The time until now was the current phase's. */
static void settle(void) {
  const double now = sl_clock(), spent = now - p->phase_began;
  p->phases[p->validating][p->phase].seconds += spent;
  if (spent > 0 && (p->phase != SL_PHASE_OTHER || p->validating))
    add_event(&(profile_event){.at = p->phase_began - p->began,
                               .seconds = spent,
                               .row = -1,
                               .way = (uint8_t)p->validating,
                               .phase = (uint8_t)p->phase});
  p->phase_began = now;
}

static void enter(sl_phase phase, int validating) {
  settle();
  p->phase = phase;
  p->validating = validating;
}

/* A phase that goes on after another was inside it is not counted twice: only
 * entering from "other" or from outside counts. */
sl_phase sl_profile_switch(sl_phase phase) {
  const sl_phase before = p->phase;
  if (!is_ours() || phase == before) return before;
  enter(phase, p->validating);
  if (before == SL_PHASE_OTHER) p->phases[p->validating][phase].calls++;
  return before;
}

int sl_profile_switch_pass(int validating) {
  const int before = p->validating;
  if (!is_ours() || validating == before) return before;
  enter(p->phase, validating);
  if (validating) p->phases[1][SL_PHASE_OTHER].calls++;
  return before;
}

/* --- calls ---------------------------------------------------------------- */

void sl_profile_begin(void) {
  if (!is_ours()) return;
  const int i = depth++;
  if (i >= DEEPEST) return;
  open_calls[i].phase = p->phase;
  if (p->phase == SL_PHASE_WAIT) {
    enter(SL_PHASE_AUGMENT, p->validating);
    p->phases[p->validating][SL_PHASE_AUGMENT].calls++;
  }
  open_calls[i].inner = 0;
  open_calls[i].began = sl_clock();
}

static void record(profile_row *r, int way, const sl_cost *cost, double began,
                   double total, double self) {
  profile_sum *s = &r->way[way];
  s->calls++;
  s->seconds += self;
  s->cost.flops += cost->flops;
  s->cost.bytes += cost->bytes;
  add_event(&(profile_event){.at = began - p->began,
                             .seconds = total,
                             .row = (int32_t)(r - p->rows),
                             .way = (uint8_t)way,
                             .phase = (uint8_t)p->phase,
                             .gflops = (float)(cost->flops * 1e-9),
                             .mb = (float)(cost->bytes * 1e-6)});
}

/* The clock was read before the cost was worked out. */
static void end_call(int what, int way, sl_dtype dtype, const sl_cost *cost,
                     double now) {
  if (--depth >= DEEPEST) return;
  const double total = now - open_calls[depth].began;
  const double self = total - open_calls[depth].inner;
  if (depth > 0) open_calls[depth - 1].inner += total;
  p->phases[p->validating][p->phase].in_ops += self;
  const char *layer = sl_layer_get();
  profile_row *r = cost ? row_of(what, layer ? layer : "") : NULL;
  if (r) {
    r->dtype = dtype;
    record(r, way, cost, open_calls[depth].began, total, self);
  }
  if (open_calls[depth].phase != p->phase)
    enter(open_calls[depth].phase, p->validating);
}

/* A device works on its own: wait for it, or the next call would pay. */
static void wait_for(const sl_call *c) {
  for (int i = 0; i < c->n_in; i++) {
    if (!c->in[i]) continue;
    if (c->in[i]->backend->synchronise() != SL_OK) return; /* it comes again */
    break;
  }
}

static sl_dtype dtype_of(const sl_call *c) {
  return c->n_in > 0 && c->in[0] ? c->in[0]->dtype : SL_F32;
}

void sl_profile_end_op(sl_op_id id, const sl_call *c, int backward) {
  if (!is_ours() || depth == 0) return;
  if (!c) {
    end_call((int)id, backward, SL_F32, NULL, sl_clock());
    return;
  }
  wait_for(c);
  const double now = sl_clock();
  const sl_cost cost = sl_op_cost(id, c, backward);
  end_call((int)id, backward, dtype_of(c), &cost, now);
}

void sl_profile_end(int what, sl_cost cost) {
  if (!is_ours() || depth == 0) return;
  end_call(what, 0, SL_F32, &cost, sl_clock());
}

/* --- from start to finish ------------------------------------------------- */

void sl_profile_forget(void) {
  for (int i = 0; i < p->n_rows; i++)
    sl_free(p->rows[i].layer);
  sl_free(p->rows);
  sl_free(p->slots);
  sl_free(p->events);
  *p = (profile){0};
}

sl_status sl_profile_start(FILE *trace) {
  SL_REQUIRE(!sl_profile_on, SL_EINVAL, "a profile is already being taken");
  sl_profile_forget();
  p->trace = trace;
  owner = pthread_self();
  depth = 0;
  p->began = p->phase_began = sl_clock();
  sl_profile_on = 1;
  return SL_OK;
}

sl_status sl_profile_finish(void) {
  if (!sl_profile_on) return SL_OK;
  settle();
  p->seconds = p->phase_began - p->began;
  sl_profile_on = 0;
  if (!p->trace) return SL_OK;
  sl_profile_write_trace(p->trace);
  const int failed = ferror(p->trace);
  const int not_closed = fclose(p->trace);
  p->trace = NULL;
  SL_REQUIRE(!failed && !not_closed, SL_EIO, "the trace could not be written");
  return SL_OK;
}

int sl_profile_uses(sl_dtype dtype) {
  for (int i = 0; i < p->n_rows; i++)
    for (int way = 0; way < 2; way++)
      if (p->rows[i].dtype == dtype && p->rows[i].way[way].cost.flops > 0)
        return 1;
  return 0;
}
