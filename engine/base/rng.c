/* rng.c -- see rng.h. */
#include "base/rng.h"

#include "base/rng_formulas.h"

void sl_philox(const uint32_t key[2], const uint32_t counter[4],
               uint32_t out[4]) {
  sl_draw_philox(key, counter, out);
}

sl_rng sl_rng_at(uint64_t seed, uint32_t epoch, uint32_t item, uint32_t use) {
  return (sl_rng){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                  .counter = {0, use, item, epoch},
                  .used = 4};
}

uint32_t sl_rng_u32(sl_rng *r) {
  return sl_draw_u32(r);
}

float sl_rng_uniform(sl_rng *r) {
  return (float)(sl_rng_u32(r) >> 8) * 0x1p-24f;
}

double sl_rng_uniform64(sl_rng *r) {
  return sl_draw_uniform64(r);
}

double sl_rng_range(sl_rng *r, double lo, double hi) {
  return lo + (hi - lo) * sl_rng_uniform64(r);
}

int64_t sl_rng_below(sl_rng *r, int64_t n) {
  return sl_draw_below(r, n);
}

double sl_rng_beta(sl_rng *r, double a, double b) {
  return sl_draw_beta(r, a, b);
}

void sl_rng_permutation(sl_rng *r, int64_t n, int64_t *out) {
  sl_draw_permutation(r, n, out);
}

void sl_mt_seed(sl_mt *m, uint32_t seed) {
  m->state[0] = seed;
  for (uint32_t i = 1; i < 624; i++) {
    const uint32_t last = m->state[i - 1];
    m->state[i] = 1812433253u * (last ^ (last >> 30)) + i;
  }
  m->index = 624;
}

static void mt_refill(sl_mt *m) {
  for (int i = 0; i < 624; i++) {
    const uint32_t y =
        (m->state[i] & 0x80000000u) | (m->state[(i + 1) % 624] & 0x7fffffffu);
    m->state[i] =
        m->state[(i + 397) % 624] ^ (y >> 1) ^ ((y & 1) ? 0x9908b0dfu : 0);
  }
  m->index = 0;
}

uint32_t sl_mt_u32(sl_mt *m) {
  if (m->index == 624) mt_refill(m);
  uint32_t y = m->state[m->index++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

void sl_torch_randperm(uint32_t seed, int64_t n, int64_t *out) {
  sl_mt m;
  sl_mt_seed(&m, seed);
  for (int64_t i = 0; i < n; i++)
    out[i] = i;
  for (int64_t i = 0; i < n - 1; i++) {
    const int64_t j = i + sl_mt_u32(&m) % (n - i), keep = out[i];
    out[i] = out[j];
    out[j] = keep;
  }
}
