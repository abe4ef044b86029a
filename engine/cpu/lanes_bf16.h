/* lanes_bf16.h -- 32 bf16 as two times sixteen floats and back, on a processor
 * that rounds to bf16 itself (to nearest even; numbers that are not normal
 * become 0). */
#ifndef SL_CPU_LANES_BF16_H
#define SL_CPU_LANES_BF16_H

#ifdef __x86_64__
#include <immintrin.h>

#define SL_BF16_LANES                                                          \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

/* The first n lanes: all from 32 (16) on, none below 1. */
SL_BF16_LANES static inline __mmask32 sl_mask32(int n) {
  return n >= 32 ? 0xffffffffU : (1U << (n > 0 ? n : 0)) - 1;
}

SL_BF16_LANES static inline __mmask16 sl_mask16(int n) {
  return n >= 16 ? (__mmask16)0xffff : (__mmask16)((1U << (n > 0 ? n : 0)) - 1);
}

SL_BF16_LANES static inline void sl_widen_lanes(__m512i v, __m512 *low,
                                                __m512 *high) {
  *low = _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(v)), 16));
  *high = _mm512_castsi512_ps(_mm512_slli_epi32(
      _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(v, 1)), 16));
}

SL_BF16_LANES static inline __m512i sl_narrow_lanes(__m512 low, __m512 high) {
  return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}
#endif

#endif
