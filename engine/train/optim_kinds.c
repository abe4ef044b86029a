/* optim_kinds.c -- the optimisers: names, defaults, coefficients.
 *
 * Defaults and formulas are fastai 2.8's (tests/golden/optimizers.json). The
 * element-wise half of each rule is in backend/update_rules.h. */
#include <math.h>
#include <string.h>

#include "train/optim.h"

static const char *const hyper_names[SL_HYPER_COUNT] = {
    "lr", "mom", "sqr_mom", "eps", "wd", "beta", "nu_1", "nu_2", "trust_coeff",
};

const char *sl_hyper_name(sl_hyper h) {
  return hyper_names[h];
}

int sl_hyper_find(const char *name) {
  for (int h = 0; h < SL_HYPER_COUNT; h++)
    if (!strcmp(name, hyper_names[h])) return h;
  return -1;
}

/* --- which rule ------------------------------------------------------------
 */

/* As in fastai, an optimiser made with mom = 0 keeps no average, whatever a
 * schedule sets mom to later. */
static sl_rule sgd_rule(const sl_optim_options *o) {
  if (o->hyper[SL_MOM] == 0) return SL_RULE_sgd;
  return o->nesterov ? SL_RULE_nesterov : SL_RULE_momentum;
}

static sl_rule rmsprop_rule(const sl_optim_options *o) {
  return o->hyper[SL_MOM] == 0 ? SL_RULE_rmsprop : SL_RULE_rmsprop_avg;
}

static sl_rule adam_rule(const sl_optim_options *o) {
  (void)o;
  return SL_RULE_adam;
}

static sl_rule radam_rule(const sl_optim_options *o) {
  return o->hyper[SL_BETA] > 0 ? SL_RULE_sadam : SL_RULE_radam;
}

static sl_rule qhadam_rule(const sl_optim_options *o) {
  (void)o;
  return SL_RULE_qhadam;
}

static sl_rule lamb_rule(const sl_optim_options *o) {
  (void)o;
  return SL_RULE_lamb;
}

static sl_rule larc_rule(const sl_optim_options *o) {
  (void)o;
  return SL_RULE_larc;
}

/* --- coefficients of one step ----------------------------------------------
 */

static double debias(double mom, int64_t t) {
  return 1 / (1 - pow(mom, (double)t));
}

static void adam(sl_update_coef *c, const double *h, const sl_optim_options *o,
                 int64_t t) {
  (void)o;
  c->lr = (float)(h[SL_LR] * debias(h[SL_MOM], t));
  c->sqr_debias = (float)debias(h[SL_SQR_MOM], t);
}

/* The variance of the adaptive rate is rectified once it can be (r > 5):
 *   r_inf = 2 / (1 - b) - 1,  r = r_inf - 2 t b^t / (1 - b^t),  b = sqr_mom
 *   v = sqrt((r - 4)(r - 2) r_inf / ((r_inf - 4)(r_inf - 2) r)) */
static void radam(sl_update_coef *c, const double *h, const sl_optim_options *o,
                  int64_t t) {
  adam(c, h, o, t);
  const double b = h[SL_SQR_MOM], bt = pow(b, (double)t);
  const double r_inf = 2 / (1 - b) - 1;
  const double r = r_inf - 2 * (double)t * bt / (1 - bt);
  c->beta = (float)h[SL_BETA];
  c->flag = r > 5;
  if (!c->flag) return;
  const double v =
      sqrt((r - 4) * (r - 2) * r_inf / ((r_inf - 4) * (r_inf - 2) * r));
  c->lr = (float)(h[SL_LR] * debias(h[SL_MOM], t) * v);
}

static void qhadam(sl_update_coef *c, const double *h,
                   const sl_optim_options *o, int64_t t) {
  (void)o;
  c->avg_debias = (float)debias(h[SL_MOM], t);
  c->sqr_debias = (float)debias(h[SL_SQR_MOM], t);
  c->nu1 = (float)h[SL_NU_1];
  c->nu2 = (float)h[SL_NU_2];
}

static void lamb(sl_update_coef *c, const double *h, const sl_optim_options *o,
                 int64_t t) {
  (void)o;
  c->avg_debias = (float)debias(h[SL_MOM], t);
  c->sqr_debias = (float)debias(h[SL_SQR_MOM], t);
}

