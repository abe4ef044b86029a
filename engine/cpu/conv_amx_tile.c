/* conv_amx_tile.c -- see conv_amx_tile.h. */
#include "cpu/conv_amx_tile.h"

#include "cpu/amx.h"
#include "cpu/lanes_bf16.h"

#ifdef __x86_64__

SL_AMX static inline void store_row(const sl_amx_out *o, sl_bf16 *to,
                                    const float *sums, __mmask32 m, __m512 b0,
                                    __m512 b1) {
  __m512 low = _mm512_load_ps(sums), high = _mm512_load_ps(sums + 16);
  if (o->bias) {
    low = _mm512_add_ps(low, b0);
    high = _mm512_add_ps(high, b1);
  }
  if (o->relu) { /* NaN stays: max gives its second argument */
    low = _mm512_max_ps(_mm512_setzero_ps(), low);
    high = _mm512_max_ps(_mm512_setzero_ps(), high);
  }
  if (o->add) {
    __m512 old_low, old_high;
    sl_widen_lanes(_mm512_maskz_loadu_epi16(m, to), &old_low, &old_high);
    low = _mm512_add_ps(low, old_low);
    high = _mm512_add_ps(high, old_high);
  }
  _mm512_mask_storeu_epi16(to, m, sl_narrow_lanes(low, high));
}

/* What is hoisted out of rows. */
typedef struct way_out {
  const sl_amx_out *o;
  const float *sums;
  __mmask32 m;
  __m512 b0, b1;
} way_out;

SL_AMX static inline way_out way_out_of(const sl_amx_out *o,
                                        const float *sums) {
  const __m512 zero = _mm512_setzero_ps();
  way_out w = {o, sums, sl_mask32(o->channels), zero, zero};
  if (!o->bias) return w;
  w.b0 = _mm512_maskz_loadu_ps(sl_mask16(o->channels), o->bias);
  w.b1 = _mm512_maskz_loadu_ps(sl_mask16(o->channels - 16), o->bias + 16);
  return w;
}

/* Rows [begin, end) of a block. */
SL_AMX static inline void store_rows(const way_out *w, int begin, int end) {
  const sl_amx_out *o = w->o;
  for (int i = begin; i < end && i < o->n; i++) {
    const int64_t row = o->table ? o->table[i] : i;
    if (row >= 0)
      store_row(o, o->rows + row * o->row, w->sums + 32 * i, w->m, w->b0,
                w->b1);
  }
}

SL_AMX
void sl_amx_store(const sl_amx_out *o, const float *sums) {
  const way_out w = way_out_of(o, sums);
  store_rows(&w, 0, o->n);
}

/* Of the eight tiles four hold sums, two the input and two the weight: each
 * one that is loaded takes part in two products. While they multiply, the block
 * before goes out, some rows a step. */
SL_AMX
void sl_amx_multiply(const sl_amx_block *b, float *sums,
                     const sl_amx_out *before, const float *before_sums) {
  const int64_t half = 16 * b->place;
  const int rows = before->n, steps = (int)(b->panels * b->taps);
  const int each = steps > 0 ? (rows + steps - 1) / steps : rows;
  const way_out way = way_out_of(before, before_sums);
  const char *w = b->weight;
  int row = 0;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t i = 0; i < b->panels; i++, w += b->skip) {
    for (int64_t t = 0; t < b->taps; t++, w += SL_AMX_WEIGHT_BYTES) {
      const char *a = b->a + i * b->panel + b->tap[t];
      _tile_loadd(6, w, 64);
      _tile_loadd(4, a, b->place);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, w + 1024, 64);
      _tile_dpbf16ps(1, 4, 7);
      _tile_loadd(5, a + half, b->place);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
      if (row < rows) store_rows(&way, row, row + each);
      row += each;
    }
  }
  if (row < rows) store_rows(&way, row, rows); /* no step at all */
  _tile_stored(0, sums, 128);
  _tile_stored(1, sums + 16, 128);
  _tile_stored(2, sums + 512, 128);
  _tile_stored(3, sums + 528, 128);
}

SL_AMX static void pack_plain(const sl_amx_line *l, const sl_bf16 *from,
                              char *to, __mmask32 m) {
  for (int64_t i = 0; i < l->n; i++, from += l->pixel, to += 64)
    _mm512_storeu_si512(to, _mm512_maskz_loadu_epi16(m, from));
}

