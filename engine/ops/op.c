/* op.c -- the registry, and running an op on the backend of its inputs. */
#include "ops/op.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdalign.h>
#include <string.h>

#include "ops/profile.h"
#include "ops/tape.h"

#define SL_OP(name)        [SL_OP_##name] = &sl_op_##name,
#define SL_OP_NOGRAD(name) [SL_OP_##name] = &sl_op_##name,
#define SL_OP_VIEW(name)   [SL_OP_##name] = &sl_op_##name,
static const sl_op *const registry[SL_OP_COUNT] = {
#include "ops/ops.def"
};

const char *const sl_act_names[] = {"none", "relu", "gelu",
                                    "silu", "mish", NULL};

static _Thread_local const char *layer;

const sl_op *sl_op_get(sl_op_id id) {
  return registry[id];
}

int sl_op_find(const char *name) {
  for (int id = 0; id < SL_OP_COUNT; id++)
    if (strcmp(registry[id]->name, name) == 0) return id;
  return -1;
}

void sl_layer_set(const char *name) {
  layer = name;
}

const char *sl_layer_get(void) {
  return layer;
}

/* --- options -------------------------------------------------------------- */

static void put_default(const sl_option *o, char *field) {
  const int64_t whole = isfinite(o->def) ? (int64_t)o->def : 0;
  const int flag = (int)whole;
  sl_ints list = {0};
  sl_numbers floats = {0};
  switch (o->type) {
  case SL_OPTION_FLOAT:
    memcpy(field, &o->def, sizeof o->def);
    break;
  case SL_OPTION_INT:
  case SL_OPTION_DIM:
    memcpy(field, &whole, sizeof whole);
    break;
  case SL_OPTION_BOOL:
  case SL_OPTION_ENUM:
  case SL_OPTION_DTYPE:
    memcpy(field, &flag, sizeof flag);
    break;
  case SL_OPTION_INTS:
    if (!isnan(o->def) && !o->required) list = (sl_ints){1, {whole}};
    memcpy(field, &list, sizeof list);
    break;
  case SL_OPTION_NUMBERS:
    if (!isnan(o->def) && !o->required) floats = (sl_numbers){1, {o->def}};
    memcpy(field, &floats, sizeof floats);
    break;
  case SL_OPTION_DIMS:
    memcpy(field, &list, sizeof list);
    break;
  }
}

void sl_op_defaults(const sl_op *op, void *opts) {
  memset(opts, 0, op->opts_size);
  for (const sl_option *o = op->options; o && o->name; o++)
    put_default(o, (char *)opts + o->offset);
}

/* --- one call ------------------------------------------------------------- */

static sl_status contiguous(sl_tensor *t, sl_tensor **out) {
  return sl_op_run(SL_OP_contiguous, &t, 1, NULL, out);
}

static sl_status materialise(sl_tensor *t) {
  if (!t->lazy || !sl_profile_on) return sl_tensor_materialise(t);
  sl_profile_begin();
  const sl_status status = sl_tensor_materialise(t);
  const double bytes = 2 * (double)sl_tensor_bytes(t); /* y and z */
  sl_profile_end(SL_PROFILE_MATERIALISE, (sl_cost){0, bytes});
  return status;
}

/* Inputs as the kernels want them: materialised, contiguous. held gets what
 * must be released after the call. */
static sl_status prepare(const sl_op *op, sl_tensor **in, int n_in,
                         sl_tensor **held) {
  const sl_backend *backend = NULL;
  for (int i = 0; i < n_in; i++) {
    if (!in[i]) continue;
    if (!backend) backend = in[i]->backend;
    SL_REQUIRE(in[i]->backend == backend, SL_EINVAL,
               "input %d is on %s but others are on %s", i + 1,
               in[i]->backend->name, backend->name);
    const unsigned bit = op->variadic ? 1u : 1u << i;
    if (!(op->lazy_in & bit)) SL_TRY(materialise(in[i]));
    if (in[i]->lazy || (op->strided_in & bit) || sl_tensor_is_contiguous(in[i]))
      continue;
    SL_REQUIRE(!(op->written_in & bit), SL_EINVAL,
               "input %d is changed in place and must be contiguous", i + 1);
    SL_TRY(contiguous(in[i], &held[i]));
    in[i] = held[i];
  }
  return SL_OK;
}

static int wants_grad(const sl_op *op, const sl_call *c) {
  if (!sl_tape_enabled()) return 0;
  for (int i = 0; i < c->n_in; i++) {
    const unsigned bit = op->variadic ? 1u : 1u << i;
    if (c->in[i] && (op->grad_in & bit) &&
        (c->in[i]->requires_grad || c->in[i]->node))
      return 1;
  }
  return 0;
}

static sl_status spec_new(sl_tensor **out, const sl_backend *b,
                          const sl_spec *s) {
  return sl_tensor_new(out, b, s->dtype, s->rank, s->shape);
}

static sl_status run_view(const sl_op *op, sl_call *c, const sl_shapes *s) {
  int64_t stride[SL_MAX_RANK] = {0}, offset = c->in[0]->offset;
  op->view(c, &s->out[0], stride, &offset);
  return sl_tensor_view(&c->out[0], c->in[0], s->out[0].rank, s->out[0].shape,
                        stride, offset);
}

static sl_status run_kernel(sl_op_id id, sl_call *c, const sl_shapes *s,
                            const sl_backend *b, int n_saved) {
  const sl_op *op = registry[id];
  const int n_out = op->n_out ? op->n_out : 1;
  for (int i = s->lazy ? 1 : 0; i < n_out; i++)
    if (s->out[i].rank != SL_NOT_MADE)
      SL_TRY(spec_new(&c->out[i], b, &s->out[i]));
  for (int i = 0; i < n_saved; i++)
    SL_TRY(spec_new(&c->saved[i], b, &s->saved[i]));
  return b->kernels[id].forward(c);
}

