/* random.cu -- random numbers: element by element those of the CPU, as
 * ops/random.h and ops/dropout.h say which word makes which. */
#include "cuda/device.h"

extern "C" {
#include "base/rng_formulas.h"
}

CU_DEVICE sl_rng stream(const cu_random &r, uint32_t item) {
  sl_rng g;
  g.key[0] = (uint32_t)r.seed;
  g.key[1] = (uint32_t)(r.seed >> 32);
  g.counter[0] = 0;
  g.counter[1] = SL_RNG_USER;
  g.counter[2] = item;
  g.counter[3] = r.call;
  g.used = 4;
  return g;
}

CU_DEVICE void words(const cu_random &r, int64_t block, uint32_t w[4]) {
  sl_rng g = stream(r, 0);
  g.counter[0] = (uint32_t)block;
  sl_draw_philox(g.key, g.counter, w);
}

CU_DEVICE double fraction(uint32_t w) {
  return (double)((float)(w >> 8) * 0x1p-24f);
}

CU_DEVICE float normal_of(const cu_random &r, const uint32_t *pair, int odd) {
  const double radius = sqrt(-2 * log(((double)pair[0] + 1) * 0x1p-32));
  const double angle =
      6.283185307179586476925286766559 * (double)pair[1] * 0x1p-32;
  return (float)(r.a + r.b * radius * (odd ? sin(angle) : cos(angle)));
}

/* Those that make four elements of a block, a thread for each block. */
#define WORDWISE(name, value)                                                  \
  CU_KERNEL(CU_THREADS) name##_fill(cu_random r, float *y, int64_t n) {        \
    CU_EACH(j, (n + 3) / 4) {                                                  \
      uint32_t w[4];                                                           \
      words(r, j, w);                                                          \
      for (int k = 0; k < 4 && 4 * j + k < n; k++)                             \
        y[4 * j + k] = (float)(value);                                         \
    }                                                                          \
  }                                                                            \
  extern "C" int cu_##name(const cu_random *r, void *out, int64_t n,           \
                           cudaStream_t s) {                                   \
    if (n == 0) return cudaSuccess;                                            \
    return CU_LAUNCH(name##_fill, cu_blocks((n + 3) / 4), CU_THREADS, 0, s,    \
                     *r, (float *)out, n);                                     \
  }
WORDWISE(uniform, r.a + (r.b - r.a) * fraction(w[k]))
WORDWISE(bernoulli, fraction(w[k]) < r.a)
WORDWISE(normal, normal_of(r, w + (k & 2), k & 1))

/* range is at most 2^32, so neither product passes 64 bits. */
CU_KERNEL(CU_THREADS) randint_fill(cu_random r, int32_t *y, int64_t n) {
  const uint64_t range = (uint64_t)(r.to - r.from) + 1;
  CU_EACH(j, n) {
    uint32_t w[4];
    words(r, j / 2, w);
    const uint64_t high = w[2 * (j % 2)], low = w[2 * (j % 2) + 1];
    const uint64_t carry = low * range >> 32;
    y[j] = (int32_t)(r.from + (int64_t)((high * range + carry) >> 32));
  }
}

extern "C" int cu_randint(const cu_random *r, void *out, int64_t n,
                          cudaStream_t s) {
  if (n == 0) return cudaSuccess;
  return CU_LAUNCH(randint_fill, cu_blocks(n), CU_THREADS, 0, s, *r,
                   (int32_t *)out, n);
}

CU_KERNEL(CU_THREADS) beta_fill(cu_random r, float *y, int64_t n) {
  CU_EACH(j, n) {
    sl_rng g = stream(r, (uint32_t)j);
    y[j] = (float)sl_draw_beta(&g, r.a, r.b);
  }
}

extern "C" int cu_beta(const cu_random *r, void *out, int64_t n,
                       cudaStream_t s) {
  if (n == 0) return cudaSuccess;
  return CU_LAUNCH(beta_fill, cu_blocks(n), CU_THREADS, 0, s, *r, (float *)out,
                   n);
}

/* One thread: each swap depends on the one before. */
CU_KERNEL(32)
permutation_fill(cu_random r, int32_t *y, int64_t *order, int64_t n) {
  if (threadIdx.x > 0) return;
  sl_rng g = stream(r, 0);
  sl_draw_permutation(&g, n, order);
  for (int64_t i = 0; i < n; i++)
    y[i] = (int32_t)(order[i] + 1);
}

extern "C" int cu_permutation(const cu_random *r, void *out, int64_t *order,
                              int64_t n, cudaStream_t s) {
  if (n == 0) return cudaSuccess;
  return CU_LAUNCH(permutation_fill, 1, 32, 0, s, *r, (int32_t *)out, order, n);
}

/* --- dropout -------------------------------------------------------------- */

CU_KERNEL(CU_THREADS)
dropout(cu_dropout d, int64_t n, int from_dtype, const void *from, int to_dtype,
        void *to, int add) {
  const uint32_t key[2] = {(uint32_t)d.seed, (uint32_t)(d.seed >> 32)};
  CU_EACH(j, (n + 3) / 4) {
    const uint32_t counter[4] = {(uint32_t)j, SL_RNG_OP, 0, d.call};
    uint32_t w[4] = {0};
    if (d.threshold > 0) sl_draw_philox(key, counter, w);
    for (int k = 0; k < 4 && 4 * j + k < n; k++) {
      const float v = cu_load(from, from_dtype, 4 * j + k);
      const float kept = d.threshold == 0           ? v
                         : w[k] >> 8 >= d.threshold ? v * d.scale
                                                    : 0.0f;
      cu_store(to, to_dtype, 4 * j + k, kept, add);
    }
  }
}

extern "C" int cu_dropout_run(const cu_dropout *d, int64_t n, int from_dtype,
                              const void *from, int to_dtype, void *to, int add,
                              cudaStream_t s) {
  if (n == 0) return cudaSuccess;
  return CU_LAUNCH(dropout, cu_blocks((n + 3) / 4), CU_THREADS, 0, s, *d, n,
                   from_dtype, from, to_dtype, to, add);
}
