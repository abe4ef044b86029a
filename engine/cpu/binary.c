/* binary.c -- CPU kernels of the whole family in ops/binary.def.
 *
 * Inputs come with any strides; a broadcast dimension has stride 0. The
 * result is dense. Backward walks the same way: where an input was broadcast
 * several elements meet in one place and add up, so it runs in one piece
 * unless no dimension is broadcast. */
#include <math.h>
#include <string.h>

#include "cpu/cpu.h"

typedef struct job {
  int rank;
  int64_t shape[SL_MAX_RANK];
  int64_t a[SL_MAX_RANK], b[SL_MAX_RANK];   /* strides of the inputs */
  int64_t da[SL_MAX_RANK], db[SL_MAX_RANK]; /* and of their gradients */
  const float *pa, *pb, *dy;
  float *out, *ga, *gb;
} job;

/* Strides of t seen as a tensor of the result's shape. */
static void spread(const sl_tensor *t, int rank, int64_t *stride) {
  for (int i = 0; i < rank; i++) {
    const int k = i - (rank - t->rank);
    stride[i] = k < 0 || t->shape[k] == 1 ? 0 : t->stride[k];
  }
}

/* Adjacent dimensions that lie dense in every operand become one. */
static int merges(const job *j, int i) {
  const int k = j->rank - 1;
  const int64_t n = j->shape[i];
  return k >= 0 && j->a[k] == n * j->a[i] && j->b[k] == n * j->b[i] &&
         j->da[k] == n * j->da[i] && j->db[k] == n * j->db[i];
}

static void keep(job *j, int to, int from) {
  j->a[to] = j->a[from];
  j->b[to] = j->b[from];
  j->da[to] = j->da[from];
  j->db[to] = j->db[from];
}

static void collapse(job *j, int rank) {
  j->rank = 0;
  for (int i = 0; i < rank; i++) {
    if (j->shape[i] == 1 && rank > 1 && !(i == rank - 1 && j->rank == 0))
      continue;
    const int joined = merges(j, i);
    if (joined)
      j->shape[j->rank - 1] *= j->shape[i];
    else
      j->shape[j->rank++] = j->shape[i];
    keep(j, j->rank - 1, i);
  }
  if (j->rank == 0) j->rank = 1, j->shape[0] = 1;
}

static job plan(const sl_call *c, const sl_tensor *result) {
  job j = {0};
  memcpy(j.shape, result->shape, sizeof j.shape);
  spread(c->in[0], result->rank, j.a);
  spread(c->in[1], result->rank, j.b);
  if (c->din && c->din[0]) spread(c->din[0], result->rank, j.da);
  if (c->din && c->din[1]) spread(c->din[1], result->rank, j.db);
  collapse(&j, result->rank);
  j.pa = sl_f32(c->in[0]);
  j.pb = sl_f32(c->in[1]);
  return j;
}

/* Where line `row` begins in an operand. */
static int64_t origin(const job *j, const int64_t *stride, int64_t row) {
  int64_t at = 0;
  for (int i = j->rank - 2; i >= 0; i--) {
    at += row % j->shape[i] * stride[i];
    row /= j->shape[i];
  }
  return at;
}

typedef void line_work(const job *j, int64_t row, int64_t at, int64_t n);

static void lines(const job *j, int64_t begin, int64_t end, line_work *f) {
  const int64_t length = j->shape[j->rank - 1];
  while (begin < end) {
    const int64_t at = begin % length;
    const int64_t n = length - at < end - begin ? length - at : end - begin;
    f(j, begin / length, at, n);
    begin += n;
  }
}

static int64_t count(const job *j) {
  int64_t n = 1;
  for (int i = 0; i < j->rank; i++)
    n *= j->shape[i];
  return n;
}

static sl_status clear(const sl_call *c, int i) {
  if (c->din[i] && !c->add[i])
    memset(sl_f32(c->din[i]), 0, sl_tensor_bytes(c->din[i]));
  return SL_OK;
}

/* The three stride patterns that matter get loops of their own. */
#define SL_BINARY(name, value, slope_a, slope_b, help)                         \
  static void name##_line(const job *j, int64_t row, int64_t at, int64_t n) {  \
    const int last = j->rank - 1;                                              \
    const int64_t sa = j->a[last], sb = j->b[last];                            \
    const float *pa = j->pa + origin(j, j->a, row) + at * sa;                  \
    const float *pb = j->pb + origin(j, j->b, row) + at * sb;                  \
    float *restrict out = j->out + row * j->shape[last] + at;                  \
    if (sa == 1 && sb == 1) {                                                  \
      for (int64_t i = 0; i < n; i++) {                                        \
        const float a = pa[i], b = pb[i];                                      \
        out[i] = value;                                                        \
      }                                                                        \
    } else if (sa == 1 && sb == 0) {                                           \
      const float b = *pb;                                                     \
      for (int64_t i = 0; i < n; i++) {                                        \
        const float a = pa[i];                                                 \
        out[i] = value;                                                        \
      }                                                                        \
    } else {                                                                   \
      for (int64_t i = 0; i < n; i++) {                                        \
        const float a = pa[i * sa], b = pb[i * sb];                            \
        out[i] = value;                                                        \
      }                                                                        \
    }                                                                          \
  }                                                                            \
  static void name##_range(void *context, int64_t begin, int64_t end) {        \
    lines(context, begin, end, name##_line);                                   \
  }                                                                            \
  sl_status sl_cpu_##name(const sl_call *c) {                                  \
    job j = plan(c, c->out[0]);                                                \
    j.out = sl_f32(c->out[0]);                                                 \
    sl_cpu_ranges(count(&j), name##_range, &j);                                \
    return SL_OK;                                                              \
  }                                                                            \
  static void name##_grad_line(const job *j, int64_t row, int64_t at,          \
                               int64_t n) {                                    \
    const int last = j->rank - 1;                                              \
    const float *pa = j->pa + origin(j, j->a, row) + at * j->a[last];          \
    const float *pb = j->pb + origin(j, j->b, row) + at * j->b[last];          \
    const float *dy = j->dy + row * j->shape[last] + at;                       \
    float *ga = j->ga, *gb = j->gb;                                            \
    if (ga) ga += origin(j, j->da, row) + at * j->da[last];                    \
    if (gb) gb += origin(j, j->db, row) + at * j->db[last];                    \
    for (int64_t i = 0; i < n; i++) {                                          \
      const float a = pa[i * j->a[last]], b = pb[i * j->b[last]];              \
      (void)a;                                                                 \
      (void)b;                                                                 \
      if (ga) ga[i * j->da[last]] += dy[i] * (slope_a);                        \
      if (gb) gb[i * j->db[last]] += dy[i] * (slope_b);                        \
    }                                                                          \
  }                                                                            \
  sl_status sl_cpu_##name##_grad(const sl_call *c) {                           \
    SL_TRY(clear(c, 0));                                                       \
    SL_TRY(clear(c, 1));                                                       \
    job j = plan(c, c->dout[0]);                                               \
    j.dy = sl_f32(c->dout[0]);                                                 \
    if (c->din[0]) j.ga = sl_f32(c->din[0]);                                   \
    if (c->din[1]) j.gb = sl_f32(c->din[1]);                                   \
    lines(&j, 0, count(&j), name##_grad_line);                                 \
    return SL_OK;                                                              \
  }
#include "ops/binary.def"
