/* norm.c -- see norm.h.
 *
 * Reductions walk down the rows in tiles of 32 channels, so that the sums
 * stay in registers; f32 sums of at most BLOCK rows are added up in f64. */
#include "cpu/norm.h"

#include <string.h>

#include "cpu/act.h"
#include "cpu/typed.h"

enum { BLOCK = 256 };

void sl_norm_sums_clear(sl_norm_sums *s, int64_t channels) {
  memset(s->a, 0, (size_t)channels * sizeof *s->a);
  memset(s->b, 0, (size_t)channels * sizeof *s->b);
  s->rows = 0;
}

SL_INLINE void add_up(double *to, const sl_v16 *v, int n) {
  float t[SL_LANES];
  memcpy(t, v, sizeof t);
  for (int i = 0; i < n; i++)
    to[i] += (double)t[i];
}

/* --- statistics ----------------------------------------------------------- */

/* n0 and n1 channels, of at most BLOCK rows. */
SL_INLINE void stats_tile(const sl_norm_sums *s, sl_dtype type, const void *y,
                          int64_t rows, int64_t c, int64_t at, int n0, int n1) {
  sl_v16 p0, p1, s0 = {0}, s1 = {0}, q0 = {0}, q1 = {0};
  sl_load(&p0, s->pivot + at, n0);
  if (n1) sl_load(&p1, s->pivot + at + SL_LANES, n1);
  for (int64_t o = at; o < rows * c; o += c) {
    sl_v16 u, v;
    sl_get(&u, type, y, o, n0);
    u -= p0;
    s0 += u;
    q0 += u * u;
    if (!n1) continue;
    sl_get(&v, type, y, o + SL_LANES, n1);
    v -= p1;
    s1 += v;
    q1 += v * v;
  }
  add_up(s->a + at, &s0, n0);
  add_up(s->b + at, &q0, n0);
  add_up(s->a + at + SL_LANES, &s1, n1);
  add_up(s->b + at + SL_LANES, &q1, n1);
}

SL_INLINE void stats_rows(const sl_norm_sums *s, sl_dtype type, const void *y,
                          int64_t rows, int64_t c) {
  int64_t i = 0;
  for (; i + 2 * SL_LANES <= c; i += 2 * SL_LANES)
    stats_tile(s, type, y, rows, c, i, SL_LANES, SL_LANES);
  for (; i + SL_LANES <= c; i += SL_LANES)
    stats_tile(s, type, y, rows, c, i, SL_LANES, 0);
  if (i < c) stats_tile(s, type, y, rows, c, i, (int)(c - i), 0);
}

SL_SIMD
static void stats_block(const sl_norm_sums *s, sl_dtype type, const void *y,
                        int64_t rows, int64_t c) {
#define CALL(T) stats_rows(s, T, y, rows, c)
  SL_TYPE_EACH(type, CALL);
#undef CALL
}

SL_SIMD
static void first_row(float *pivot, sl_dtype type, const void *y, int64_t c) {
  for (int64_t i = 0; i < c; i += SL_LANES) {
    const int n = c - i < SL_LANES ? (int)(c - i) : SL_LANES;
    sl_v16 v;
    sl_get(&v, type, y, i, n);
    sl_store(pivot + i, &v, n);
  }
}

static int64_t block_rows(int64_t rows, int64_t at) {
  return rows - at < BLOCK ? rows - at : BLOCK;
}

void sl_norm_stats(sl_norm_sums *s, sl_dtype type, const void *y, int64_t rows,
                   int64_t c) {
  if (s->rows == 0 && rows > 0) first_row(s->pivot, type, y, c);
  for (int64_t i = 0; i < rows; i += BLOCK)
    stats_block(s, type, sl_ahead(type, y, i * c), block_rows(rows, i), c);
  s->rows += rows;
}

SL_SIMD
static void add_block(double *to, sl_dtype type, const void *y, int64_t rows,
                      int64_t c) {
  for (int64_t i = 0; i < c; i += SL_LANES) {
    const int n = c - i < SL_LANES ? (int)(c - i) : SL_LANES;
    sl_v16 v, sum = {0};
    for (int64_t r = 0; r < rows; r++) {
      sl_get(&v, type, y, r * c + i, n);
      sum += v;
    }
    add_up(to + i, &sum, n);
  }
}

