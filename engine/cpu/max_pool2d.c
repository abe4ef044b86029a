/* max_pool2d.c -- the kernels of ops/max_pool2d.c.
 *
 * Work is split by rows of the result: output rows forward, input rows
 * backward. Backward, each input looks through the windows that see it for
 * those whose largest value it was: more comparisons than scattering from the
 * outputs, but no two workers write the same element, every element is written
 * once, and the loops over the channels vectorise. */
#include "cpu/cpu.h"
#include "cpu/floats.h"
#include "cpu/typed.h"
#include "ops/pool.h"

enum { PLACES = 256 }; /* of a window: a place is a byte */

typedef struct job {
  const sl_call *c;
  sl_dtype type;
  sl_axis h, w;
  int64_t n, channels;
  uint8_t *places;
} job;

typedef uint8_t sl_b16x __attribute__((vector_size(16)));

/* What one pixel looks at: rows of the other tensor, by their first element,
 * and each one's place in the window. */
typedef struct looks {
  int n;
  int64_t at[PLACES];
  int32_t place[PLACES];
} looks;

/* --- forward -------------------------------------------------------------- */

static void look_down(const job *j, looks *l, int64_t n, int64_t oh,
                      int64_t ow) {
  int64_t top, bottom, left, right;
  sl_axis_window(&j->h, oh, &top, &bottom);
  sl_axis_window(&j->w, ow, &left, &right);
  const int64_t h0 = oh * j->h.stride - j->h.pad;
  const int64_t w0 = ow * j->w.stride - j->w.pad;
  l->n = 0;
  for (int64_t h = top; h < bottom; h++)
    for (int64_t w = left; w < right; w++) {
      l->at[l->n] = ((n * j->h.in + h) * j->w.in + w) * j->channels;
      l->place[l->n++] = (int32_t)((h - h0) * j->w.kernel + w - w0);
    }
}

/* Of equal values the first stays. NaN beats all, and is beaten by NaN only,
 * since comparing with it is false. */
SL_INLINE void max_tile(const job *j, sl_dtype type, const looks *l, int64_t to,
                        int64_t i, int n) {
  const void *x = sl_data(j->c->in[0]);
  sl_v16 best;
  sl_v16i place = (sl_v16i){0} + l->place[0];
  sl_get(&best, type, x, l->at[0] + i, n);
  for (int k = 1; k < l->n; k++) {
    sl_v16 v;
    sl_get(&v, type, x, l->at[k] + i, n);
    /* NaN by arithmetic: gcc 12 makes of a second comparison sixteen. */
    const sl_v16i nan = (0x7f800000 - ((sl_v16i)v & 0x7fffffff)) >> 31;
    const sl_v16i wins = (v > best) | nan;
    best = (sl_v16)(((sl_v16i)v & wins) | ((sl_v16i)best & ~wins));
    place = (wins & l->place[k]) | (place & ~wins);
  }
  sl_put(type, sl_data(j->c->out[0]), to + i, &best, n);
  if (!j->places) return;
  /* (In one step it would be done lane by lane.) */
  const sl_h16 halves = __builtin_convertvector(place, sl_h16);
  const sl_b16x bytes = __builtin_convertvector(halves, sl_b16x);
  memcpy(j->places + to + i, &bytes, (size_t)n);
}

SL_INLINE void max_pixel(const job *j, sl_dtype type, const looks *l,
                         int64_t to) {
  int64_t i = 0;
  for (; i + SL_LANES <= j->channels; i += SL_LANES)
    max_tile(j, type, l, to, i, SL_LANES);
  if (i < j->channels) max_tile(j, type, l, to, i, (int)(j->channels - i));
}

SL_SIMD
static void max_one(const job *j, const looks *l, int64_t to) {
#define CALL(T) max_pixel(j, T, l, to)
  SL_TYPE_EACH(j->type, CALL);
#undef CALL
}

