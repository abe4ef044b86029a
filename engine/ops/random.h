/* random.h -- the global seed, and tensors of random numbers.
 *
 * Each call of a random operation draws from its own stream, named by the
 * global seed and the number of the call. Nothing else enters: the numbers do
 * not depend on threads, on the backend or on what ran in between. With
 *   block(b, item) = philox(seed, counter = {b, SL_RNG_USER, item, call})
 * element j (row-major) of a result is made from
 *   uniform      word w = j%4 of block(j/4, 0):
 *                low + (high - low) * (w >> 8) / 2^24
 *   bernoulli    the same word: (w >> 8) / 2^24 < p
 *   normal       words w0, w1 = j%4 & 2, + 1 of block(j/4, 0), by Box-Muller:
 *                r = sqrt(-2 log((w0 + 1) / 2^32)), a = 2 pi w1 / 2^32; even j
 *                is mean + std r cos(a), odd j is mean + std r sin(a)
 *   randint      words w0, w1 = 2 (j%2), + 1 of block(j/2, 0):
 *                from + floor((w0 2^32 + w1) (to - from + 1) / 2^64)
 *   beta         the stream of item j, read in order by sl_rng_beta
 *   permutation  the stream of item 0, read in order by sl_rng_permutation */
#ifndef SL_OPS_RANDOM_H
#define SL_OPS_RANDOM_H

#include <stdint.h>

#include "ops/op.h"

/* Where the sequence of calls stands. Kept in checkpoints, and put back after
 * trial runs (learning-rate finder). */
typedef struct sl_random_state {
  uint64_t seed;
  uint32_t call; /* number of the next call */
} sl_random_state;

/* Starts over with this seed: the next call is number 0. */
void sl_seed(uint64_t seed);
uint64_t sl_seed_get(void);

/* Takes the next call number. Safe from any thread. */
sl_random_state sl_random_next(void);

sl_random_state sl_random_save(void);
void sl_random_restore(sl_random_state s);

/* The options of the random operations. Infer draws `at`. */
typedef struct sl_random_opts {
  sl_ints shape;
  double low, high;   /* uniform */
  double mean, std;   /* normal */
  double p;           /* bernoulli */
  double a, b;        /* beta */
  int64_t n;          /* permutation */
  int64_t from, to;   /* randint: both included */
  sl_random_state at; /* not an option: this call's stream */
} sl_random_opts;

#endif
