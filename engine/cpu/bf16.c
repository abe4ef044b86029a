/* bf16.c -- see bf16.h. */
#include "cpu/bf16.h"

#include "cpu/typed.h"

static int lanes(int64_t left) {
  return left < SL_LANES ? (int)left : SL_LANES;
}

SL_SIMD
static void widen(float *to, const sl_bf16 *from, int64_t n) {
  sl_v16 v;
  int64_t i = 0;
  for (; i + SL_LANES <= n; i += SL_LANES) {
    sl_get(&v, SL_BF16, from, i, SL_LANES);
    sl_store(to + i, &v, SL_LANES);
  }
  if (i == n) return;
  sl_get(&v, SL_BF16, from, i, lanes(n - i));
  sl_store(to + i, &v, lanes(n - i));
}

SL_SIMD
static void round_or_add(sl_bf16 *to, const float *from, int64_t n, int add) {
  sl_v16 v;
  int64_t i = 0;
  for (; i + SL_LANES <= n; i += SL_LANES) {
    sl_load(&v, from + i, SL_LANES);
    sl_put_or_add(SL_BF16, to, i, &v, add, SL_LANES);
  }
  if (i == n) return;
  sl_load(&v, from + i, lanes(n - i));
  sl_put_or_add(SL_BF16, to, i, &v, add, lanes(n - i));
}

void sl_bf16_widen(float *to, const sl_bf16 *from, int64_t n) {
  widen(to, from, n);
}

void sl_bf16_round(sl_bf16 *to, const float *from, int64_t n) {
  round_or_add(to, from, n, 0);
}

void sl_bf16_add(sl_bf16 *to, const float *from, int64_t n) {
  round_or_add(to, from, n, 1);
}