static void max_rows(void *context, int worker, int n_workers) {
  const job *j = context;
  looks l = {0};
  int64_t begin, end;
  sl_share(j->n * j->h.out, 1, worker, n_workers, &begin, &end);
  for (int64_t r = begin; r < end; r++)
    for (int64_t ow = 0; ow < j->w.out; ow++) {
      look_down(j, &l, r / j->h.out, r % j->h.out, ow);
      max_one(j, &l, (r * j->w.out + ow) * j->channels);
    }
}

/* --- backward ------------------------------------------------------------- */

static void look_up(const job *j, looks *l, int64_t n, int64_t ih, int64_t iw) {
  int64_t top, bottom, left, right;
  sl_axis_seen_by(&j->h, ih, &top, &bottom);
  sl_axis_seen_by(&j->w, iw, &left, &right);
  l->n = 0;
  for (int64_t h = top; h < bottom; h++)
    for (int64_t w = left; w < right; w++) {
      const int64_t kh = ih - (h * j->h.stride - j->h.pad);
      const int64_t kw = iw - (w * j->w.stride - j->w.pad);
      l->at[l->n] = ((n * j->h.out + h) * j->w.out + w) * j->channels;
      l->place[l->n++] = (int32_t)(kh * j->w.kernel + kw);
    }
}

SL_INLINE void pass_tile(const job *j, sl_dtype type, const looks *l,
                         int64_t to, int64_t i, int n) {
  const void *dy = sl_data(j->c->dout[0]);
  sl_v16 sum = {0};
  for (int k = 0; k < l->n; k++) {
    sl_v16 d;
    sl_b16x bytes = {0};
    sl_get(&d, type, dy, l->at[k] + i, n);
    memcpy(&bytes, j->places + l->at[k] + i, (size_t)n);
    const sl_h16 halves = __builtin_convertvector(bytes, sl_h16);
    const sl_v16i place = __builtin_convertvector(halves, sl_v16i);
    sum += (sl_v16)((sl_v16i)d & (place == l->place[k]));
  }
  sl_put_or_add(type, sl_data(j->c->din[0]), to + i, &sum, j->c->add[0], n);
}

SL_INLINE void pass_pixel(const job *j, sl_dtype type, const looks *l,
                          int64_t to) {
  int64_t i = 0;
  for (; i + SL_LANES <= j->channels; i += SL_LANES)
    pass_tile(j, type, l, to, i, SL_LANES);
  if (i < j->channels) pass_tile(j, type, l, to, i, (int)(j->channels - i));
}

SL_SIMD
static void pass_one(const job *j, const looks *l, int64_t to) {
#define CALL(T) pass_pixel(j, T, l, to)
  SL_TYPE_EACH(j->type, CALL);
#undef CALL
}

static void pass_rows(void *context, int worker, int n_workers) {
  const job *j = context;
  looks l = {0};
  int64_t begin, end;
  sl_share(j->n * j->h.in, 1, worker, n_workers, &begin, &end);
  for (int64_t r = begin; r < end; r++)
    for (int64_t iw = 0; iw < j->w.in; iw++) {
      look_up(j, &l, r / j->h.in, r % j->h.in, iw);
      pass_one(j, &l, (r * j->w.in + iw) * j->channels);
    }
}

static sl_status run(const sl_call *c, sl_work *f) {
  const sl_tensor *x = c->in[0];
  sl_axis axes[2];
  SL_TRY(sl_max_pool2d_axes(x, c->opts, axes));
  job j = {.c = c,
           .type = x->dtype,
           .h = axes[0],
           .w = axes[1],
           .n = x->shape[0],
           .channels = x->shape[3],
           .places = c->saved[0] ? sl_u8(c->saved[0]) : NULL};
  sl_parallel_if(sl_tensor_count(x), f, &j);
  return SL_OK;
}

sl_status sl_cpu_max_pool2d(const sl_call *c) {
  return run(c, max_rows);
}

sl_status sl_cpu_max_pool2d_grad(const sl_call *c) {
  return run(c, pass_rows);
}
