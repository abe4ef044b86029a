/* wgrad_pack.c -- see wgrad_pack.h. */
#include "cpu/wgrad_pack.h"

#include <string.h>

#include "cpu/lanes_bf16.h"
#include "cpu/typed.h"

/* Sixteen channels of one row; n of them are there. */
SL_INLINE void pack_f32(float *to, const float *a, int n) {
  sl_v16 v;
  sl_load(&v, a, n);
  sl_store(to, &v, SL_LANES);
}

/* Channels left from i on, at most sixteen. */
SL_INLINE int left(const sl_packing *p, int64_t i) {
  const int64_t n = p->c - i;
  return n > SL_LANES ? SL_LANES : n > 0 ? (int)n : 0;
}

/* Runs PACK(i, panel, at) for each sixteen channels: from channel i of the row
 * to lane `at` of the panel that begins at that element. */
#define EACH_BLOCK(p, row, PACK)                                               \
  for (int64_t i = 0, panel = 0; i < (p)->c_padded; panel += (p)->stride) {    \
    const int64_t at = (row) * (p)->width - i;                                 \
    for (const int64_t end = i + (p)->width; i < end; i += SL_LANES)           \
      PACK(i, panel, at + i);                                                  \
  }

SL_SIMD
static void pack_single_rows(const sl_packing *p, int64_t first,
                             const float *from, int64_t n) {
  float *to = (float *)(void *)p->to;
  for (int64_t r = 0; r < n; r++) {
    const float *a = from + r * p->c;
#define WHOLE(i, panel, at) pack_f32(to + (panel) + (at), a + (i), SL_LANES)
#define PART(i, panel, at)  pack_f32(to + (panel) + (at), a + (i), left(p, i))
    if (p->c == p->c_padded)
      EACH_BLOCK(p, first + r, WHOLE)
    else
      EACH_BLOCK(p, first + r, PART)
#undef WHOLE
#undef PART
  }
}

/* bf16 is packed only where the processor has AVX-512 for it (wgrad.h). */
#ifdef __x86_64__
/* Sixteen channels of a row; 0 where there are none. */
SL_BF16_LANES static inline __m256i half(const sl_bf16 *from, __mmask16 m) {
  return _mm256_maskz_loadu_epi16(m, from);
}

/* The same normalised. */
SL_BF16_LANES static inline __m512 normalised(const sl_bf16 *from, __mmask16 m,
                                              __m512 scale, __m512 shift,
                                              int relu) {
  const __m512 v = _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(half(from, m)), 16));
  const __m512 pre = _mm512_fmadd_ps(v, scale, shift);
  return relu ? _mm512_max_ps(_mm512_setzero_ps(), pre) : pre; /* NaN stays */
}

/* Rows a and b, `step` elements from pair to pair; b NULL: zeros. */
typedef struct pairs {
  const sl_bf16 *a, *b;
  int64_t step, n;
} pairs;

/* Sixteen channels from i on. */
SL_BF16_LANES static void pack_plain(const sl_packing *p, sl_bf16 *to,
                                     const pairs *r, int64_t i) {
  const __mmask16 m = sl_mask16(left(p, i)), mb = r->b ? m : 0;
  const sl_bf16 *a = r->a + i, *b = (r->b ? r->b : r->a) + i;
  for (int64_t k = 0; k < r->n; k++, to += 2 * p->width) {
    const __m512i low = _mm512_cvtepu16_epi32(half(a + k * r->step, m));
    const __m512i high = _mm512_cvtepu16_epi32(half(b + k * r->step, mb));
    _mm512_storeu_si512(to, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
  }
}

SL_BF16_LANES static void pack_lazy(const sl_packing *p, sl_bf16 *to,
                                    const pairs *r, int64_t i) {
  const __mmask16 m = sl_mask16(left(p, i));
  const __m512 scale = _mm512_maskz_loadu_ps(m, p->scale + i);
  const __m512 shift = _mm512_maskz_loadu_ps(m, p->shift + i);
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11,
                                         26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  for (int64_t k = 0; k < r->n; k++, to += 2 * p->width) {
    const int64_t at = k * r->step + i;
    const __m512 low = normalised(r->a + at, m, scale, shift, p->relu);
    const __m512 high = r->b ? normalised(r->b + at, m, scale, shift, p->relu)
                             : _mm512_setzero_ps();
    _mm512_storeu_si512(
        to, _mm512_permutexvar_epi16(order, sl_narrow_lanes(low, high)));
  }
}

void sl_pack_pairs(const sl_packing *p, int64_t first, const sl_bf16 *a,
                   const sl_bf16 *b, int64_t step, int64_t n) {
  enum { ROWS = 8 }; /* at a time: they stay in the first cache */
  for (int64_t r = 0; r < n; r += ROWS)
    for (int64_t i = 0; i < p->c_padded; i += SL_LANES) {
      const pairs rows = {a + r * step, b ? b + r * step : NULL, step,
                          n - r < ROWS ? n - r : ROWS};
      sl_bf16 *to = (sl_bf16 *)(void *)p->to + i / p->width * p->stride +
                    2 * ((first + r) * p->width + i % p->width);
      if (p->scale)
        pack_lazy(p, to, &rows, i);
      else
        pack_plain(p, to, &rows, i);
    }
}
#else
void sl_pack_pairs(const sl_packing *p, int64_t first, const sl_bf16 *a,
                   const sl_bf16 *b, int64_t step, int64_t n) {
  (void)p, (void)first, (void)a, (void)b, (void)step, (void)n; /* no call */
}
#endif

/* (What is compiled for several processors must be static: see simd.h.) */
void sl_pack_singles(const sl_packing *p, int64_t first, const float *from,
                     int64_t n) {
  pack_single_rows(p, first, from, n);
}

void sl_pack_adjacent(const sl_packing *p, int64_t first, int64_t n,
                      const sl_bf16 *from) {
  sl_pack_pairs(p, first / 2, from, from + p->c, 2 * p->c, n / 2);
  if (n % 2)
    sl_pack_pairs(p, (first + n) / 2, from + (n - 1) * p->c, NULL, 0, 1);
}

void sl_pack_zeros(const sl_packing *p, int64_t first, int64_t n) {
  const int64_t row = 2 * p->width;
  sl_bf16 *to = (sl_bf16 *)(void *)p->to + first * row;
  for (int64_t i = 0; i < p->c_padded; i += p->width, to += p->stride)
    memset(to, 0, (size_t)(n * row) * sizeof *to);
}
