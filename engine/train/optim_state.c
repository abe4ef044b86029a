/* optim_state.c -- moments and counts of an optimiser: made at a parameter's
 * first step, saved, loaded, forgotten. */
#include "backend/update.h"
#include "train/optim_internal.h"

static const char *const slot_names[SL_SLOTS] = {"grad_avg", "sqr_avg", "slow"};

const char *sl_slot_name(sl_slot slot) {
  return slot_names[slot];
}

#define X(name, keeps, trust) [SL_RULE_##name] = (keeps),
static const char keeps_of[SL_RULE_COUNT] = {SL_UPDATE_RULES(X)};
#undef X

static int keeps(const sl_optim *o, sl_slot slot) {
  switch (slot) {
  case SL_SLOT_AVG:
    return keeps_of[o->rule] & SL_KEEPS_AVG;
  case SL_SLOT_SQR:
    return keeps_of[o->rule] & SL_KEEPS_SQR;
  case SL_SLOT_SLOW:
    return o->options.k > 0;
  }
  return 0;
}

static sl_status make(const sl_optim *o, const sl_param *p, sl_slot slot,
                      sl_tensor **out) {
  if (slot == SL_SLOT_SLOW)
    return sl_tensor_copy(out, p->tensor, o->backend, SL_F32);
  return sl_tensor_zeros(out, o->backend, SL_F32, p->tensor->rank,
                         p->tensor->shape);
}

sl_status sl_optim_ensure_state(sl_optim *o, sl_param *p) {
  for (int slot = 0; slot < SL_SLOTS; slot++)
    if (!p->state[slot] && keeps(o, (sl_slot)slot))
      SL_TRY(make(o, p, (sl_slot)slot, &p->state[slot]));
  return SL_OK;
}

sl_tensor *sl_optim_state(const sl_optim *o, int i, sl_slot slot) {
  return o->at[i].state[slot];
}

sl_status sl_optim_state_set(sl_optim *o, int i, sl_slot slot,
                             sl_tensor *value) {
  sl_param *p = &o->at[i];
  SL_REQUIRE(keeps(o, slot), SL_EINVAL, "%s keeps no %s (of parameter %s)",
             o->kind->name, sl_slot_name(slot), p->name);
  SL_REQUIRE(sl_tensor_same_shape(value, p->tensor), SL_ESHAPE,
             "%s of parameter %s is %s, the parameter is %s",
             sl_slot_name(slot), p->name, sl_shape_text(value),
             sl_shape_text(p->tensor));
  sl_tensor *copy = NULL;
  SL_TRY(sl_tensor_copy(&copy, value, o->backend, SL_F32));
  sl_tensor_release(p->state[slot]);
  p->state[slot] = copy;
  return SL_OK;
}

int64_t sl_optim_steps(const sl_optim *o, int i) {
  return o->at[i].steps;
}

void sl_optim_steps_set(sl_optim *o, int i, int64_t steps) {
  o->at[i].steps = steps;
}

int64_t sl_optim_count(const sl_optim *o) {
  return o->count;
}

void sl_optim_count_set(sl_optim *o, int64_t count) {
  o->count = count;
}

void sl_optim_clear_state(sl_optim *o) {
  for (int i = 0; i < o->n; i++) {
    o->at[i].steps = 0;
    for (int slot = 0; slot < SL_SLOTS; slot++) {
      sl_tensor_release(o->at[i].state[slot]);
      o->at[i].state[slot] = NULL;
    }
  }
  o->count = 0;
}
