/* random.c -- kernels of the random operations: see ops/random.h. */
#include "ops/random.h"

#include <math.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/threads.h"
#include "cpu/cpu.h"
#include "cpu/rows.h"

static const double two_pi = 6.283185307179586476925286766559;

/* Fills elements [begin, end) of out; begin is a multiple of 4. */
typedef void fill_work(const sl_random_opts *o, sl_tensor *out, int64_t begin,
                       int64_t end);

typedef struct job {
  const sl_random_opts *o;
  sl_tensor *out;
  fill_work *fill;
} job;

static void share(void *context, int worker, int n_workers) {
  const job *j = context;
  int64_t begin, end;
  sl_share(sl_tensor_count(j->out), 4096, worker, n_workers, &begin, &end);
  if (begin < end) j->fill(j->o, j->out, begin, end);
}

static sl_status fill(const sl_call *c, fill_work *f) {
  job j = {c->opts, c->out[0], f};
  if (sl_tensor_count(c->out[0]) > SL_PARALLEL_MIN)
    sl_parallel(share, &j);
  else
    share(&j, 0, 1);
  return SL_OK;
}

static void block(const sl_random_opts *o, int64_t number, uint32_t w[4]) {
  sl_rng r = sl_rng_at(o->at.seed, o->at.call, 0, SL_RNG_USER);
  r.counter[0] = (uint32_t)number;
  sl_philox(r.key, r.counter, w);
}

static float fraction(uint32_t w) {
  return (float)(w >> 8) * 0x1p-24f;
}

/* The three that make one element of one word, four of a block. */
#define WORDWISE(name, type, data, value)                                      \
  static void fill_##name(const sl_random_opts *o, sl_tensor *out,             \
                          int64_t begin, int64_t end) {                        \
    type *y = data(out);                                                       \
    for (int64_t j = begin; j < end; j += 4) {                                 \
      uint32_t w[4];                                                           \
      block(o, j / 4, w);                                                      \
      for (int k = 0; k < 4 && j + k < end; k++)                               \
        y[j + k] = (type)(value);                                              \
    }                                                                          \
  }                                                                            \
  sl_status sl_cpu_##name(const sl_call *c) {                                  \
    return fill(c, fill_##name);                                               \
  }

static float normal(const sl_random_opts *o, const uint32_t *pair, int odd) {
  const double r = sqrt(-2 * log(((double)pair[0] + 1) * 0x1p-32));
  const double angle = two_pi * (double)pair[1] * 0x1p-32;
  return (float)(o->mean + o->std * r * (odd ? sin(angle) : cos(angle)));
}

WORDWISE(uniform, float, sl_f32,
         o->low + (o->high - o->low) * (double)fraction(w[k]))
WORDWISE(bernoulli, float, sl_f32, (double)fraction(w[k]) < o->p)
WORDWISE(normal, float, sl_f32, normal(o, w + (k & 2), k & 1))

/* range is at most 2^32, so neither product passes 64 bits. */
static void fill_randint(const sl_random_opts *o, sl_tensor *out, int64_t begin,
                         int64_t end) {
  const uint64_t range = (uint64_t)(o->to - o->from) + 1;
  int32_t *y = sl_i32(out);
  for (int64_t j = begin; j < end; j++) {
    uint32_t w[4];
    block(o, j / 2, w);
    const uint64_t high = w[2 * (j % 2)], low = w[2 * (j % 2) + 1];
    const uint64_t carry = low * range >> 32;
    y[j] = (int32_t)(o->from + (int64_t)((high * range + carry) >> 32));
  }
}

sl_status sl_cpu_randint(const sl_call *c) {
  return fill(c, fill_randint);
}

static void fill_beta(const sl_random_opts *o, sl_tensor *out, int64_t begin,
                      int64_t end) {
  for (int64_t j = begin; j < end; j++) {
    sl_rng r = sl_rng_at(o->at.seed, o->at.call, (uint32_t)j, SL_RNG_USER);
    sl_f32(out)[j] = (float)sl_rng_beta(&r, o->a, o->b);
  }
}

sl_status sl_cpu_beta(const sl_call *c) {
  return fill(c, fill_beta);
}

sl_status sl_cpu_permutation(const sl_call *c) {
  const sl_random_opts *o = c->opts;
  int64_t *order = sl_alloc_data((size_t)(o->n + 1) * sizeof *order);
  SL_REQUIRE(order, SL_ENOMEM, "no memory for a permutation of %lld",
             (long long)o->n);
  sl_rng r = sl_rng_at(o->at.seed, o->at.call, 0, SL_RNG_USER);
  sl_rng_permutation(&r, o->n, order);
  for (int64_t i = 0; i < o->n; i++)
    sl_i32(c->out[0])[i] = (int32_t)(order[i] + 1);
  sl_free_data(order);
  return SL_OK;
}
