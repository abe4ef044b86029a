/* wgrad_pack.c -- see wgrad_pack.h. */
#include "cpu/wgrad_pack.h"

#include <string.h>

#include "cpu/typed.h"

/* Sixteen channels of one row; n of them are there. */
SL_INLINE void pack_f32(float *to, const float *a, int n) {
  sl_v16 v;
  sl_load(&v, a, n);
  sl_store(to, &v, SL_LANES);
}

SL_INLINE void load_half(sl_h16 *h, const sl_bf16 *p, int n) {
  if (!p || n < SL_LANES) *h = (sl_h16){0};
  if (p) memcpy(h, p, (size_t)n * sizeof *p);
}

/* Sixteen channels of two rows, interleaved; b NULL: with zeros. */
SL_INLINE void pack_bf16(sl_bf16 *to, const sl_bf16 *a, const sl_bf16 *b,
                         int n) {
  sl_h16 low, high;
  load_half(&low, a, n);
  load_half(&high, b, n);
  const sl_h32 both = __builtin_shufflevector(
      low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24,
      9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  memcpy(to, &both, sizeof both);
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

SL_SIMD
static void pack_row_pairs(const sl_packing *p, int64_t first, const sl_bf16 *a,
                           const sl_bf16 *b, int64_t step, int64_t n) {
  sl_bf16 *to = (sl_bf16 *)(void *)p->to;
  for (int64_t r = 0; r < n; r++) {
    const sl_bf16 *c = a + r * step, *d = b ? b + r * step : NULL;
#define WHOLE(i, panel, at)                                                    \
  pack_bf16(to + (panel) + 2 * (at), c + (i), d + (i), SL_LANES)
#define PART(i, panel, at)                                                     \
  pack_bf16(to + (panel) + 2 * (at), c + (i), d ? d + (i) : NULL, left(p, i))
    if (d && p->c == p->c_padded)
      EACH_BLOCK(p, first + r, WHOLE)
    else
      EACH_BLOCK(p, first + r, PART)
#undef WHOLE
#undef PART
  }
}

/* (What is compiled for several processors must be static: see simd.h.) */
void sl_pack_singles(const sl_packing *p, int64_t first, const float *from,
                     int64_t n) {
  pack_single_rows(p, first, from, n);
}

void sl_pack_pairs(const sl_packing *p, int64_t first, const sl_bf16 *a,
                   const sl_bf16 *b, int64_t step, int64_t n) {
  pack_row_pairs(p, first, a, b, step, n);
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
