/* norm.c -- see norm.h.
 *
 * Reductions walk down the rows in tiles of 32 channels, so that the sums
 * stay in registers; f32 sums of at most BLOCK rows are added up in f64. */
#include "cpu/norm.h"

#include <string.h>

#include "cpu/act.h"
#include "cpu/simd.h"

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
SL_INLINE void stats_tile(const sl_norm_sums *s, const float *y, int64_t rows,
                          int64_t c, int64_t at, int n0, int n1) {
  sl_v16 p0, p1, s0 = {0}, s1 = {0}, q0 = {0}, q1 = {0};
  sl_load(&p0, s->pivot + at, n0);
  if (n1) sl_load(&p1, s->pivot + at + SL_LANES, n1);
  for (const float *p = y + at, *end = p + rows * c; p < end; p += c) {
    sl_v16 u, v;
    sl_load(&u, p, n0);
    u -= p0;
    s0 += u;
    q0 += u * u;
    if (!n1) continue;
    sl_load(&v, p + SL_LANES, n1);
    v -= p1;
    s1 += v;
    q1 += v * v;
  }
  add_up(s->a + at, &s0, n0);
  add_up(s->b + at, &q0, n0);
  add_up(s->a + at + SL_LANES, &s1, n1);
  add_up(s->b + at + SL_LANES, &q1, n1);
}

SL_SIMD
static void stats_block(const sl_norm_sums *s, const float *y, int64_t rows,
                        int64_t c) {
  int64_t i = 0;
  for (; i + 2 * SL_LANES <= c; i += 2 * SL_LANES)
    stats_tile(s, y, rows, c, i, SL_LANES, SL_LANES);
  for (; i + SL_LANES <= c; i += SL_LANES)
    stats_tile(s, y, rows, c, i, SL_LANES, 0);
  if (i < c) stats_tile(s, y, rows, c, i, (int)(c - i), 0);
}

void sl_norm_stats(sl_norm_sums *s, const float *y, int64_t rows, int64_t c) {
  if (s->rows == 0 && rows > 0) memcpy(s->pivot, y, (size_t)c * sizeof *y);
  for (int64_t i = 0; i < rows; i += BLOCK)
    stats_block(s, y + i * c, rows - i < BLOCK ? rows - i : BLOCK, c);
  s->rows += rows;
}

SL_SIMD
static void add_block(double *to, const float *y, int64_t rows, int64_t c) {
  for (int64_t i = 0; i < c; i += SL_LANES) {
    const int n = c - i < SL_LANES ? (int)(c - i) : SL_LANES;
    sl_v16 v, sum = {0};
    for (int64_t r = 0; r < rows; r++) {
      sl_load(&v, y + r * c + i, n);
      sum += v;
    }
    add_up(to + i, &sum, n);
  }
}

