/* rng.c -- see rng.h. */
#include "base/rng.h"

#include <math.h>
#include <string.h>

void sl_philox(const uint32_t key[2], const uint32_t counter[4],
               uint32_t out[4]) {
  uint32_t k0 = key[0], k1 = key[1], c[4];
  memcpy(c, counter, sizeof c);
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
  memcpy(out, c, sizeof c);
}

sl_rng sl_rng_at(uint64_t seed, uint32_t epoch, uint32_t item, uint32_t use) {
  return (sl_rng){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                  .counter = {0, use, item, epoch},
                  .used = 4};
}

uint32_t sl_rng_u32(sl_rng *r) {
  if (r->used == 4) {
    sl_philox(r->key, r->counter, r->block);
    r->counter[0]++;
    r->used = 0;
  }
  return r->block[r->used++];
}

float sl_rng_uniform(sl_rng *r) {
  return (float)(sl_rng_u32(r) >> 8) * 0x1p-24f;
}

double sl_rng_uniform64(sl_rng *r) {
  const uint64_t hi = sl_rng_u32(r) >> 5, lo = sl_rng_u32(r) >> 6;
  return (double)(hi << 26 | lo) * 0x1p-53;
}

double sl_rng_range(sl_rng *r, double lo, double hi) {
  return lo + (hi - lo) * sl_rng_uniform64(r);
}

/* Rejects the incomplete last interval, so that no value is favoured. */
int64_t sl_rng_below(sl_rng *r, int64_t n) {
  const uint64_t range = (uint64_t)n, limit = UINT64_MAX - UINT64_MAX % range;
  uint64_t v;
  do {
    v = (uint64_t)sl_rng_u32(r) << 32;
    v |= sl_rng_u32(r);
  } while (v >= limit);
  return (int64_t)(v % range);
}

/* Johnk's method, in logs so that tiny shape parameters do not underflow. */
static double beta_johnk(sl_rng *r, double a, double b) {
  for (;;) {
    const double lx = log(1 - sl_rng_uniform64(r)) / a;
    const double ly = log(1 - sl_rng_uniform64(r)) / b;
    const double top = fmax(lx, ly);
    const double lsum = top + log(exp(lx - top) + exp(ly - top));
    if (lsum <= 0) return exp(lx - lsum);
  }
}

/* Cheng's algorithm BB (1978), for min(a, b) > 1. */
static double beta_cheng(sl_rng *r, double a, double b) {
  const double lo = fmin(a, b), hi = fmax(a, b), sum = lo + hi;
  const double beta = sqrt((sum - 2) / (2 * lo * hi - sum));
  const double gamma = lo + 1 / beta;
  for (;;) {
    const double u1 = 1 - sl_rng_uniform64(r), u2 = 1 - sl_rng_uniform64(r);
    const double v = beta * log(u1 / (1 - u1 + 0x1p-60));
    const double w = lo * exp(v), z = u1 * u1 * u2;
    const double s = lo + gamma * v - 1.3862943611198906 - w;
    if (sum * log(sum / (hi + w)) + gamma * v - 1.3862943611198906 >= log(z) ||
        s + 2.6094379124341003 >= 5 * z)
      return (a == lo ? w : hi) / (hi + w);
  }
}

double sl_rng_beta(sl_rng *r, double a, double b) {
  return fmin(a, b) > 1 ? beta_cheng(r, a, b) : beta_johnk(r, a, b);
}

void sl_rng_permutation(sl_rng *r, int64_t n, int64_t *out) {
  for (int64_t i = 0; i < n; i++)
    out[i] = i;
  for (int64_t i = n - 1; i > 0; i--) {
    const int64_t j = sl_rng_below(r, i + 1), keep = out[i];
    out[i] = out[j];
    out[j] = keep;
  }
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
