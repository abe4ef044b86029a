/* weigh.c -- see weigh.h. The same loop, compiled for wider vectors too. */
#include "data/weigh.h"

enum { BLOCK = 48 }; /* accumulators that fit in registers */

#define INLINE static inline __attribute__((always_inline))

INLINE void block(const uint8_t *in, ptrdiff_t stride, const int32_t *k,
                  int taps, uint8_t *out, int n) {
  int32_t sum[BLOCK];
  for (int i = 0; i < n; i++)
    sum[i] = 1 << (SL_WEIGHT_BITS - 1);
  for (int t = 0; t < taps; t++)
    for (int i = 0; i < n; i++)
      sum[i] += k[t] * in[t * stride + i];
  for (int i = 0; i < n; i++)
    out[i] = (uint8_t)(sum[i] >> SL_WEIGHT_BITS);
}

INLINE void rows(const uint8_t *in, ptrdiff_t stride, const int32_t *k,
                 int taps, uint8_t *out, int n) {
  int i = 0;
  for (; i + BLOCK <= n; i += BLOCK)
    block(in + i, stride, k, taps, out + i, BLOCK);
  if (i < n) block(in + i, stride, k, taps, out + i, n - i);
}

static void plain(const uint8_t *in, ptrdiff_t stride, const int32_t *k,
                  int taps, uint8_t *out, int n) {
  rows(in, stride, k, taps, out, n);
}

#if defined(__x86_64__)
/* 32-bit multiplication of vectors came with SSE4.1: it is worth asking. */
__attribute__((target("avx2"))) static void avx2(const uint8_t *in,
                                                 ptrdiff_t stride,
                                                 const int32_t *k, int taps,
                                                 uint8_t *out, int n) {
  rows(in, stride, k, taps, out, n);
}
#endif

sl_weigh *sl_weigh_best(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return avx2;
#endif
  return plain;
}