static void larc(sl_update_coef *c, const double *h, const sl_optim_options *o,
                 int64_t t) {
  (void)t;
  c->trust = (float)h[SL_TRUST_COEFF];
  c->wd = (float)h[SL_WD];
  c->flag = o->clip;
}

/* --- the table -------------------------------------------------------------
 */

#define BIT(h) (1u << SL_##h)

enum { /* which hyperparameters */
       PLAIN = BIT(LR) | BIT(MOM) | BIT(WD),
       ADAM = PLAIN | BIT(SQR_MOM) | BIT(EPS),
};

#define ADAM_DEFAULTS(mom, sqr_mom, eps, wd)                                   \
  .hyper = {                                                                   \
      [SL_LR] = 1e-3, [SL_MOM] = mom,  [SL_SQR_MOM] = sqr_mom, [SL_EPS] = eps, \
      [SL_WD] = wd,   [SL_NU_1] = 0.7, [SL_NU_2] = 1}
#define LARC_DEFAULTS                                                          \
  .hyper = {[SL_LR] = 1e-3,                                                    \
            [SL_MOM] = 0.9,                                                    \
            [SL_EPS] = 1e-8,                                                   \
            [SL_TRUST_COEFF] = 0.02}

static const sl_optim_kind kinds[] = {
    {"SGD",
     "stochastic gradient descent, with momentum or nesterov",
     PLAIN,
     {.hyper = {[SL_LR] = 1e-3}},
     1,
     sgd_rule,
     NULL},
    {"RMSProp",
     "steps divided by a running root mean square",
     ADAM,
     {ADAM_DEFAULTS(0, 0.99, 1e-8, 0)},
     1,
     rmsprop_rule,
     NULL},
    {"Adam",
     "Adam with decoupled weight decay (l2 = true: the classic one)",
     ADAM,
     {ADAM_DEFAULTS(0.9, 0.99, 1e-5, 0.01)},
     0,
     adam_rule,
     adam},
    {"AdamW",
     "another name of Adam, whose weight decay is decoupled here",
     ADAM,
     {ADAM_DEFAULTS(0.9, 0.99, 1e-5, 0.01)},
     0,
     adam_rule,
     adam},
    {"RAdam",
     "Adam that starts as momentum until its variance is known",
     ADAM | BIT(BETA),
     {ADAM_DEFAULTS(0.9, 0.99, 1e-5, 0)},
     0,
     radam_rule,
     radam},
    {"QHAdam",
     "Adam with steps between gradient and average",
     ADAM | BIT(NU_1) | BIT(NU_2),
     {ADAM_DEFAULTS(0.999, 0.999, 1e-8, 0)},
     0,
     qhadam_rule,
     qhadam},
    {"Lamb",
     "Adam with a trust ratio per tensor, for large batches",
     ADAM,
     {ADAM_DEFAULTS(0.9, 0.99, 1e-5, 0)},
     0,
     lamb_rule,
     lamb},
    {"Larc",
     "momentum with a local rate per tensor, at most lr",
     PLAIN | BIT(EPS) | BIT(TRUST_COEFF),
     {LARC_DEFAULTS, .clip = 1},
     1,
     larc_rule,
     larc},
    {"Lars",
     "Larc without the limit",
     PLAIN | BIT(EPS) | BIT(TRUST_COEFF),
     {LARC_DEFAULTS},
     1,
     larc_rule,
     larc},
    {"ranger",
     "RAdam with Lookahead",
     ADAM | BIT(BETA),
     {ADAM_DEFAULTS(0.95, 0.99, 1e-6, 0.01), .k = 6, .alpha = 0.5},
     0,
     radam_rule,
     radam},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

const sl_optim_kind *sl_optim_kind_at(int i) {
  return i >= 0 && i < N_KINDS ? &kinds[i] : NULL;
}

const sl_optim_kind *sl_optim_kind_find(const char *name) {
  for (int i = 0; i < N_KINDS; i++)
    if (!strcmp(name, kinds[i].name)) return &kinds[i];
  sl_fail(SL_EINVAL,
          "no optimiser '%s': there are SGD, RMSProp, Adam, AdamW, RAdam, "
          "QHAdam, Lamb, Larc, Lars and ranger",
          name);
  return NULL;
}

void sl_optim_defaults(const sl_optim_kind *kind, sl_optim_options *o) {
  *o = kind->defaults;
  if (o->alpha <= 0) o->alpha = 0.5; /* for Lookahead around any of them */
}
