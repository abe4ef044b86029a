/* rng.h -- random numbers as a pure function of where they are used.
 *
 * A stream is named by (seed, epoch, item, use): whoever opens the same name
 * draws the same numbers, on any thread, in any order of work. That is why a
 * batch does not depend on the number of loader workers, and why resuming in
 * the middle of an epoch costs nothing. The generator is Philox4x32-10
 * (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), which
 * the CUDA backend has too.
 *
 * sl_mt is something else: MT19937 as torch.randperm uses it, for splits that
 * must equal fastai's. */
#ifndef SL_BASE_RNG_H
#define SL_BASE_RNG_H

#include <stdint.h>

/* What a stream is used for: two uses never share numbers. */
typedef enum sl_rng_use {
  SL_RNG_USER,          /* sota.rand and friends */
  SL_RNG_INIT,          /* initial weights */
  SL_RNG_SHUFFLE,       /* order of the training items */
  SL_RNG_ITEM,          /* item transforms: + index of the transform */
  SL_RNG_BATCH = 0x100, /* batch transforms: + index of the transform */
  SL_RNG_OP = 0x200,    /* dropout and the like */
  SL_RNG_MIX = 0x300,   /* mixup, cutmix */
} sl_rng_use;

typedef struct sl_rng {
  uint32_t key[2];     /* the seed */
  uint32_t counter[4]; /* block number, use, item, epoch */
  uint32_t block[4];
  int used; /* words of block already given out */
} sl_rng;

/* Opens the stream (seed, epoch, item, use). */
sl_rng sl_rng_at(uint64_t seed, uint32_t epoch, uint32_t item, uint32_t use);

/* One Philox block: out = philox(key, counter). Same as on the GPU. */
void sl_philox(const uint32_t key[2], const uint32_t counter[4],
               uint32_t out[4]);

uint32_t sl_rng_u32(sl_rng *r);
float sl_rng_uniform(sl_rng *r);                      /* [0, 1), 24 bits */
double sl_rng_uniform64(sl_rng *r);                   /* [0, 1), 53 bits */
double sl_rng_range(sl_rng *r, double lo, double hi); /* [lo, hi) */
int64_t sl_rng_below(sl_rng *r, int64_t n); /* 0..n-1, unbiased; n >= 1 */
double sl_rng_beta(sl_rng *r, double a, double b); /* Johnk / Cheng BB */

/* A permutation of 0..n-1 (Fisher-Yates from the top). */
void sl_rng_permutation(sl_rng *r, int64_t n, int64_t *out);

typedef struct sl_mt {
  uint32_t state[624];
  int index;
} sl_mt;

void sl_mt_seed(sl_mt *m, uint32_t seed); /* init_genrand */
uint32_t sl_mt_u32(sl_mt *m);

/* torch.manual_seed(seed); torch.randperm(n): 0-based, n < 2^32 / 20. */
void sl_torch_randperm(uint32_t seed, int64_t n, int64_t *out);

#endif
