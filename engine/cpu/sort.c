/* sort.c -- CPU kernels of sort, argsort, topk: see ops/sort.h.
 *
 * An element and its position become one 64-bit key: above, 32 bits that order
 * as the elements do; below, the position. No two keys are equal, so whatever
 * sorts them is stable. */
#include "ops/sort.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "cpu/cpu.h"
#include "cpu/lines.h"
#include "cpu/rows.h"

enum { DIGIT = 11, DIGITS = 1 << DIGIT, FEW = 64 };

typedef struct job {
  const sl_tensor *x;
  sl_tensor *values, *places, *saved; /* any may be NULL */
  sl_lines lines;
  int64_t k; /* of the result, along the line */
  int descending;
  uint64_t *scratch; /* 2 n for each worker */
} job;

/* Floats order as their bits do, once the negative ones are turned over. */
static uint32_t float_key(float v) {
  uint32_t bits;
  if (isnan(v)) return UINT32_MAX;
  memcpy(&bits, &v, sizeof bits);
  if (v == 0) bits = 0; /* -0 too */
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static uint32_t key(const sl_tensor *x, int64_t at) {
  float f;
  if (x->dtype == SL_I32) return (uint32_t)sl_i32(x)[at] ^ 0x80000000u;
  return float_key(*sl_load_f32(x, at, 1, 1, &f));
}

static void sort_few(uint64_t *v, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    const uint64_t moving = v[i];
    int64_t j = i;
    for (; j > 0 && v[j - 1] > moving; j--)
      v[j] = v[j - 1];
    v[j] = moving;
  }
}

/* Radix sort by the upper halves; the lower ones are in order already. Three
 * passes: the result is in `spare`. */
static void sort_many(uint64_t *v, uint64_t *spare, int64_t n) {
  for (int shift = 32; shift < 64; shift += DIGIT) {
    int64_t start[DIGITS + 1] = {0};
    for (int64_t i = 0; i < n; i++)
      start[(v[i] >> shift) % DIGITS + 1]++;
    for (int d = 1; d < DIGITS; d++)
      start[d] += start[d - 1];
    for (int64_t i = 0; i < n; i++)
      spare[start[(v[i] >> shift) % DIGITS]++] = v[i];
    uint64_t *const keep = v;
    v = spare;
    spare = keep;
  }
}

static const uint64_t *sorted(const job *j, int64_t first, uint64_t *v) {
  const int64_t n = j->lines.n;
  for (int64_t i = 0; i < n; i++) {
    const uint32_t order = key(j->x, first + i * j->lines.step);
    v[i] = (uint64_t)(j->descending ? ~order : order) << 32 | (uint32_t)i;
  }
  if (n > FEW) {
    sort_many(v, v + n, n);
    return v + n;
  }
  sort_few(v, n);
  return v;
}

static void one_line(const job *j, int64_t line, uint64_t *scratch) {
  const int64_t from = sl_line_at(&j->lines, line, j->lines.n);
  const int64_t to = sl_line_at(&j->lines, line, j->k);
  const uint64_t *v = sorted(j, from, scratch);
  for (int64_t i = 0; i < j->k; i++) {
    const int64_t place = (uint32_t)v[i], at = to + i * j->lines.step;
    if (j->values)
      sl_set_element(j->values, at,
                     sl_element(j->x, from + place * j->lines.step));
    if (j->places) sl_i32(j->places)[at] = (int32_t)(place + 1);
    if (j->saved) sl_i32(j->saved)[at] = (int32_t)(place + 1);
  }
}

static void share(void *context, int worker, int n_workers) {
  const job *j = context;
  int64_t begin, end;
  sl_share(j->lines.outer * j->lines.step, 1, worker, n_workers, &begin, &end);
  uint64_t *scratch = j->scratch + 2 * j->lines.n * worker;
  for (int64_t i = begin; i < end; i++)
    one_line(j, i, scratch);
}

static sl_status sort(const sl_call *c, sl_tensor *values, sl_tensor *places) {
  const sl_sort_opts *o = c->opts;
  const sl_tensor *x = c->in[0];
  job j = {.x = x,
           .values = values,
           .places = places,
           .saved = c->saved[0],
           .lines = sl_lines_of(x, o->dim),
           .k = c->out[0]->shape[o->dim],
           .descending = o->descending};
  const int many = sl_tensor_count(x) > SL_PARALLEL_MIN / 4;
  const size_t workers = many ? (size_t)sl_pool_size() : 1;
  j.scratch =
      sl_alloc_data(workers * 2 * (size_t)(j.lines.n + 1) * sizeof *j.scratch);
  SL_REQUIRE(j.scratch, SL_ENOMEM, "no memory to sort in");
  if (many)
    sl_parallel(share, &j);
  else
    share(&j, 0, 1);
  sl_free_data(j.scratch);
  return SL_OK;
}

sl_status sl_cpu_sort(const sl_call *c) {
  return sort(c, c->out[0], c->out[1]);
}

sl_status sl_cpu_argsort(const sl_call *c) {
  return sort(c, NULL, c->out[0]);
}

sl_status sl_cpu_topk(const sl_call *c) {
  return sort(c, c->out[0], c->out[1]);
}

/* Each value's gradient goes back to its place on the line. */
static sl_status hand_back(const sl_call *c) {
  const sl_sort_opts *o = c->opts;
  sl_tensor *dx = c->din[0];
  const sl_tensor *dy = c->dout[0];
  const int32_t *place = sl_i32(c->saved[0]);
  const sl_lines l = sl_lines_of(dx, o->dim);
  const int64_t k = dy->shape[o->dim];
  if (!c->add[0]) SL_TRY(sl_cpu.zero(sl_data(dx), sl_tensor_bytes(dx)));
  for (int64_t line = 0; line < l.outer * l.step; line++) {
    const int64_t from = sl_line_at(&l, line, k);
    const int64_t to = sl_line_at(&l, line, l.n);
    for (int64_t i = 0; i < k; i++) {
      const int64_t at = from + i * l.step;
      sl_add_element(dx, to + (place[at] - 1) * l.step, sl_element(dy, at));
    }
  }
  return SL_OK;
}

sl_status sl_cpu_sort_grad(const sl_call *c) {
  return hand_back(c);
}

sl_status sl_cpu_topk_grad(const sl_call *c) {
  return hand_back(c);
}