void sl_norm_add_rows(double *to, sl_dtype type, const void *y, int64_t rows,
                      int64_t c) {
  for (int64_t i = 0; i < rows; i += BLOCK)
    add_block(to, type, sl_ahead(type, y, i * c), block_rows(rows, i), c);
}

void sl_norm_affine(sl_norm_coefs *k, const float *gamma, const float *beta,
                    int64_t c) {
  for (int64_t i = 0; i < c; i++) {
    k->scale[i] = gamma[i] * k->rstd[i];
    k->shift[i] =
        (float)((double)beta[i] - (double)k->mean[i] * (double)k->scale[i]);
  }
}

/* --- forward -------------------------------------------------------------- */

/* Where kernels read; residual may be NULL. */
typedef struct source {
  const void *y, *residual;
  const float *scale, *shift;
} source;

SL_INLINE void pre_tile(sl_v16 *pre, sl_dtype type, const sl_v16 *y,
                        const source *s, int64_t o, int64_t at, int n) {
  sl_v16 a, b, r;
  sl_load(&a, s->scale + at, n);
  sl_load(&b, s->shift + at, n);
  *pre = *y * a + b;
  if (!s->residual) return;
  sl_get(&r, type, s->residual, o, n);
  *pre += r;
}

SL_INLINE void apply_tile(void *z, sl_dtype type, const source *s, int64_t o,
                          int64_t at, sl_act act, int n) {
  sl_v16 v, pre;
  sl_get(&v, type, s->y, o, n);
  pre_tile(&pre, type, &v, s, o, at, n);
  sl_act_apply(act, &pre);
  sl_put(type, z, o, &pre, n);
}

SL_INLINE void apply_rows(void *z, sl_dtype type, const source *s, int64_t rows,
                          int64_t c, sl_act act) {
  for (int64_t r = 0; r < rows; r++) {
    int64_t i = 0;
    for (; i + SL_LANES <= c; i += SL_LANES)
      apply_tile(z, type, s, r * c + i, i, act, SL_LANES);
    if (i < c) apply_tile(z, type, s, r * c + i, i, act, (int)(c - i));
  }
}

SL_INLINE void apply_act(void *z, sl_dtype type, const source *s, int64_t rows,
                         int64_t c, sl_act act) {
  const source plain = {s->y, NULL, s->scale, s->shift};
#define CALL(A)                                                                \
  if (s->residual)                                                             \
    apply_rows(z, type, s, rows, c, A);                                        \
  else                                                                         \
    apply_rows(z, type, &plain, rows, c, A)
  SL_ACT_EACH(act, CALL)
#undef CALL
}

SL_SIMD
static void apply(void *z, sl_dtype type, const source *s, int64_t rows,
                  int64_t c, sl_act act) {
#define CALL(T) apply_act(z, T, s, rows, c, act)
  SL_TYPE_EACH(type, CALL);
#undef CALL
}

void sl_norm_apply(sl_dtype type, void *z, const void *y, const void *residual,
                   int64_t rows, int64_t c, const float *scale,
                   const float *shift, sl_act act) {
  const source s = {y, residual, scale, shift};
  apply(z, type, &s, rows, c, act);
}

/* --- backward ------------------------------------------------------------- */

/* g of the lanes: dz times the activation's slope. */
SL_INLINE void slope_tile(sl_v16 *g, sl_v16 *y, sl_dtype type,
                          const sl_norm_rows *in, const source *s, int64_t o,
                          int64_t at, sl_act act, int n) {
  sl_v16 pre;
  sl_get(y, type, in->y, o, n);
  sl_get(g, type, in->dz, o, n);
  if (act != SL_ACT_NONE) pre_tile(&pre, type, y, s, o, at, n);
  sl_act_slope(act, g, &pre);
}

SL_INLINE void reduce_tile(const sl_norm_sums *sums, sl_dtype type,
                           const sl_norm_rows *in, int64_t at,
                           const sl_norm_coefs *k, sl_act act, int n) {
  const source s = {in->y, in->residual, k->scale, k->shift};
  sl_v16 mean, s0 = {0}, q0 = {0};
  sl_load(&mean, k->mean + at, n);
  for (int64_t r = 0; r < in->rows; r++) {
    sl_v16 y, g;
    slope_tile(&g, &y, type, in, &s, r * in->c + at, at, act, n);
    s0 += g;
    q0 += g * (y - mean);
  }
  add_up(sums->a + at, &s0, n);
  add_up(sums->b + at, &q0, n);
}

