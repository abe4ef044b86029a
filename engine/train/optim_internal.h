/* optim_internal.h -- what optim.c and optim_state.c share. */
#ifndef SL_TRAIN_OPTIM_INTERNAL_H
#define SL_TRAIN_OPTIM_INTERNAL_H

#include "train/optim.h"

typedef struct sl_param {
  char *name;
  sl_tensor *tensor;
  int group, do_wd;
  int64_t steps;              /* taken by this parameter */
  sl_tensor *state[SL_SLOTS]; /* NULL until the first step, or not kept */
} sl_param;

struct sl_optim {
  const sl_optim_kind *kind;
  sl_optim_options options; /* as made; hyper is where groups started from */
  sl_rule rule;
  const sl_backend *backend;
  sl_param *at;
  int n;
  double (*hyper)[SL_HYPER_COUNT]; /* per group */
  int n_groups;
  int64_t count;         /* steps of the optimiser */
  double scale;          /* of the gradients, until zero_grad */
  sl_tensor *arena;      /* of the gradients */
  sl_update_item *items; /* room for n */
  int n_items;
};

/* Makes the state that p lacks: zeros, and Lookahead's copy of p itself. */
SL_MUST_USE sl_status sl_optim_ensure_state(sl_optim *o, sl_param *p);

#endif
