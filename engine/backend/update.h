/* update.h -- one optimiser step, as a backend sees it.
 *
 * train/optim.c turns hyperparameters into coefficients, one set per tensor;
 * the backend's `update` then makes a single pass over every tensor:
 *     p = decay * p              decoupled weight decay
 *     g = grad_scale * g + l2 * p
 *     m = mom * m + damp * g     if the rule keeps a gradient average
 *     s = sqr_mom * s + sqr_damp * g * g      ... an average of squares
 *     p = rule(p, g, m, s)       update_rules.h
 *     every k-th step: slow += alpha * (p - slow), p = slow      Lookahead
 * Rules that scale by norms of a whole tensor (trust ratios) take a second
 * pass. */
#ifndef SL_BACKEND_UPDATE_H
#define SL_BACKEND_UPDATE_H

#include <stdint.h>

/* Which averages a rule keeps. */
enum { SL_KEEPS_AVG = 1, SL_KEEPS_SQR = 2 };

/* Each rule: X(name, averages it keeps, 1 if it has a trust ratio). */
#define SL_UPDATE_RULES(X)                                                     \
  X(sgd, 0, 0)                                                                 \
  X(momentum, SL_KEEPS_AVG, 0)                                                 \
  X(nesterov, SL_KEEPS_AVG, 0)                                                 \
  X(rmsprop, SL_KEEPS_SQR, 0)                                                  \
  X(rmsprop_avg, SL_KEEPS_AVG | SL_KEEPS_SQR, 0)                               \
  X(adam, SL_KEEPS_AVG | SL_KEEPS_SQR, 0)                                      \
  X(radam, SL_KEEPS_AVG | SL_KEEPS_SQR, 0)                                     \
  X(sadam, SL_KEEPS_AVG | SL_KEEPS_SQR, 0)                                     \
  X(qhadam, SL_KEEPS_AVG | SL_KEEPS_SQR, 0)                                    \
  X(lamb, SL_KEEPS_AVG | SL_KEEPS_SQR, 1)                                      \
  X(larc, SL_KEEPS_AVG, 1)

#define X(name, keeps, trust) SL_RULE_##name,
typedef enum sl_rule { SL_UPDATE_RULES(X) SL_RULE_COUNT } sl_rule;
#undef X

typedef struct sl_update_coef {
  float decay, l2, grad_scale;
  float mom, damp, sqr_mom, sqr_damp;
  float lr;                     /* what the rule multiplies its step with */
  float avg_debias, sqr_debias; /* m * avg_debias is unbiased; s likewise */
  float eps, nu1, nu2, beta;    /* see the rules that use them */
  float trust, wd;              /* larc */
  int flag;                     /* radam: rectified; larc: clip at lr */
} sl_update_coef;

typedef struct sl_update_item {
  int64_t n;
  float *p;
  const float *g;
  float *m, *s; /* NULL where the rule keeps none */
  float *slow;  /* Lookahead's copy; NULL: none, or not this step */
  sl_update_coef c;
} sl_update_item;

typedef struct sl_update {
  sl_rule rule;
  float alpha; /* of Lookahead */
  const sl_update_item *items;
  int n_items;
} sl_update;

/* A running average over many tensors, the backend's `average`:
 *     a = keep * a + (1 - keep) * b          keep 0: a copy, whatever a was */
typedef struct sl_average_item {
  int64_t n;
  float *a;
  const float *b;
} sl_average_item;

typedef struct sl_average {
  double keep;
  const sl_average_item *items;
  int n_items;
} sl_average;

#endif
