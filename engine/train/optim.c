/* optim.c -- see optim.h. State and checkpoints: optim_state.c. */
#include "train/optim.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/profile.h"
#include "ops/tape.h"
#include "train/optim_internal.h"

/* --- making ----------------------------------------------------------------
 */

static sl_status check_param(const sl_optim_param *p,
                             const sl_backend *backend) {
  const sl_tensor *t = p->tensor;
  SL_REQUIRE(t->dtype == SL_F32 && !t->lazy && sl_tensor_is_contiguous(t),
             SL_ESHAPE, "parameter %s is %s: an optimiser wants contiguous f32",
             p->name, sl_shape_text(t));
  SL_REQUIRE(t->backend == backend, SL_EINVAL,
             "parameter %s is on %s, others are on %s", p->name,
             t->backend->name, backend->name);
  SL_REQUIRE(p->group >= 0, SL_EINVAL, "parameter %s is in group %d", p->name,
             p->group);
  return SL_OK;
}

static sl_status copy_param(sl_param *to, const sl_optim_param *from) {
  to->name = sl_strdup(from->name);
  SL_REQUIRE(to->name, SL_ENOMEM, "out of memory for an optimiser");
  to->tensor = sl_tensor_retain(from->tensor);
  to->group = from->group;
  to->do_wd = from->do_wd;
  return SL_OK;
}

static sl_status check_groups(const sl_optim *o) {
  for (int g = 0; g < o->n_groups; g++) {
    int members = 0;
    for (int i = 0; i < o->n && !members; i++)
      members = o->at[i].group == g;
    SL_REQUIRE(members, SL_EINVAL, "parameter group %d of %d has no parameter",
               g + 1, o->n_groups);
  }
  return SL_OK;
}

static sl_status set_groups(sl_optim *o) {
  for (int i = 0; i < o->n; i++)
    if (o->at[i].group >= o->n_groups) o->n_groups = o->at[i].group + 1;
  SL_TRY(check_groups(o));
  o->hyper = sl_alloc((size_t)o->n_groups, sizeof *o->hyper);
  SL_REQUIRE(o->hyper, SL_ENOMEM, "out of memory for an optimiser");
  for (int g = 0; g < o->n_groups; g++)
    memcpy(o->hyper[g], o->options.hyper, sizeof *o->hyper);
  return SL_OK;
}

/* One flat arena; each gradient starts on a cache line. */
static sl_status place_gradients(sl_optim *o) {
  const int64_t line = 16;
  int64_t total = 0;
  for (int i = 0; i < o->n; i++)
    total += (sl_tensor_count(o->at[i].tensor) + line - 1) / line * line;
  SL_TRY(sl_tensor_zeros(&o->arena, o->backend, SL_F32, 1, &total));
  int64_t at = 0;
  for (int i = 0; i < o->n; i++) {
    sl_tensor *p = o->at[i].tensor, *place = NULL;
    int64_t stride[SL_MAX_RANK];
    sl_dense_strides(p->rank, p->shape, stride);
    SL_TRY(sl_tensor_view(&place, o->arena, p->rank, p->shape, stride, at));
    const sl_status status = sl_grad_place(p, place);
    sl_tensor_release(place);
    SL_TRY(status);
    at += (sl_tensor_count(p) + line - 1) / line * line;
  }
  return SL_OK;
}

static sl_status fill(sl_optim *o, const sl_optim_param *params, int n) {
  o->at = sl_alloc((size_t)n, sizeof *o->at);
  o->items = sl_alloc((size_t)n, sizeof *o->items);
  SL_REQUIRE(o->at && o->items, SL_ENOMEM, "out of memory for an optimiser");
  for (int i = 0; i < n; i++) {
    SL_TRY(check_param(&params[i], o->backend));
    o->n = i + 1;
    SL_TRY(copy_param(&o->at[i], &params[i]));
  }
  SL_TRY(set_groups(o));
  return place_gradients(o);
}