static sl_status run_now(sl_op_id id, sl_call *c, const sl_shapes *s,
                         const sl_backend *b, int n_saved) {
  const sl_op *op = registry[id];
  return op->view ? run_view(op, c, s) : run_kernel(id, c, s, b, n_saved);
}

static sl_status run_profiled(sl_op_id id, sl_call *c, const sl_shapes *s,
                              const sl_backend *b, int n_saved) {
  sl_profile_begin();
  const sl_status status = run_now(id, c, s, b, n_saved);
  sl_profile_end_op(id, status == SL_OK ? c : NULL, 0);
  return status;
}

static void let_go(sl_tensor **t, int n) {
  for (int i = 0; i < n; i++) {
    sl_tensor_release(t[i]);
    t[i] = NULL;
  }
}

static sl_status run_prepared(sl_op_id id, sl_call *c, void *opts,
                              sl_tensor **out) {
  const sl_op *op = registry[id];
  const int n_out = op->n_out ? op->n_out : 1;
  const sl_backend *b = sl_backend_default();
  for (int i = c->n_in - 1; i >= 0; i--)
    if (c->in[i]) b = c->in[i]->backend;
  sl_shapes s = {0};
  SL_TRY(op->infer(c, opts, &s));
  const int record = wants_grad(op, c), n_saved = record ? s.n_saved : 0;
  sl_status status =
      (sl_profile_on ? run_profiled : run_now)(id, c, &s, b, n_saved);
  if (status == SL_OK && record) status = sl_tape_record(id, c, n_saved);
  let_go(c->saved, SL_OP_MAX_SAVED);
  if (status == SL_OK)
    memcpy(out, c->out, (size_t)n_out * sizeof *out);
  else
    let_go(c->out, SL_OP_MAX_OUT);
  return status;
}

sl_status sl_op_run(sl_op_id id, sl_tensor *const *in, int n_in,
                    const void *opts, sl_tensor **out) {
  const sl_op *op = registry[id];
  assert(n_in <= SL_OP_MAX_IN && op->opts_size <= SL_OP_MAX_OPTS);
  alignas(max_align_t) char local[SL_OP_MAX_OPTS];
  sl_tensor *ready[SL_OP_MAX_IN] = {0}, *held[SL_OP_MAX_IN] = {0};
  if (opts)
    memcpy(local, opts, op->opts_size);
  else
    sl_op_defaults(op, local);
  if (n_in > 0) memcpy(ready, in, (size_t)n_in * sizeof *in);
  sl_status status = prepare(op, ready, n_in, held);
  if (status == SL_OK) {
    sl_call c = {.in = ready, .n_in = n_in, .opts = local};
    if (!op->variadic && n_in < op->n_in + op->n_optional)
      c.n_in = op->n_in + op->n_optional; /* the rest are NULL: not given */
    status = run_prepared(id, &c, local, out);
  }
  for (int i = 0; i < n_in; i++)
    sl_tensor_release(held[i]);
  if (status != SL_OK && status != SL_ENOMEM && layer)
    return sl_fail_in(status, "layer %s: ", layer);
  return status;
}

sl_status sl_call_make_lazy(const sl_call *c, sl_tensor *y, sl_tensor *scale,
                            sl_tensor *shift, sl_act act) {
  sl_call *call = (sl_call *)(uintptr_t)c; /* out[0] is ours to write */
  return sl_tensor_lazy(&call->out[0], y, scale, shift, act);
}

/* --- helpers -------------------------------------------------------------- */

sl_status sl_dim(int64_t d, int rank, int *out) {
  const int64_t shown = d >= 0 ? d + 1 : d; /* as Lua counts */
  SL_REQUIRE(d >= -rank && d < rank, SL_ESHAPE,
             "there is no dimension %" PRId64 " in a tensor of %d", shown,
             rank);
  *out = (int)(d < 0 ? d + rank : d);
  return SL_OK;
}

sl_status sl_pair(const sl_ints *v, const char *name, int64_t *h, int64_t *w) {
  SL_REQUIRE(v->n == 1 || v->n == 2, SL_EINVAL,
             "option '%s' is one number or {height, width}, not %d numbers",
             name, v->n);
  *h = v->v[0];
  *w = v->v[v->n - 1];
  return SL_OK;
}

static int64_t size_from_end(const sl_tensor *t, int i) {
  return i < t->rank ? t->shape[t->rank - 1 - i] : 1;
}

sl_status sl_broadcast(const sl_tensor *a, const sl_tensor *b, sl_spec *out) {
  out->rank = a->rank > b->rank ? a->rank : b->rank;
  for (int i = 0; i < out->rank; i++) {
    const int64_t m = size_from_end(a, i), n = size_from_end(b, i);
    SL_REQUIRE(m == n || m == 1 || n == 1, SL_ESHAPE,
               "shapes %s and %s do not broadcast: %" PRId64 " ~= %" PRId64,
               sl_shape_text(a), sl_shape_text(b), m, n);
    out->shape[out->rank - 1 - i] = m == 1 ? n : m;
  }
  return SL_OK;
}

void sl_spec_like(sl_spec *s, const sl_tensor *t) {
  s->dtype = t->dtype;
  s->rank = t->rank;
  memcpy(s->shape, t->shape, sizeof s->shape);
}
