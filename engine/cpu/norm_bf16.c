/* norm_bf16.c -- see norm_bf16.h. 32 channels of a few rows at a time, so that
 * coefficients are loaded once for them. */
#include "cpu/norm_bf16.h"

#include "cpu/lanes_bf16.h"
#include "cpu/wgrad_tile.h"

int sl_norm_bf16_can(sl_dtype type, sl_act act) {
  return type == SL_BF16 && act <= SL_ACT_RELU && sl_wgrad_supported(SL_BF16);
}

#ifdef __x86_64__

enum { ROWS = 8, WIDTH = 32 };

/* A channel's number and what is left of a row there. */
typedef struct columns {
  int64_t at;
  __mmask32 m;
  __mmask16 low, high;
} columns;

SL_BF16_LANES static inline columns columns_at(int64_t at, int64_t c) {
  const int n = c - at > WIDTH ? WIDTH : (int)(c - at);
  return (columns){at, sl_mask32(n), sl_mask16(n), sl_mask16(n - 16)};
}

/* 32 floats. */
typedef struct lanes {
  __m512 low, high;
} lanes;

SL_BF16_LANES static inline lanes coefs_at(const float *p, const columns *c) {
  return (lanes){_mm512_maskz_loadu_ps(c->low, p + c->at),
                 _mm512_maskz_loadu_ps(c->high, p + c->at + 16)};
}

SL_BF16_LANES static inline lanes values_at(const sl_bf16 *p,
                                            const columns *c) {
  lanes v;
  sl_widen_lanes(_mm512_maskz_loadu_epi16(c->m, p), &v.low, &v.high);
  return v;
}

SL_BF16_LANES static inline lanes fma_lanes(lanes a, lanes b, lanes c) {
  return (lanes){_mm512_fmadd_ps(a.low, b.low, c.low),
                 _mm512_fmadd_ps(a.high, b.high, c.high)};
}

SL_BF16_LANES static inline lanes add_lanes(lanes a, lanes b) {
  return (lanes){_mm512_add_ps(a.low, b.low), _mm512_add_ps(a.high, b.high)};
}

/* p = v, or += v */
SL_BF16_LANES static inline void put(sl_bf16 *p, const columns *c, lanes v,
                                     int add) {
  if (add) v = add_lanes(v, values_at(p, c));
  _mm512_mask_storeu_epi16(p, c->m, sl_narrow_lanes(v.low, v.high));
}

SL_BF16_LANES static inline lanes pre_at(const columns *c, lanes y,
                                         const sl_bf16 *residual, lanes scale,
                                         lanes shift) {
  const lanes pre = fma_lanes(y, scale, shift);
  return residual ? add_lanes(pre, values_at(residual, c)) : pre;
}

/* --- forward -------------------------------------------------------------- */

/* One group of rows, from element o on. */
SL_BF16_LANES static inline void
apply_rows(sl_bf16 *z, const sl_bf16 *y, const sl_bf16 *residual, int64_t rows,
           int64_t c, const float *scale, const float *shift, int relu) {
  const __m512 zero = _mm512_setzero_ps();
  for (int64_t i = 0; i < c; i += WIDTH) {
    const columns at = columns_at(i, c);
    const lanes a = coefs_at(scale, &at), b = coefs_at(shift, &at);
    for (int64_t o = i; o < rows * c; o += c) {
      lanes v = pre_at(&at, values_at(y + o, &at),
                       residual ? residual + o : NULL, a, b);
      if (relu) { /* NaN stays: max gives its second argument */
        v.low = _mm512_max_ps(zero, v.low);
        v.high = _mm512_max_ps(zero, v.high);
      }
      put(z + o, &at, v, 0);
    }
  }
}

SL_BF16_LANES
void sl_norm_bf16_apply(sl_bf16 *z, const sl_bf16 *y, const sl_bf16 *residual,
                        int64_t rows, int64_t c, const float *scale,
                        const float *shift, sl_act act) {
  for (int64_t r = 0; r < rows; r += ROWS) {
    const int64_t n = rows - r < ROWS ? rows - r : ROWS, o = r * c;
    if (residual)
      apply_rows(z + o, y + o, residual + o, n, c, scale, shift,
                 act == SL_ACT_RELU);
    else
      apply_rows(z + o, y + o, NULL, n, c, scale, shift, act == SL_ACT_RELU);
  }
}

