/* dropout.c -- the kernels of ops/dropout.h. Backward does to dy what forward
 * does to x. */
#include "ops/dropout.h"

#include "base/rng.h"
#include "cpu/cpu.h"
#include "cpu/floats.h"

enum { BLOCK = 1024 }; /* elements at a time */

typedef struct job {
  const sl_tensor *from, *to;
  int add;
  uint32_t key[2], call;
  uint32_t threshold; /* 24-bit numbers below it are dropped */
  float scale;
} job;

/* out = v, masked: n elements from number `first` on, a multiple of 4. */
static void mask(const job *j, int64_t first, int64_t n, const float *v,
                 float *out) {
  for (int64_t i = 0; i < n; i += 4) {
    const uint32_t counter[4] = {(uint32_t)((first + i) / 4), SL_RNG_OP, 0,
                                 j->call};
    uint32_t word[4];
    sl_philox(j->key, counter, word);
    for (int64_t k = 0; k < 4 && i + k < n; k++)
      out[i + k] = word[k] >> 8 >= j->threshold ? v[i + k] * j->scale : 0.0f;
  }
}

static void range(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  float buffer[BLOCK], masked[BLOCK];
  for (int64_t i = begin; i < end; i += BLOCK) {
    const int64_t n = end - i < BLOCK ? end - i : BLOCK;
    const float *v = sl_row_get(j->from, i, n, buffer);
    if (j->threshold > 0) {
      mask(j, i, n, v, masked);
      v = masked;
    }
    sl_row_put(j->to, i, n, v, j->add);
  }
}

static sl_status run(const sl_call *c, const sl_tensor *from,
                     const sl_tensor *to, int add) {
  const sl_dropout_opts *o = c->opts;
  job j = {.from = from,
           .to = to,
           .add = add,
           .key = {(uint32_t)o->at.seed, (uint32_t)(o->at.seed >> 32)},
           .call = o->at.call,
           .threshold = (uint32_t)(o->p * 0x1p24),
           .scale = o->p < 1 ? (float)(1 / (1 - o->p)) : 0.0f};
  sl_cpu_ranges(sl_tensor_count(to), range, &j);
  return SL_OK;
}

sl_status sl_cpu_dropout(const sl_call *c) {
  return run(c, c->in[0], c->out[0], 0);
}

sl_status sl_cpu_dropout_grad(const sl_call *c) {
  return run(c, c->dout[0], c->din[0], c->add[0]);
}
