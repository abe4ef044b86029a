/* sampler.c -- see sampler.h. */
#include "data/sampler.h"

#include "base/alloc.h"
#include "base/rng.h"

static int world_of(const sl_sampler *s) {
  return s->world > 0 ? s->world : 1;
}

int64_t sl_sampler_count(const sl_sampler *s) {
  const int64_t world = world_of(s), whole = s->n / world, rest = s->n % world;
  if (!s->even) return whole + (s->rank < rest);
  return whole + (rest > 0 && !s->drop_last);
}

sl_status sl_sampler_order(const sl_sampler *s, uint32_t epoch,
                           int64_t *order) {
  const int64_t count = sl_sampler_count(s), world = world_of(s);
  if (!s->shuffle) {
    for (int64_t i = 0; i < count; i++)
      order[i] = (s->rank + i * world) % s->n;
    return SL_OK;
  }
  int64_t *perm = sl_alloc((size_t)s->n, sizeof *perm);
  SL_REQUIRE(perm, SL_ENOMEM, "no memory to shuffle %lld items",
             (long long)s->n);
  sl_rng rng = sl_rng_at(s->seed, epoch, 0, SL_RNG_SHUFFLE);
  sl_rng_permutation(&rng, s->n, perm);
  for (int64_t i = 0; i < count; i++)
    order[i] = perm[(s->rank + i * world) % s->n];
  sl_free(perm);
  return SL_OK;
}