SL_AMX static void pack_lazy(const sl_amx_line *l, const sl_bf16 *from,
                             char *to, int64_t first, __mmask32 m) {
  const __mmask16 m0 = sl_mask16((int)(l->c - first)),
                  m1 = sl_mask16((int)(l->c - first - 16));
  const __m512 a0 = _mm512_maskz_loadu_ps(m0, l->scale + first);
  const __m512 a1 = _mm512_maskz_loadu_ps(m1, l->scale + first + 16);
  const __m512 b0 = _mm512_maskz_loadu_ps(m0, l->shift + first);
  const __m512 b1 = _mm512_maskz_loadu_ps(m1, l->shift + first + 16);
  const __m512 zero = _mm512_setzero_ps();
  for (int64_t i = 0; i < l->n; i++, from += l->pixel, to += 64) {
    __m512 low, high;
    sl_widen_lanes(_mm512_maskz_loadu_epi16(m, from), &low, &high);
    low = _mm512_fmadd_ps(low, a0, b0);
    high = _mm512_fmadd_ps(high, a1, b1);
    if (l->relu) {
      low = _mm512_max_ps(zero, low);
      high = _mm512_max_ps(zero, high);
    }
    _mm512_storeu_si512(to, sl_narrow_lanes(low, high));
  }
}

SL_AMX
void sl_amx_pack_line(const sl_amx_line *l, char *to, int64_t panel) {
  for (int64_t first = 0; first < l->c; first += 32, to += panel) {
    const __mmask32 m = sl_mask32((int)(l->c - first));
    if (l->scale)
      pack_lazy(l, l->from + first, to, first, m);
    else
      pack_plain(l, l->from + first, to, m);
  }
}

/* Row r of a tile: (row 2r, row 2r + 1) of 16 columns. */
SL_AMX static void interleave(const sl_amx_weight *w, int column, char *to) {
  const __mmask16 m = sl_mask16(w->c - column);
  for (int r = 0; r < 16; r++, to += 64) {
    const float *p = w->from + 2 * r * w->row + column;
    const __mmask16 even = 2 * r < w->o ? m : 0, odd = 2 * r + 1 < w->o ? m : 0;
    const __m512i pairs = sl_narrow_lanes(
        _mm512_maskz_loadu_ps(even, p), _mm512_maskz_loadu_ps(odd, p + w->row));
    const __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(pairs));
    const __m512i high =
        _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(pairs, 1));
    _mm512_storeu_si512(to, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
  }
}

/* Row r of a tile: columns (2r, 2r + 1) of 16 rows. */
SL_AMX static void transpose(const sl_amx_weight *w, int row, char *to) {
  __m512i r[16];
  for (int i = 0; i < 16; i++) {
    const float *p = w->from + (row + i) * w->row;
    const int there = row + i < w->o;
    r[i] = sl_narrow_lanes(
        _mm512_maskz_loadu_ps(there ? sl_mask16(w->c) : 0, p),
        _mm512_maskz_loadu_ps(there ? sl_mask16(w->c - 16) : 0, p + 16));
  }
  sl_amx_transpose(r);
  for (int i = 0; i < 16; i++)
    _mm512_storeu_si512(to + 64 * i, r[i]);
}

SL_AMX
void sl_amx_pack_weight(const sl_amx_weight *w, char *to) {
  for (int i = 0; i < 2; i++)
    if (w->pairs_of_o)
      interleave(w, 16 * i, to + 1024 * i);
    else
      transpose(w, 16 * i, to + 1024 * i);
}

#else /* never called: sl_amx_usable says no */

void sl_amx_multiply(const sl_amx_block *b, float *sums,
                     const sl_amx_out *before, const float *before_sums) {
  (void)b, (void)sums, (void)before, (void)before_sums;
}

void sl_amx_store(const sl_amx_out *o, const float *sums) {
  (void)o, (void)sums;
}

void sl_amx_pack_line(const sl_amx_line *l, char *to, int64_t panel) {
  (void)l, (void)to, (void)panel;
}

void sl_amx_pack_weight(const sl_amx_weight *w, char *to) {
  (void)w, (void)to;
}

#endif