void sl_norm_add_rows(double *to, const float *y, int64_t rows, int64_t c) {
  for (int64_t i = 0; i < rows; i += BLOCK)
    add_block(to, y + i * c, rows - i < BLOCK ? rows - i : BLOCK, c);
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

SL_INLINE void pre_tile(sl_v16 *pre, const sl_v16 *y, const float *residual,
                        const float *scale, const float *shift, int n) {
  sl_v16 a, b, r;
  sl_load(&a, scale, n);
  sl_load(&b, shift, n);
  *pre = *y * a + b;
  if (!residual) return;
  sl_load(&r, residual, n);
  *pre += r;
}

SL_INLINE void apply_tile(float *z, const float *y, const float *residual,
                          const float *scale, const float *shift, sl_act act,
                          int n) {
  sl_v16 v, pre;
  sl_load(&v, y, n);
  pre_tile(&pre, &v, residual, scale, shift, n);
  sl_act_apply(act, &pre);
  sl_store(z, &pre, n);
}

SL_INLINE void apply_rows(float *z, const float *y, const float *residual,
                          int64_t rows, int64_t c, const float *scale,
                          const float *shift, sl_act act) {
  for (int64_t r = 0; r < rows; r++) {
    const int64_t row = r * c;
    int64_t i = 0;
    for (; i + SL_LANES <= c; i += SL_LANES)
      apply_tile(z + row + i, y + row + i, residual ? residual + row + i : NULL,
                 scale + i, shift + i, act, SL_LANES);
    if (i < c)
      apply_tile(z + row + i, y + row + i, residual ? residual + row + i : NULL,
                 scale + i, shift + i, act, (int)(c - i));
  }
}

SL_SIMD
static void apply(float *z, const float *y, const float *residual, int64_t rows,
                  int64_t c, const float *scale, const float *shift,
                  sl_act act) {
#define CALL(A)                                                                \
  if (residual)                                                                \
    apply_rows(z, y, residual, rows, c, scale, shift, A);                      \
  else                                                                         \
    apply_rows(z, y, NULL, rows, c, scale, shift, A)
  SL_ACT_EACH(act, CALL)
#undef CALL
}

void sl_norm_apply(float *z, const float *y, const float *residual,
                   int64_t rows, int64_t c, const float *scale,
                   const float *shift, sl_act act) {
  apply(z, y, residual, rows, c, scale, shift, act);
}

/* --- backward ------------------------------------------------------------- */

typedef struct rows_in {
  const float *dz, *y, *residual;
} rows_in;

SL_INLINE void reduce_tile(const sl_norm_sums *s, const rows_in *in,
                           int64_t rows, int64_t c, int64_t at,
                           const sl_norm_coefs *k, sl_act act, int n) {
  sl_v16 mean, s0 = {0}, q0 = {0};
  sl_load(&mean, k->mean + at, n);
  for (int64_t r = 0; r < rows; r++) {
    const int64_t o = r * c + at;
    sl_v16 y, g, pre;
    sl_load(&y, in->y + o, n);
    sl_load(&g, in->dz + o, n);
    if (act != SL_ACT_NONE)
      pre_tile(&pre, &y, in->residual ? in->residual + o : NULL, k->scale + at,
               k->shift + at, n);
    sl_act_slope(act, &g, &pre);
    s0 += g;
    q0 += g * (y - mean);
  }
  add_up(s->a + at, &s0, n);
  add_up(s->b + at, &q0, n);
}

SL_INLINE void reduce_rows(const sl_norm_sums *s, const rows_in *in,
                           int64_t rows, int64_t c, const sl_norm_coefs *k,
                           sl_act act) {
  int64_t i = 0;
  for (; i + SL_LANES <= c; i += SL_LANES)
    reduce_tile(s, in, rows, c, i, k, act, SL_LANES);
  if (i < c) reduce_tile(s, in, rows, c, i, k, act, (int)(c - i));
}

SL_SIMD
static void reduce_block(const sl_norm_sums *s, const rows_in *in, int64_t rows,
                         int64_t c, const sl_norm_coefs *k, sl_act act) {
#define CALL(A) reduce_rows(s, in, rows, c, k, A)
  SL_ACT_EACH(act, CALL)
#undef CALL
}

void sl_norm_reduce(sl_norm_sums *s, const float *dz, const float *y,
                    const float *residual, int64_t rows, int64_t c,
                    const sl_norm_coefs *k, sl_act act) {
  for (int64_t i = 0; i < rows; i += BLOCK) {
    const rows_in in = {dz + i * c, y + i * c,
                        residual ? residual + i * c : NULL};
    reduce_block(s, &in, rows - i < BLOCK ? rows - i : BLOCK, c, k, act);
  }
  s->rows += rows;
}

SL_INLINE void add_or_set(float *p, sl_v16 *v, int add, int n) {
  if (add) {
    sl_v16 old;
    sl_load(&old, p, n);
    *v += old;
  }
  sl_store(p, v, n);
}

SL_INLINE void grad_tile(const sl_norm_dout *d, const rows_in *in, int64_t o,
                         int64_t at, const sl_norm_coefs *k, sl_act act,
                         int n) {
  sl_v16 y, g, pre, a, k0, k1, mean;
  sl_load(&y, in->y + o, n);
  sl_load(&g, in->dz + o, n);
  if (act != SL_ACT_NONE)
    pre_tile(&pre, &y, in->residual ? in->residual + o : NULL, k->scale + at,
             k->shift + at, n);
  sl_act_slope(act, &g, &pre);
  if (d->dy) {
    sl_load(&a, k->scale + at, n);
    sl_load(&k0, k->k0 + at, n);
    sl_load(&k1, k->k1 + at, n);
    sl_load(&mean, k->mean + at, n);
    sl_v16 dy = g * a + ((y - mean) * k1 + k0);
    add_or_set(d->dy + o, &dy, d->add_dy, n);
  }
  if (d->dresidual) add_or_set(d->dresidual + o, &g, d->add_dresidual, n);
}

SL_INLINE void grad_rows(const sl_norm_dout *d, const rows_in *in, int64_t rows,
                         int64_t c, const sl_norm_coefs *k, sl_act act) {
  for (int64_t r = 0; r < rows; r++) {
    int64_t i = 0;
    for (; i + SL_LANES <= c; i += SL_LANES)
      grad_tile(d, in, r * c + i, i, k, act, SL_LANES);
    if (i < c) grad_tile(d, in, r * c + i, i, k, act, (int)(c - i));
  }
}

SL_SIMD
static void grad(const sl_norm_dout *d, const rows_in *in, int64_t rows,
                 int64_t c, const sl_norm_coefs *k, sl_act act) {
#define CALL(A) grad_rows(d, in, rows, c, k, A)
  SL_ACT_EACH(act, CALL)
#undef CALL
}

void sl_norm_grad(const sl_norm_dout *d, const float *dz, const float *y,
                  const float *residual, int64_t rows, int64_t c,
                  const sl_norm_coefs *k, sl_act act) {
  const rows_in in = {dz, y, residual};
  grad(d, &in, rows, c, k, act);
}
