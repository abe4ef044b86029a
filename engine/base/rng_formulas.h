/* rng_formulas.h -- the random numbers of rng.h, as C and CUDA compile them:
 * rng.c gives these functions names, kernels call them as they are. */
#ifndef SL_BASE_RNG_FORMULAS_H
#define SL_BASE_RNG_FORMULAS_H

#include <math.h>

#include "base/portable.h"
#include "base/rng.h"

SL_PORTABLE void sl_draw_philox(const uint32_t key[2],
                                const uint32_t counter[4], uint32_t out[4]) {
  uint32_t k0 = key[0], k1 = key[1];
  uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
  for (int round = 0; round < 10; round++) {
    const uint64_t a = (uint64_t)0xD2511F53u * c[0];
    const uint64_t b = (uint64_t)0xCD9E8D57u * c[2];
    const uint32_t c1 = c[1], c3 = c[3];
    c[0] = (uint32_t)(b >> 32) ^ c1 ^ k0;
    c[1] = (uint32_t)b;
    c[2] = (uint32_t)(a >> 32) ^ c3 ^ k1;
    c[3] = (uint32_t)a;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < 4; i++)
    out[i] = c[i];
}

SL_PORTABLE uint32_t sl_draw_u32(sl_rng *r) {
  if (r->used == 4) {
    sl_draw_philox(r->key, r->counter, r->block);
    r->counter[0]++;
    r->used = 0;
  }
  return r->block[r->used++];
}

SL_PORTABLE double sl_draw_uniform64(sl_rng *r) {
  const uint64_t hi = sl_draw_u32(r) >> 5, lo = sl_draw_u32(r) >> 6;
  return (double)(hi << 26 | lo) * 0x1p-53;
}

/* Rejects the incomplete last interval, so that no value is favoured. */
SL_PORTABLE int64_t sl_draw_below(sl_rng *r, int64_t n) {
  const uint64_t range = (uint64_t)n, limit = UINT64_MAX - UINT64_MAX % range;
  uint64_t v;
  do {
    v = (uint64_t)sl_draw_u32(r) << 32;
    v |= sl_draw_u32(r);
  } while (v >= limit);
  return (int64_t)(v % range);
}

/* Johnk's method, in logs so that tiny shape parameters do not underflow. */
SL_PORTABLE double sl_draw_beta_johnk(sl_rng *r, double a, double b) {
  for (;;) {
    const double lx = log(1 - sl_draw_uniform64(r)) / a;
    const double ly = log(1 - sl_draw_uniform64(r)) / b;
    const double top = fmax(lx, ly);
    const double lsum = top + log(exp(lx - top) + exp(ly - top));
    if (lsum <= 0) return exp(lx - lsum);
  }
}

/* Cheng's algorithm BB (1978), for min(a, b) > 1. */
SL_PORTABLE double sl_draw_beta_cheng(sl_rng *r, double a, double b) {
  const double lo = fmin(a, b), hi = fmax(a, b), sum = lo + hi;
  const double beta = sqrt((sum - 2) / (2 * lo * hi - sum));
  const double gamma = lo + 1 / beta;
  for (;;) {
    const double u1 = 1 - sl_draw_uniform64(r), u2 = 1 - sl_draw_uniform64(r);
    const double v = beta * log(u1 / (1 - u1 + 0x1p-60));
    const double w = lo * exp(v), z = u1 * u1 * u2;
    const double s = lo + gamma * v - 1.3862943611198906 - w;
    if (sum * log(sum / (hi + w)) + gamma * v - 1.3862943611198906 >= log(z) ||
        s + 2.6094379124341003 >= 5 * z)
      return (a == lo ? w : hi) / (hi + w);
  }
}

SL_PORTABLE double sl_draw_beta(sl_rng *r, double a, double b) {
  return fmin(a, b) > 1 ? sl_draw_beta_cheng(r, a, b)
                        : sl_draw_beta_johnk(r, a, b);
}

SL_PORTABLE void sl_draw_permutation(sl_rng *r, int64_t n, int64_t *out) {
  for (int64_t i = 0; i < n; i++)
    out[i] = i;
  for (int64_t i = n - 1; i > 0; i--) {
    const int64_t j = sl_draw_below(r, i + 1), keep = out[i];
    out[i] = out[j];
    out[j] = keep;
  }
}

#endif
