/* update.c -- the optimiser step and the gradients' norm on the CPU.
 *
 * All tensors together are cut into blocks of BLOCK elements, and the blocks
 * shared out. Sums are kept per block and added in order, so that the number
 * of threads does not change a bit of the result. */
#include <math.h>

#include "backend/update_rules.h"
#include "base/alloc.h"
#include "base/threads.h"
#include "cpu/cpu.h"

/* A block of all five arrays (80 KiB) stays in the second-level cache. */
enum { BLOCK = 4096, LANES = 8 };

typedef struct block_sums {
  double p2, x2;
} block_sums;

typedef enum phase { ALL, MEASURE, APPLY, NORM } phase;

typedef struct pass {
  const sl_update *u;
  phase phase;
  block_sums *sums;   /* per block; NULL in ALL */
  const float *ratio; /* per item; NULL: 1 */
  int64_t n_blocks;
} pass;

/* A block of an item: the item's arrays from the block's first element. */
typedef struct block {
  const sl_update_item *item;
  int64_t at, n;
} block;

static int64_t blocks_of(const sl_update_item *it) {
  return (it->n + BLOCK - 1) / BLOCK;
}

/* --- averages, and the whole step in one pass ------------------------------
 */

/* The arrays are distinct, which lets the compiler vectorise; `keeps` is a
 * constant where this is inlined. */
static inline __attribute__((always_inline)) void
averages(const sl_update_coef *c, int keeps, float *p, float *g, float *m,
         float *s) {
  *p *= c->decay;
  *g = *g * c->grad_scale + c->l2 * *p;
  if (keeps & SL_KEEPS_AVG) *m = c->mom * *m + c->damp * *g;
  if (keeps & SL_KEEPS_SQR) *s = c->sqr_mom * *s + c->sqr_damp * *g * *g;
}

typedef void step_loop(const sl_update_coef *c, float q, int64_t n,
                       float *restrict p, const float *restrict g,
                       float *restrict m, float *restrict s);

#define X(name, keeps, trust)                                                  \
  static void step_##name(const sl_update_coef *c, float q, int64_t n,         \
                          float *restrict p, const float *restrict g,          \
                          float *restrict m, float *restrict s) {              \
    const sl_update_coef k = *c;                                               \
    for (int64_t i = 0; i < n; i++) {                                          \
      float pi = p[i], gi = g[i];                                              \
      float mi = (keeps)&SL_KEEPS_AVG ? m[i] : 0;                              \
      float si = (keeps)&SL_KEEPS_SQR ? s[i] : 0;                              \
      if (!(trust)) averages(&k, keeps, &pi, &gi, &mi, &si);                   \
      p[i] = sl_rule_##name(&k, q, pi, gi, mi, si);                            \
      if (!(trust) && (keeps)&SL_KEEPS_AVG) m[i] = mi;                         \
      if (!(trust) && (keeps)&SL_KEEPS_SQR) s[i] = si;                         \
    }                                                                          \
  }
SL_UPDATE_RULES(X)
#undef X

#define X(name, keeps, trust) [SL_RULE_##name] = step_##name,
static step_loop *const step_loops[SL_RULE_COUNT] = {SL_UPDATE_RULES(X)};
#undef X

#define X(name, keeps, trust) [SL_RULE_##name] = (trust),
static const char has_trust[SL_RULE_COUNT] = {SL_UPDATE_RULES(X)};
#undef X

static float *from(float *array, int64_t at) {
  return array ? array + at : NULL;
}

static void look_ahead(float alpha, int64_t n, float *restrict p,
                       float *restrict slow) {
  for (int64_t i = 0; i < n; i++) {
    slow[i] += alpha * (p[i] - slow[i]);
    p[i] = slow[i];
  }
}

static void step(const pass *w, block b, float q) {
  const sl_update_item *it = b.item;
  float *p = it->p + b.at;
  step_loops[w->u->rule](&it->c, q, b.n, p, it->g + b.at, from(it->m, b.at),
                         from(it->s, b.at));
  if (it->slow) look_ahead(w->u->alpha, b.n, p, it->slow + b.at);
}

/* --- sums ------------------------------------------------------------------
 */

/* First pass of a rule with a trust ratio: decay and averages, and the sums
 * of squares that the ratio is made of. rule and keeps are constants where
 * this is inlined; s is NULL where the rule keeps no squares. */
static inline __attribute__((always_inline)) block_sums
measure_as(sl_rule rule, int keeps, const sl_update_coef *coef, int64_t n,
           float *restrict p, const float *restrict g, float *restrict m,
           float *restrict s) {
  const sl_update_coef c = *coef;
  double p2[LANES] = {0}, x2[LANES] = {0};
  for (int64_t i = 0; i < n; i += LANES) {
    const int lanes = n - i < LANES ? (int)(n - i) : LANES;
    for (int l = 0; l < lanes; l++) {
      float pi = p[i + l], gi = g[i + l], mi = m[i + l];
      float si = keeps & SL_KEEPS_SQR ? s[i + l] : 0;
      averages(&c, keeps, &pi, &gi, &mi, &si);
      p[i + l] = pi;
      m[i + l] = mi;
      if (keeps & SL_KEEPS_SQR) s[i + l] = si;
      const double x = (double)sl_trust_measure(rule, &c, gi, mi, si);
      p2[l] += (double)pi * (double)pi;
      x2[l] += x * x;
    }
  }
  block_sums sum = {0, 0};
  for (int l = 0; l < LANES; l++) {
    sum.p2 += p2[l];
    sum.x2 += x2[l];
  }
  return sum;
}

