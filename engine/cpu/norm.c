/* norm.c -- see norm.h.
 *
 * Reductions go along a few rows at a time, as memory likes it; their f32 sums,
 * of at most BLOCK rows, are added up in f64. bf16 has kernels of its own where
 * the processor rounds to it (norm_bf16.h). */
#include "cpu/norm.h"

#include <string.h>

#include "cpu/act.h"
#include "cpu/norm_bf16.h"
#include "cpu/typed.h"

/* Rows that are summed up in f32; rows at a time; channels at a time, of which
 * the sums stay in the first cache. */
enum { BLOCK = 256, ROWS = 4, CHANNELS = 512 };

void sl_norm_sums_clear(sl_norm_sums *s, int64_t channels) {
  memset(s->a, 0, (size_t)channels * sizeof *s->a);
  memset(s->b, 0, (size_t)channels * sizeof *s->b);
  s->rows = 0;
}

/* A block's sums of some channels. */
typedef struct sums {
  float a[CHANNELS], b[CHANNELS];
} sums;

SL_INLINE void add_up(double *to, const float *from, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    to[i] += (double)from[i];
}

SL_INLINE int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* --- statistics ----------------------------------------------------------- */

/* n channels from `at` on, of at most ROWS rows from element o on. */
SL_INLINE void stats_tile(sums *t, const float *pivot, sl_dtype type,
                          const void *y, int64_t o, int64_t rows, int64_t c,
                          int64_t at, int n) {
  sl_v16 p, s, q;
  sl_load(&p, pivot + at, n);
  sl_load(&s, t->a + at, n);
  sl_load(&q, t->b + at, n);
  for (int64_t r = 0; r < rows; r++) {
    sl_v16 u;
    sl_get(&u, type, y, o + r * c + at, n);
    u -= p;
    s += u;
    q += u * u;
  }
  sl_store(t->a + at, &s, n);
  sl_store(t->b + at, &q, n);
}

/* n channels from `first` on. */
SL_INLINE void stats_channels(const sl_norm_sums *s, sl_dtype type,
                              const void *y, int64_t rows, int64_t c,
                              int64_t first, int64_t n) {
  const float *pivot = s->pivot + first;
  sums t = {0};
  for (int64_t r = 0; r < rows; r += ROWS) {
    const int64_t few = least(ROWS, rows - r), o = r * c + first;
    int64_t i = 0;
    for (; i + SL_LANES <= n; i += SL_LANES)
      stats_tile(&t, pivot, type, y, o, few, c, i, SL_LANES);
    if (i < n) stats_tile(&t, pivot, type, y, o, few, c, i, (int)(n - i));
  }
  add_up(s->a + first, t.a, n);
  add_up(s->b + first, t.b, n);
}

SL_INLINE void stats_rows(const sl_norm_sums *s, sl_dtype type, const void *y,
                          int64_t rows, int64_t c) {
  for (int64_t i = 0; i < c; i += CHANNELS)
    stats_channels(s, type, y, rows, c, i, least(CHANNELS, c - i));
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
    float t[SL_LANES];
    sl_store(t, &sum, SL_LANES);
    add_up(to + i, t, n);
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
  if (sl_norm_bf16_can(type, act)) {
    sl_norm_bf16_apply(z, y, residual, rows, c, scale, shift, act);
    return;
  }
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

/* n channels from `at` on, of at most ROWS rows. */
SL_INLINE void reduce_tile(float *a, float *b, sl_dtype type,
                           const sl_norm_rows *in, int64_t row, int64_t rows,
                           int64_t at, const sl_norm_coefs *k, sl_act act,
                           int n) {
  const source from = {in->y, in->residual, k->scale, k->shift};
  sl_v16 mean, s, q;
  sl_load(&mean, k->mean + at, n);
  sl_load(&s, a, n);
  sl_load(&q, b, n);
  for (int64_t r = row; r < row + rows; r++) {
    sl_v16 y, g;
    slope_tile(&g, &y, type, in, &from, r * in->c + at, at, act, n);
    s += g;
    q += g * (y - mean);
  }
  sl_store(a, &s, n);
  sl_store(b, &q, n);
}

/* n channels from `first` on. */
SL_INLINE void reduce_channels(const sl_norm_sums *s, sl_dtype type,
                               const sl_norm_rows *in, const sl_norm_coefs *k,
                               sl_act act, int64_t first, int64_t n) {
  sums t = {0};
  for (int64_t r = 0; r < in->rows; r += ROWS) {
    const int64_t few = least(ROWS, in->rows - r);
    int64_t i = 0;
    for (; i + SL_LANES <= n; i += SL_LANES)
      reduce_tile(t.a + i, t.b + i, type, in, r, few, first + i, k, act,
                  SL_LANES);
    if (i < n)
      reduce_tile(t.a + i, t.b + i, type, in, r, few, first + i, k, act,
                  (int)(n - i));
  }
  add_up(s->a + first, t.a, n);
  add_up(s->b + first, t.b, n);
}

SL_INLINE void reduce_rows(const sl_norm_sums *s, sl_dtype type,
                           const sl_norm_rows *in, const sl_norm_coefs *k,
                           sl_act act) {
  for (int64_t i = 0; i < in->c; i += CHANNELS)
    reduce_channels(s, type, in, k, act, i, least(CHANNELS, in->c - i));
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
  if (sl_norm_bf16_can(in->type, act))
    sl_norm_bf16_grad(d, in, k, act);
  else
    grad(d, in, k, act);
}