SL_INLINE void reduce_rows(const sl_norm_sums *s, sl_dtype type,
                           const sl_norm_rows *in, const sl_norm_coefs *k,
                           sl_act act) {
  int64_t i = 0;
  for (; i + SL_LANES <= in->c; i += SL_LANES)
    reduce_tile(s, type, in, i, k, act, SL_LANES);
  if (i < in->c) reduce_tile(s, type, in, i, k, act, (int)(in->c - i));
}

SL_INLINE void reduce_act(const sl_norm_sums *s, sl_dtype type,
                          const sl_norm_rows *in, const sl_norm_coefs *k,
                          sl_act act){
#define CALL(A) reduce_rows(s, type, in, k, A)
    SL_ACT_EACH(act, CALL)
#undef CALL
}

SL_SIMD static void reduce_block(const sl_norm_sums *s, const sl_norm_rows *in,
                                 const sl_norm_coefs *k, sl_act act) {
#define CALL(T) reduce_act(s, T, in, k, act)
  SL_TYPE_EACH(in->type, CALL);
#undef CALL
}

void sl_norm_reduce(sl_norm_sums *s, const sl_norm_rows *in,
                    const sl_norm_coefs *k, sl_act act) {
  for (int64_t i = 0; i < in->rows; i += BLOCK) {
    const int64_t at = i * in->c;
    const sl_norm_rows block = {
        in->type,
        sl_ahead(in->type, in->dz, at),
        sl_ahead(in->type, in->y, at),
        sl_ahead(in->type, in->residual, at),
        block_rows(in->rows, i),
        in->c,
    };
    reduce_block(s, &block, k, act);
  }
  s->rows += in->rows;
}

SL_INLINE void grad_tile(const sl_norm_dout *d, sl_dtype type,
                         const sl_norm_rows *in, int64_t o, int64_t at,
                         const sl_norm_coefs *k, sl_act act, int n) {
  const source s = {in->y, in->residual, k->scale, k->shift};
  sl_v16 y, g, a, k0, k1, mean;
  slope_tile(&g, &y, type, in, &s, o, at, act, n);
  if (d->dy) {
    sl_load(&a, k->scale + at, n);
    sl_load(&k0, k->k0 + at, n);
    sl_load(&k1, k->k1 + at, n);
    sl_load(&mean, k->mean + at, n);
    sl_v16 dy = g * a + ((y - mean) * k1 + k0);
    sl_put_or_add(type, d->dy, o, &dy, d->add_dy, n);
  }
  if (d->dresidual)
    sl_put_or_add(type, d->dresidual, o, &g, d->add_dresidual, n);
}

SL_INLINE void grad_rows(const sl_norm_dout *d, sl_dtype type,
                         const sl_norm_rows *in, const sl_norm_coefs *k,
                         sl_act act) {
  const int64_t c = in->c;
  for (int64_t r = 0; r < in->rows; r++) {
    int64_t i = 0;
    for (; i + SL_LANES <= c; i += SL_LANES)
      grad_tile(d, type, in, r * c + i, i, k, act, SL_LANES);
    if (i < c) grad_tile(d, type, in, r * c + i, i, k, act, (int)(c - i));
  }
}

SL_INLINE void grad_act(const sl_norm_dout *d, sl_dtype type,
                        const sl_norm_rows *in, const sl_norm_coefs *k,
                        sl_act act){
#define CALL(A) grad_rows(d, type, in, k, A)
    SL_ACT_EACH(act, CALL)
#undef CALL
}

SL_SIMD static void grad(const sl_norm_dout *d, const sl_norm_rows *in,
                         const sl_norm_coefs *k, sl_act act) {
#define CALL(T) grad_act(d, T, in, k, act)
  SL_TYPE_EACH(in->type, CALL);
#undef CALL
}

void sl_norm_grad(const sl_norm_dout *d, const sl_norm_rows *in,
                  const sl_norm_coefs *k, sl_act act) {
  grad(d, in, k, act);
}