sl_status sl_optim_new(sl_optim **out, const sl_optim_kind *kind,
                       const sl_optim_options *options,
                       const sl_optim_param *params, int n) {
  SL_REQUIRE(n > 0, SL_EINVAL, "an optimiser without parameters");
  SL_REQUIRE(params[0].tensor->backend->update, SL_EINVAL,
             "%s cannot run optimisers", params[0].tensor->backend->name);
  sl_optim *o = sl_alloc(1, sizeof *o);
  SL_REQUIRE(o, SL_ENOMEM, "out of memory for an optimiser");
  o->kind = kind;
  o->options = *options;
  o->rule = kind->rule(options);
  o->scale = 1;
  o->backend = params[0].tensor->backend;
  const sl_status status = fill(o, params, n);
  if (status != SL_OK) {
    sl_optim_free(o);
    return status;
  }
  *out = o;
  return SL_OK;
}

void sl_optim_free(sl_optim *o) {
  if (!o) return;
  sl_optim_clear_state(o);
  for (int i = 0; i < o->n; i++) {
    sl_tensor_release(o->at[i].tensor);
    sl_free(o->at[i].name);
  }
  sl_tensor_release(o->arena);
  sl_free(o->at);
  sl_free(o->items);
  sl_free(o->hyper);
  sl_free(o);
}

/* --- looking, setting ------------------------------------------------------
 */

const sl_optim_kind *sl_optim_kind_of(const sl_optim *o) {
  return o->kind;
}

int sl_optim_groups(const sl_optim *o) {
  return o->n_groups;
}

int sl_optim_params(const sl_optim *o) {
  return o->n;
}

sl_optim_param sl_optim_param_at(const sl_optim *o, int i) {
  const sl_param *p = &o->at[i];
  return (sl_optim_param){p->name, p->tensor, p->group, p->do_wd};
}

void sl_optim_set(sl_optim *o, int group, sl_hyper h, double value) {
  for (int g = 0; g < o->n_groups; g++)
    if (group < 0 || g == group) o->hyper[g][h] = value;
}

double sl_optim_get(const sl_optim *o, int group, sl_hyper h) {
  return o->hyper[group < 0 ? o->n_groups - 1 : group][h];
}

/* --- the step --------------------------------------------------------------
 */

static sl_update_coef coefficients(const sl_optim *o, const sl_param *p) {
  const double *h = o->hyper[p->group];
  const double wd = p->do_wd ? h[SL_WD] : 0;
  sl_update_coef c = {
      .decay = (float)(o->options.l2 ? 1 : 1 - h[SL_LR] * wd),
      .l2 = (float)(o->options.l2 ? wd : 0),
      .grad_scale = (float)o->scale,
      .mom = (float)h[SL_MOM],
      .damp = (float)(o->kind->raw_avg ? 1 : 1 - h[SL_MOM]),
      .sqr_mom = (float)h[SL_SQR_MOM],
      .sqr_damp = (float)(1 - h[SL_SQR_MOM]),
      .lr = (float)h[SL_LR],
      .eps = (float)h[SL_EPS],
  };
  if (o->kind->prepare) o->kind->prepare(&c, h, &o->options, p->steps);
  return c;
}

static float *data_of(sl_tensor *t) {
  return t ? sl_f32(t) : NULL;
}

static void fill_item(sl_optim *o, sl_param *p, sl_tensor *grad, int sync) {
  p->steps++;
  o->items[o->n_items++] = (sl_update_item){
      .n = sl_tensor_count(p->tensor),
      .p = sl_f32(p->tensor),
      .g = sl_f32(grad),
      .m = data_of(p->state[SL_SLOT_AVG]),
      .s = data_of(p->state[SL_SLOT_SQR]),
      .slow = sync ? data_of(p->state[SL_SLOT_SLOW]) : NULL,
      .c = coefficients(o, p),
  };
  p->tensor->storage->version++;
}

static sl_tensor *gradient(const sl_param *p) {
  return p->tensor->requires_grad ? sl_grad(p->tensor) : NULL;
}

/* All memory is asked for before anything changes: a step that fails for want
 * of it can be taken again. */
