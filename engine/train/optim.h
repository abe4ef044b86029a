/* optim.h -- optimisers: parameters in groups, hyperparameters, state.
 *
 * An optimiser holds parameters (f32 leaves), each in one of a few groups;
 * each group has its own hyperparameters, which may change before any step.
 * All gradients lie in one flat f32 arena (ops/tape.h: sl_grad_place).
 *
 * A step updates every parameter that requires a gradient and has one since
 * the last zero_grad. The others are left alone: not moved, not decayed. (In
 * fastai a frozen parameter with an old gradient still decays.)
 *
 * Weight decay is decoupled unless l2 is set, and applies where do_wd is set;
 * see backend/update.h for the order of things. */
#ifndef SL_TRAIN_OPTIM_H
#define SL_TRAIN_OPTIM_H

#include "backend/update.h"
#include "tensor/tensor.h"

typedef enum sl_hyper {
  SL_LR,
  SL_MOM,
  SL_SQR_MOM,
  SL_EPS,
  SL_WD,
  SL_BETA,
  SL_NU_1,
  SL_NU_2,
  SL_TRUST_COEFF,
  SL_HYPER_COUNT
} sl_hyper;

const char *sl_hyper_name(sl_hyper h); /* "sqr_mom" */
int sl_hyper_find(const char *name);   /* -1: no such hyperparameter */

typedef struct sl_optim_kind sl_optim_kind;

/* What an optimiser is made from; sl_optim_defaults fills it. */
typedef struct sl_optim_options {
  double hyper[SL_HYPER_COUNT];
  int l2;       /* add wd * p to the gradient, rather than shrink p */
  int nesterov; /* SGD */
  int clip;     /* Larc: the local rate is never above lr */
  int k;        /* Lookahead: every k steps; 0: none */
  double alpha; /* Lookahead: share of the way */
} sl_optim_options;

/* One row of the table in optim_kinds.c. */
struct sl_optim_kind {
  const char *name, *help;
  unsigned hypers; /* bit h: it has the hyperparameter h */
  sl_optim_options defaults;
  int raw_avg; /* m = mom * m + g, without the factor 1 - mom */
  sl_rule (*rule)(const sl_optim_options *o);
  /* Adds what is the optimiser's own to the coefficients; t counts from 1. */
  void (*prepare)(sl_update_coef *c, const double *hyper,
                  const sl_optim_options *o, int64_t t);
};

/* NULL, with a message that lists the names, when there is none. */
const sl_optim_kind *sl_optim_kind_find(const char *name);
const sl_optim_kind *sl_optim_kind_at(int i); /* NULL past the last */
void sl_optim_defaults(const sl_optim_kind *kind, sl_optim_options *o);

typedef struct sl_optim_param {
  const char *name;  /* "0.0.weight": in messages and checkpoints; copied */
  sl_tensor *tensor; /* f32 and contiguous; retained */
  int group;         /* from 0; groups are 0..largest */
  int do_wd;         /* 0 for biases and norm layers */
} sl_optim_param;

typedef struct sl_optim sl_optim;

/* Gives every parameter its place in a new gradient arena. Empty groups, and
 * parameters on different backends, are errors. */
SL_MUST_USE sl_status sl_optim_new(sl_optim **out, const sl_optim_kind *kind,
                                   const sl_optim_options *options,
                                   const sl_optim_param *params, int n);
void sl_optim_free(sl_optim *o); /* NULL is allowed */

const sl_optim_kind *sl_optim_kind_of(const sl_optim *o);
int sl_optim_groups(const sl_optim *o);
int sl_optim_params(const sl_optim *o);
sl_optim_param sl_optim_param_at(const sl_optim *o, int i); /* borrowed */

/* group -1: all groups. A hyperparameter that the optimiser does not have is
 * stored and ignored, so that schedules of mom fit every optimiser. */
void sl_optim_set(sl_optim *o, int group, sl_hyper h, double value);
double sl_optim_get(const sl_optim *o, int group, sl_hyper h);

SL_MUST_USE sl_status sl_optim_step(sl_optim *o);

/* Forgets all gradients, and what scale and clip asked for. */
void sl_optim_zero_grad(sl_optim *o);

/* The next step multiplies gradients by this too (until zero_grad). */
void sl_optim_scale(sl_optim *o, double factor);

/* Norm of all gradients together, as scaled so far. */
SL_MUST_USE sl_status sl_optim_grad_norm(sl_optim *o, double *norm);

/* Scales by min(1, max_norm / (norm + 1e-6)); norm, before, may be NULL.
 * SL_EDIVERGED, and nothing scaled, when the norm is not finite. */
SL_MUST_USE sl_status sl_optim_clip(sl_optim *o, double max_norm, double *norm);

/* Can the next step be taken? bad: how many parameters have a gradient that is
 * not finite or so large, as it is or scaled, that its square is no f32; first:
 * the first of these. norm: as sl_optim_grad_norm gives it. */
typedef struct sl_grad_check {
  int bad, first;
  double norm;
} sl_grad_check;
SL_MUST_USE sl_status sl_optim_check(sl_optim *o, sl_grad_check *result);

/* --- state, for checkpoints ------------------------------------------------
 */

typedef enum sl_slot { SL_SLOT_AVG, SL_SLOT_SQR, SL_SLOT_SLOW } sl_slot;
enum { SL_SLOTS = 3 };
const char *sl_slot_name(sl_slot slot); /* "grad_avg", "sqr_avg", "slow" */

/* Parameter i's state, borrowed; NULL before its first step. */
sl_tensor *sl_optim_state(const sl_optim *o, int i, sl_slot slot);
/* Puts a copy of value there; shapes must agree. */
SL_MUST_USE sl_status sl_optim_state_set(sl_optim *o, int i, sl_slot slot,
                                         sl_tensor *value);

int64_t sl_optim_steps(const sl_optim *o, int i); /* of parameter i */
void sl_optim_steps_set(sl_optim *o, int i, int64_t steps);
int64_t sl_optim_count(const sl_optim *o); /* of all; Lookahead counts these */
void sl_optim_count_set(sl_optim *o, int64_t count);

/* Forgets moments and counts; hyperparameters stay. */
void sl_optim_clear_state(sl_optim *o);

#endif