/* --- backward ------------------------------------------------------------- */

/* A group of rows: pointers may be NULL as in sl_norm_rows, sl_norm_dout. */
typedef struct rows_of {
  const sl_bf16 *dz, *y, *residual;
  sl_bf16 *dy, *dresidual;
  int add_dy, add_dresidual;
  int64_t n, c;
} rows_of;

SL_BF16_LANES static inline void
grad_columns(const rows_of *j, int64_t i, const sl_norm_coefs *k, int relu) {
  const columns at = columns_at(i, j->c);
  const __m512 zero = _mm512_setzero_ps();
  const lanes a = coefs_at(k->scale, &at), b = coefs_at(k->shift, &at);
  const lanes k0 = coefs_at(k->k0, &at), k1 = coefs_at(k->k1, &at);
  const lanes mean = coefs_at(k->mean, &at);
  for (int64_t o = i; o < j->n * j->c; o += j->c) {
    const lanes y = values_at(j->y + o, &at);
    lanes g = values_at(j->dz + o, &at);
    if (relu) {
      const lanes pre =
          pre_at(&at, y, j->residual ? j->residual + o : NULL, a, b);
      g.low = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(pre.low, zero, _CMP_GT_OQ),
                                  g.low);
      g.high = _mm512_maskz_mov_ps(
          _mm512_cmp_ps_mask(pre.high, zero, _CMP_GT_OQ), g.high);
    }
    if (j->dy) {
      const lanes off = {_mm512_sub_ps(y.low, mean.low),
                         _mm512_sub_ps(y.high, mean.high)};
      put(j->dy + o, &at, fma_lanes(g, a, fma_lanes(off, k1, k0)), j->add_dy);
    }
    if (j->dresidual) put(j->dresidual + o, &at, g, j->add_dresidual);
  }
}

SL_BF16_LANES static void grad_rows(const rows_of *j, const sl_norm_coefs *k,
                                    int relu) {
  for (int64_t i = 0; i < j->c; i += WIDTH)
    grad_columns(j, i, k, relu);
}

static const sl_bf16 *ahead(const void *p, int64_t n) {
  return p ? (const sl_bf16 *)p + n : NULL;
}

static sl_bf16 *ahead_to(void *p, int64_t n) {
  return p ? (sl_bf16 *)p + n : NULL;
}

void sl_norm_bf16_grad(const sl_norm_dout *d, const sl_norm_rows *in,
                       const sl_norm_coefs *k, sl_act act) {
  for (int64_t r = 0; r < in->rows; r += ROWS) {
    const int64_t o = r * in->c;
    const rows_of j = {.dz = ahead(in->dz, o),
                       .y = ahead(in->y, o),
                       .residual = ahead(in->residual, o),
                       .dy = ahead_to(d->dy, o),
                       .dresidual = ahead_to(d->dresidual, o),
                       .add_dy = d->add_dy,
                       .add_dresidual = d->add_dresidual,
                       .n = in->rows - r < ROWS ? in->rows - r : ROWS,
                       .c = in->c};
    grad_rows(&j, k, act == SL_ACT_RELU);
  }
}

#else /* never called: sl_norm_bf16_can says no */

void sl_norm_bf16_apply(sl_bf16 *z, const sl_bf16 *y, const sl_bf16 *residual,
                        int64_t rows, int64_t c, const float *scale,
                        const float *shift, sl_act act) {
  (void)z, (void)y, (void)residual, (void)rows, (void)c, (void)scale;
  (void)shift, (void)act;
}

void sl_norm_bf16_grad(const sl_norm_dout *d, const sl_norm_rows *in,
                       const sl_norm_coefs *k, sl_act act) {
  (void)d, (void)in, (void)k, (void)act;
}

#endif