static double bytes_moved(const sl_update *u) {
  double sum = 0;
  for (int i = 0; i < u->n_items; i++) {
    const sl_update_item *t = &u->items[i];
    const int n = 3 + 2 * ((t->m != NULL) + (t->s != NULL) + (t->slow != NULL));
    sum += (double)t->n * n * (double)sizeof(float); /* p, m, s: both ways */
  }
  return sum;
}

static sl_status update(const sl_optim *o, const sl_update *u) {
  if (!sl_profile_on) return o->backend->update(u);
  sl_profile_begin();
  const sl_status status = o->backend->update(u);
  sl_profile_end(SL_PROFILE_UPDATE, (sl_cost){0, bytes_moved(u)});
  return status;
}

static sl_status step(sl_optim *o) {
  for (int i = 0; i < o->n; i++)
    if (gradient(&o->at[i])) SL_TRY(sl_optim_ensure_state(o, &o->at[i]));
  const int k = o->options.k, sync = k > 0 && (o->count + 1) % k == 0;
  o->n_items = 0;
  for (int i = 0; i < o->n; i++) {
    sl_tensor *grad = gradient(&o->at[i]);
    if (grad) fill_item(o, &o->at[i], grad, sync);
  }
  o->count++;
  const sl_update u = {o->rule, (float)o->options.alpha, o->items, o->n_items};
  return o->n_items ? update(o, &u) : SL_OK;
}

sl_status sl_optim_step(sl_optim *o) {
  const sl_phase phase = sl_profile_phase(SL_PHASE_STEP);
  const sl_status status = step(o);
  sl_profile_phase(phase);
  return status;
}

void sl_optim_zero_grad(sl_optim *o) {
  for (int i = 0; i < o->n; i++)
    sl_grad_clear(o->at[i].tensor);
  o->scale = 1;
}

void sl_optim_scale(sl_optim *o, double factor) {
  o->scale *= factor;
}

/* Of the gradients of parameters first..last - 1 together. */
static sl_status norm_of(sl_optim *o, int first, int last, double *norm) {
  o->n_items = 0;
  for (int i = first; i < last; i++) {
    sl_tensor *grad = gradient(&o->at[i]);
    if (!grad) continue;
    o->items[o->n_items++] =
        (sl_update_item){.n = sl_tensor_count(grad), .g = sl_f32(grad)};
  }
  const sl_update u = {o->rule, 0, o->items, o->n_items};
  double sum = 0;
  if (o->n_items) SL_TRY(o->backend->grad_squares(&u, &sum));
  *norm = sqrt(sum) * fabs(o->scale);
  return SL_OK;
}

sl_status sl_optim_grad_norm(sl_optim *o, double *norm) {
  return norm_of(o, 0, o->n, norm);
}

/* The sum of all squares is finite only if every gradient is: one number tells
 * of all. Beyond the root of FLT_MAX an average of squares would become
 * infinite and stay so. */
static int is_usable(double norm) {
  return norm < 1.8e19;
}

sl_status sl_optim_check(sl_optim *o, sl_grad_check *result) {
  *result = (sl_grad_check){0, -1, 0};
  SL_TRY(sl_optim_grad_norm(o, &result->norm));
  if (is_usable(result->norm)) return SL_OK;
  for (int i = 0; i < o->n; i++) {
    double norm = 0;
    SL_TRY(norm_of(o, i, i + 1, &norm));
    if (is_usable(norm)) continue;
    if (result->bad++ == 0) result->first = i;
  }
  /* Together too large, though none is by itself. */
  if (result->bad == 0) *result = (sl_grad_check){1, 0, result->norm};
  return SL_OK;
}

sl_status sl_optim_clip(sl_optim *o, double max_norm, double *norm) {
  double n = 0;
  SL_TRY(sl_optim_grad_norm(o, &n));
  if (norm) *norm = n;
  SL_REQUIRE(isfinite(n), SL_EDIVERGED,
             "the norm of the gradients is %g: training has diverged", n);
  sl_optim_scale(o, fmin(1, max_norm / (n + 1e-6)));
  return SL_OK;
}
