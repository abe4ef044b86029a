/* max_pool2d.c -- the kernels of ops/max_pool2d.c.
 *
 * Work is split by rows of the result: output rows forward, input rows
 * backward. Backward, each input looks through the windows that see it for
 * those whose largest value it was: more comparisons than scattering from the
 * outputs, but no two workers write the same element, every element is written
 * once, and the loops over the channels vectorise. */
#include <string.h>

#include "base/alloc.h"
#include "cpu/cpu.h"
#include "cpu/floats.h"
#include "cpu/simd.h"
#include "ops/pool.h"

typedef struct job {
  const sl_call *c;
  sl_axis h, w;
  int64_t n, channels;
  uint8_t *places;
  float *scratch; /* 3 C for each worker */
} job;

/* Of equal values the first stays. NaN beats all, and is beaten by NaN only,
 * since comparing with it is false. */
SL_INLINE void keep_larger(float *restrict best, int32_t *restrict place,
                           const float *restrict v, int32_t here, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const int wins = (v[i] > best[i]) | (v[i] != v[i]);
    best[i] = wins ? v[i] : best[i];
    place[i] = wins ? here : place[i];
  }
}

SL_INLINE void largest_at(const job *j, int64_t n, int64_t oh, int64_t ow,
                          float *best, int32_t *place, float *buffer) {
  int64_t top, bottom, left, right;
  sl_axis_window(&j->h, oh, &top, &bottom);
  sl_axis_window(&j->w, ow, &left, &right);
  const int64_t h0 = oh * j->h.stride - j->h.pad;
  const int64_t w0 = ow * j->w.stride - j->w.pad;
  for (int64_t h = top; h < bottom; h++)
    for (int64_t w = left; w < right; w++) {
      const int64_t at = ((n * j->h.in + h) * j->w.in + w) * j->channels;
      const float *v = sl_row_get(j->c->in[0], at, j->channels, buffer);
      const int32_t here = (int32_t)((h - h0) * j->w.kernel + w - w0);
      if (h == top && w == left) {
        memcpy(best, v, (size_t)j->channels * sizeof *best);
        for (int64_t i = 0; i < j->channels; i++)
          place[i] = here;
      } else {
        keep_larger(best, place, v, here, j->channels);
      }
    }
}

SL_SIMD
static void max_rows(void *context, int worker, int n_workers) {
  const job *j = context;
  float *best = j->scratch + 3 * j->channels * worker;
  float *buffer = best + j->channels;
  int32_t *place = (int32_t *)(void *)(buffer + j->channels);
  int64_t begin, end;
  sl_share(j->n * j->h.out, 1, worker, n_workers, &begin, &end);
  for (int64_t r = begin; r < end; r++)
    for (int64_t ow = 0; ow < j->w.out; ow++) {
      const int64_t at = (r * j->w.out + ow) * j->channels;
      largest_at(j, r / j->h.out, r % j->h.out, ow, best, place, buffer);
      sl_row_put(j->c->out[0], at, j->channels, best, 0);
      for (int64_t i = 0; j->places && i < j->channels; i++)
        j->places[at + i] = (uint8_t)place[i];
    }
}

SL_INLINE void add_where(float *restrict sum, const float *restrict dy,
                         const uint8_t *restrict place, uint8_t here,
                         int64_t n) {
  for (int64_t i = 0; i < n; i++)
    sum[i] += place[i] == here ? dy[i] : 0.0f;
}

SL_INLINE void gradient_at(const job *j, int64_t n, int64_t ih, int64_t iw,
                           float *sum, float *buffer) {
  int64_t top, bottom, left, right;
  sl_axis_seen_by(&j->h, ih, &top, &bottom);
  sl_axis_seen_by(&j->w, iw, &left, &right);
  memset(sum, 0, (size_t)j->channels * sizeof *sum);
  for (int64_t h = top; h < bottom; h++)
    for (int64_t w = left; w < right; w++) {
      const int64_t at = ((n * j->h.out + h) * j->w.out + w) * j->channels;
      const int64_t kh = ih - (h * j->h.stride - j->h.pad);
      const int64_t kw = iw - (w * j->w.stride - j->w.pad);
      const float *dy = sl_row_get(j->c->dout[0], at, j->channels, buffer);
      add_where(sum, dy, j->places + at, (uint8_t)(kh * j->w.kernel + kw),
                j->channels);
    }
}

SL_SIMD
static void pass_rows(void *context, int worker, int n_workers) {
  const job *j = context;
  float *sum = j->scratch + 3 * j->channels * worker;
  float *buffer = sum + j->channels;
  int64_t begin, end;
  sl_share(j->n * j->h.in, 1, worker, n_workers, &begin, &end);
  for (int64_t r = begin; r < end; r++)
    for (int64_t iw = 0; iw < j->w.in; iw++) {
      gradient_at(j, r / j->h.in, r % j->h.in, iw, sum, buffer);
      sl_row_put(j->c->din[0], (r * j->w.in + iw) * j->channels, j->channels,
                 sum, j->c->add[0]);
    }
}

static sl_status run(const sl_call *c, sl_work *f) {
  const sl_tensor *x = c->in[0];
  sl_axis axes[2];
  SL_TRY(sl_max_pool2d_axes(x, c->opts, axes));
  job j = {.c = c,
           .h = axes[0],
           .w = axes[1],
           .n = x->shape[0],
           .channels = x->shape[3],
           .places = c->saved[0] ? sl_u8(c->saved[0]) : NULL,
           .scratch = sl_scratch(3 * x->shape[3])};
  if (!j.scratch) return SL_ENOMEM;
  sl_parallel_if(sl_tensor_count(x), f, &j);
  sl_free_data(j.scratch);
  return SL_OK;
}

sl_status sl_cpu_max_pool2d(const sl_call *c) {
  return run(c, max_rows);
}

sl_status sl_cpu_max_pool2d_grad(const sl_call *c) {
  return run(c, pass_rows);
}
