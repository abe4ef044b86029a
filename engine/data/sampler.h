/* sampler.h -- the order of an epoch, as a pure function of (seed, epoch).
 *
 * No state: resuming at batch b of epoch e is asking for that order again.
 * With several processes (rank of world) the same permutation is dealt out
 * like cards: rank r takes places r, r + world, r + 2 world, ..., so batch b of
 * all ranks together is batch b of one process with a batch world times as
 * large. `even` gives each rank equally many (gradients are exchanged once a
 * step, so all must make the same number of steps): with drop_last the
 * remainder is left out, otherwise it is filled up from the front. */
#ifndef SL_DATA_SAMPLER_H
#define SL_DATA_SAMPLER_H

#include <stdint.h>

#include "base/status.h"

typedef struct sl_sampler {
  int64_t n;     /* items of the set */
  int shuffle;   /* else in order */
  uint64_t seed; /* of the permutations */
  int rank;      /* from 0 */
  int world;     /* processes; 0 counts as 1 */
  int even;      /* each rank equally many: training */
  int drop_last; /* with even: leave the remainder out */
} sl_sampler;

/* How many items this rank has in an epoch. */
int64_t sl_sampler_count(const sl_sampler *s);

/* order[0..count): positions 0..n-1 of this rank's items in this epoch. */
SL_MUST_USE sl_status sl_sampler_order(const sl_sampler *s, uint32_t epoch,
                                       int64_t *order);

#endif
