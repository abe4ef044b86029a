/* update_rules.h -- the last line of each update rule: the new p.
 *
 * One element at a time, so that every backend compiles the same text. c: the
 * tensor's coefficients; q: its trust ratio (1 for rules without); m and s are
 * already this step's. Formulas: fastai 2.8's optimizer.py, torch's SGD for
 * nesterov. Adding a rule: a row in update.h, a function here, a row in
 * train/optim_kinds.c. */
#ifndef SL_BACKEND_UPDATE_RULES_H
#define SL_BACKEND_UPDATE_RULES_H

#include <math.h>

#include "backend/update.h"
#include "base/portable.h"

#define SL_RULE SL_PORTABLE

#define SL_RULE_ARGS                                                           \
  const sl_update_coef *c, float q, float p, float g, float m, float s

SL_RULE float sl_rule_sgd(SL_RULE_ARGS) {
  (void)q, (void)m, (void)s;
  return p - c->lr * g;
}

SL_RULE float sl_rule_momentum(SL_RULE_ARGS) {
  (void)q, (void)g, (void)s;
  return p - c->lr * m;
}

SL_RULE float sl_rule_nesterov(SL_RULE_ARGS) {
  (void)q, (void)s;
  return p - c->lr * (g + c->mom * m);
}

SL_RULE float sl_rule_rmsprop(SL_RULE_ARGS) {
  (void)q, (void)m;
  return p - c->lr * g / (sqrtf(s) + c->eps);
}

SL_RULE float sl_rule_rmsprop_avg(SL_RULE_ARGS) {
  (void)q, (void)g;
  return p - c->lr * m / (sqrtf(s) + c->eps);
}

/* lr has 1 / (1 - mom^t) in it; so it has for the next two. */
SL_RULE float sl_rule_adam(SL_RULE_ARGS) {
  (void)q, (void)g;
  return p - c->lr * m / (sqrtf(s * c->sqr_debias) + c->eps);
}

/* lr has the rectification in it too; early steps are plain momentum. */
SL_RULE float sl_rule_radam(SL_RULE_ARGS) {
  (void)q, (void)g;
  const float den = sqrtf(s * c->sqr_debias) + c->eps;
  return p - c->lr * m / (c->flag ? den : 1);
}

/* RAdam with a softplus, ln(1 + e^(beta x)) / beta, around the root. */
SL_RULE float sl_rule_sadam(SL_RULE_ARGS) {
  (void)q, (void)g;
  const float x = c->beta * (sqrtf(s * c->sqr_debias) + c->eps);
  const float den = (x > 20 ? x : log1pf(expf(x))) / c->beta;
  return p - c->lr * m / (c->flag ? den : 1);
}

SL_RULE float sl_rule_qhadam(SL_RULE_ARGS) {
  (void)q;
  const float up = (1 - c->nu1) * g + c->nu1 * m * c->avg_debias;
  const float var = (1 - c->nu2) * g * g + c->nu2 * s * c->sqr_debias;
  return p - c->lr * up / (sqrtf(var) + c->eps);
}

/* --- rules with a trust ratio --------------------------------------------- */

SL_RULE float sl_lamb_step(const sl_update_coef *c, float m, float s) {
  return m * c->avg_debias / (sqrtf(s * c->sqr_debias) + c->eps);
}

SL_RULE float sl_rule_lamb(SL_RULE_ARGS) {
  (void)g;
  return p - c->lr * q * sl_lamb_step(c, m, s);
}

SL_RULE float sl_rule_larc(SL_RULE_ARGS) {
  (void)c, (void)g, (void)s;
  return p - q * m;
}

/* What is squared and summed over the tensor, beside p. */
SL_RULE float sl_trust_measure(sl_rule rule, const sl_update_coef *c, float g,
                               float m, float s) {
  return rule == SL_RULE_lamb ? sl_lamb_step(c, m, s) : g;
}

/* q, from the sums of squares of p and of the above over n elements. */
SL_RULE float sl_trust_ratio(sl_rule rule, const sl_update_coef *c, double p2,
                             double x2, int64_t n) {
  const double p = sqrt(p2), x = sqrt(x2);
  if (rule == SL_RULE_lamb) {
    const double root = sqrt((double)n), r1 = p / root, r2 = x / root;
    return r1 > 0 && r2 > 0 ? (float)fmin(r1 / r2, 10.0) : 1;
  }
  const double local = (double)c->lr * (double)c->trust * p /
                       (x + (double)c->wd * p + (double)c->eps);
  return (float)(c->flag ? fmin((double)c->lr, local) : local);
}

#endif