static block_sums measure(const pass *w, block b) {
  const sl_update_item *it = b.item;
  float *p = it->p + b.at, *m = it->m + b.at, *s = from(it->s, b.at);
  const float *g = it->g + b.at;
  if (w->u->rule == SL_RULE_lamb)
    return measure_as(SL_RULE_lamb, SL_KEEPS_AVG | SL_KEEPS_SQR, &it->c, b.n, p,
                      g, m, s);
  return measure_as(SL_RULE_larc, SL_KEEPS_AVG, &it->c, b.n, p, g, m, NULL);
}

/* Every step asks for it (sl_optim_check), so a block is summed in floats, in
 * as many lanes as hide the latency of an addition. A gradient whose square is
 * no float makes it infinite. */
static double squares(const float *g, int64_t n) {
  enum { WIDE = 64 };
  float lane[WIDE] = {0};
  double sum = 0;
  int64_t i = 0;
  for (; i + WIDE <= n; i += WIDE)
    for (int l = 0; l < WIDE; l++)
      lane[l] += g[i + l] * g[i + l];
  for (; i < n; i++)
    sum += (double)(g[i] * g[i]);
  for (int l = 0; l < WIDE; l++)
    sum += (double)lane[l];
  return sum;
}

/* --- blocks, shared out ----------------------------------------------------
 */

static void run_block(const pass *w, int64_t index, int item, block b) {
  switch (w->phase) {
  case ALL:
    step(w, b, 1);
    break;
  case APPLY:
    step(w, b, w->ratio[item]);
    break;
  case MEASURE:
    w->sums[index] = measure(w, b);
    break;
  case NORM:
    w->sums[index].x2 = squares(b.item->g + b.at, b.n);
    break;
  }
}

static void run_blocks(void *context, int worker, int n_workers) {
  const pass *w = context;
  int64_t begin, end, first = 0;
  sl_share(w->n_blocks, 1, worker, n_workers, &begin, &end);
  for (int t = 0; t < w->u->n_items && first < end; t++) {
    const sl_update_item *it = &w->u->items[t];
    const int64_t n = blocks_of(it);
    for (int64_t k = begin > first ? begin - first : 0;
         k < n && first + k < end; k++) {
      const int64_t at = k * BLOCK, left = it->n - at;
      run_block(w, first + k, t, (block){it, at, left < BLOCK ? left : BLOCK});
    }
    first += n;
  }
}

static void run_pass(pass *w) {
  if (w->n_blocks < 4) {
    run_blocks(w, 0, 1);
  } else {
    sl_parallel(run_blocks, w);
  }
}

static int64_t count_blocks(const sl_update *u) {
  int64_t n = 0;
  for (int t = 0; t < u->n_items; t++)
    n += blocks_of(&u->items[t]);
  return n;
}

static void ratios(const pass *w, float *ratio) {
  const block_sums *sum = w->sums;
  for (int t = 0; t < w->u->n_items; t++) {
    const sl_update_item *it = &w->u->items[t];
    block_sums all = {0, 0};
    for (int64_t k = blocks_of(it); k > 0; k--, sum++) {
      all.p2 += sum->p2;
      all.x2 += sum->x2;
    }
    ratio[t] = sl_trust_ratio(w->u->rule, &it->c, all.p2, all.x2, it->n);
  }
}

static sl_status two_passes(pass *w) {
  block_sums *sums = sl_alloc((size_t)w->n_blocks + 1, sizeof *sums);
  float *ratio = sl_alloc((size_t)w->u->n_items + 1, sizeof *ratio);
  const int ok = sums && ratio;
  if (ok) {
    w->sums = sums;
    w->phase = MEASURE;
    run_pass(w);
    ratios(w, ratio);
    w->ratio = ratio;
    w->phase = APPLY;
    run_pass(w);
  }
  sl_free(sums);
  sl_free(ratio);
  return ok ? SL_OK : sl_fail(SL_ENOMEM, "out of memory in an optimiser step");
}

sl_status sl_cpu_update(const sl_update *u) {
  pass w = {.u = u, .phase = ALL, .n_blocks = count_blocks(u)};
  if (has_trust[u->rule]) return two_passes(&w);
  run_pass(&w);
  return SL_OK;
}

sl_status sl_cpu_grad_squares(const sl_update *u, double *sum) {
  pass w = {.u = u, .phase = NORM, .n_blocks = count_blocks(u)};
  w.sums = sl_alloc((size_t)w.n_blocks + 1, sizeof *w.sums);
  SL_REQUIRE(w.sums, SL_ENOMEM, "out of memory for the norm of the gradients");
  run_pass(&w);
  *sum = 0;
  for (int64_t k = 0; k < w.n_blocks; k++)
    *sum += w.sums[k].x2;
  sl_free(w.sums);
  return SL_OK;
}
