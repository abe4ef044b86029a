/* tape.c -- see tape.h. */
#include "ops/tape.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/profile.h"

/* What backward does at a node. */
typedef enum node_kind {
  CALL,   /* runs the op's backward */
  REPLAY, /* computes a part of the graph again: sl_tape_replay */
  SOURCE, /* the input of such a part: keeps its gradient for who asked */
} node_kind;

/* One recorded call. base first: tensor/ frees a node through it. */
typedef struct call_node {
  sl_node base;
  node_kind kind;
  sl_op_id id;
  uint64_t number; /* order of recording */
  int n_in, n_out, n_saved, done;
  int queued;        /* backward: already in the list of nodes to visit */
  char *layer;       /* who recorded it; owned or NULL */
  sl_replay replay;  /* of REPLAY */
  sl_tensor *gained; /* of SOURCE, after backward; owned */
  sl_tensor *saved[SL_OP_MAX_SAVED];
  sl_tensor *out[SL_OP_MAX_OUT];  /* detached copies, if the op needs them */
  sl_spec shape[SL_OP_MAX_OUT];   /* of the results */
  sl_tensor *dout[SL_OP_MAX_OUT]; /* gradients collected so far */
  alignas(max_align_t) char opts[SL_OP_MAX_OPTS];
  sl_tensor *in[]; /* NULL where an optional input was not given */
} call_node;

static _Thread_local int recording = 1;
static _Thread_local uint64_t recorded;

int sl_tape_enable(int on) {
  const int was = recording;
  recording = on;
  return was;
}

int sl_tape_enabled(void) {
  return recording;
}

/* --- nodes ---------------------------------------------------------------- */

/* Chains are as long as the program ran: no recursion. Tensors whose release
 * would free another node are queued instead. */
static _Thread_local sl_node *doomed;
static _Thread_local int freeing;

static void clear_node(call_node *n) {
  for (int i = 0; i < n->n_in; i++)
    sl_tensor_release(n->in[i]);
  for (int i = 0; i < SL_OP_MAX_SAVED; i++)
    sl_tensor_release(n->saved[i]);
  for (int i = 0; i < SL_OP_MAX_OUT; i++) {
    sl_tensor_release(n->out[i]);
    sl_tensor_release(n->dout[i]);
  }
  memset(n->in, 0, (size_t)n->n_in * sizeof *n->in);
  memset(n->saved, 0, sizeof n->saved);
  memset(n->out, 0, sizeof n->out);
  memset(n->dout, 0, sizeof n->dout);
}

/* While a node is being freed its `number` is of no use: a link instead. */
static void free_node(sl_node *base) {
  call_node *n = (call_node *)base;
  n->number = (uint64_t)(uintptr_t)doomed;
  doomed = base;
  if (freeing) return;
  freeing = 1;
  while (doomed) {
    n = (call_node *)doomed;
    doomed = (sl_node *)(uintptr_t)n->number;
    clear_node(n);
    if (n->kind == REPLAY) n->replay.free(n->replay.context);
    sl_tensor_release(n->gained);
    sl_free(n->layer);
    sl_free(n);
  }
  freeing = 0;
}

static void node_release(call_node *n) {
  if (atomic_fetch_sub(&n->base.refs, 1) == 1) free_node(&n->base);
}

static call_node *new_node(node_kind kind, int n_in, int n_out) {
  call_node *n = sl_alloc(1, sizeof *n + (size_t)n_in * sizeof *n->in);
  if (!n) {
    (void)!sl_fail(SL_ENOMEM, "no memory for the tape");
    return NULL;
  }
  atomic_init(&n->base.refs, 1);
  n->base.free = free_node;
  n->kind = kind;
  n->number = ++recorded;
  n->n_in = n_in;
  n->n_out = n_out;
  return n;
}

/* t becomes result i of n. */
static void own_node(sl_tensor *t, call_node *n, int i) {
  t->node = &n->base;
  t->node_out = i;
  atomic_fetch_add(&n->base.refs, 1);
}

sl_status sl_tape_record(sl_op_id id, const sl_call *c, int n_saved) {
  const sl_op *op = sl_op_get(id);
  call_node *n = new_node(CALL, c->n_in, op->n_out ? op->n_out : 1);
  if (!n) return SL_ENOMEM;
  n->id = id;
  n->n_saved = n_saved;
  if (sl_layer_get()) n->layer = sl_strdup(sl_layer_get());
  if (op->opts_size) memcpy(n->opts, c->opts, op->opts_size);
  for (int i = 0; i < c->n_in; i++)
    if (c->in[i]) n->in[i] = sl_tensor_retain(c->in[i]);
  for (int i = 0; i < n_saved; i++)
    if (c->saved[i]) n->saved[i] = sl_tensor_retain(c->saved[i]);
  sl_status status = SL_OK;
  for (int i = 0; i < n->n_out; i++) {
    if (!c->out[i]) continue;
    sl_spec_like(&n->shape[i], c->out[i]);
    if (op->needs_out && status == SL_OK)
      status = sl_tensor_detach(&n->out[i], c->out[i]);
  }
  for (int i = 0; i < n->n_out && status == SL_OK; i++) {
    if (!c->out[i] || !sl_dtype_is_float(c->out[i]->dtype)) continue;
    own_node(c->out[i], n, i);
  }
  node_release(n);
  return status;
}

sl_status sl_tape_replay(sl_tensor *y, sl_tensor *x, sl_replay r) {
  call_node *n = new_node(REPLAY, 1, 1);
  if (!n) {
    r.free(r.context);
    return SL_ENOMEM;
  }
  n->replay = r;
  n->in[0] = sl_tensor_retain(x);
  if (sl_layer_get()) n->layer = sl_strdup(sl_layer_get());
  sl_spec_like(&n->shape[0], y);
  own_node(y, n, 0);
  node_release(n);
  return SL_OK;
}

/* --- leaves --------------------------------------------------------------- */

sl_status sl_require_grad(sl_tensor *t, int on) {
  SL_REQUIRE(!on || sl_dtype_is_float(t->dtype), SL_EINVAL,
             "only float tensors have gradients, not %s", sl_shape_text(t));
  SL_REQUIRE(!t->node, SL_EINVAL,
             "this tensor was computed from others; only a tensor that was "
             "not can be a parameter (detach() it first)");
  t->requires_grad = on;
  return SL_OK;
}

void sl_grad_clear(sl_tensor *leaf) {
  leaf->grad_fresh = 1;
}

sl_tensor *sl_grad(const sl_tensor *leaf) {
  return leaf->grad_fresh ? NULL : leaf->grad;
}

sl_status sl_grad_place(sl_tensor *leaf, sl_tensor *place) {
  SL_REQUIRE(sl_tensor_same_shape(leaf, place) && place->dtype == SL_F32,
             SL_ESHAPE, "gradient of %s cannot be %s", sl_shape_text(leaf),
             sl_shape_text(place));
  sl_tensor *old = leaf->grad;
  leaf->grad = sl_tensor_retain(place);
  leaf->grad_fresh = 1;
  sl_tensor_release(old);
  return SL_OK;
}

/* --- backward ------------------------------------------------------------- */

typedef struct node_list {
  call_node **at;
  size_t n, room;
} node_list;

static sl_status push(node_list *l, call_node *n) {
  if (l->n == l->room) {
    const size_t room = l->room ? 2 * l->room : 256;
    call_node **at = sl_realloc(l->at, room * sizeof *at);
    SL_REQUIRE(at, SL_ENOMEM, "no memory for the tape");
    l->at = at;
    l->room = room;
  }
  atomic_fetch_add(&n->base.refs, 1);
  n->queued = 1;
  l->at[l->n++] = n;
  return SL_OK;
}

static int newest_first(const void *a, const void *b) {
  const uint64_t x = (*(call_node *const *)a)->number;
  const uint64_t y = (*(call_node *const *)b)->number;
  return x < y ? 1 : x > y ? -1 : 0;
}

/* Every node that the loss depends on. The list is its own work queue. */
static sl_status collect(node_list *l, call_node *from) {
  SL_TRY(push(l, from));
  for (size_t i = 0; i < l->n; i++) {
    call_node *n = l->at[i];
    for (int k = 0; k < n->n_in; k++) {
      call_node *next = n->in[k] ? (call_node *)n->in[k]->node : NULL;
      if (next && !next->queued) SL_TRY(push(l, next));
    }
  }
  qsort(l->at, l->n, sizeof *l->at, newest_first);
  return SL_OK;
}

static int is_wanted(const sl_op *op, const sl_tensor *t, int i) {
  const unsigned bit = op->variadic ? 1u : 1u << i;
  return t && (op->grad_in & bit) && (t->requires_grad || t->node);
}

/* Where the gradient of t goes, and whether something is there already. */
static sl_status place_for(sl_tensor *t, sl_tensor **place, char *add) {
  if (t->node) {
    call_node *n = (call_node *)t->node;
    sl_tensor **d = &n->dout[t->node_out];
    *add = *d != NULL;
    if (!*d) SL_TRY(sl_tensor_new(d, t->backend, t->dtype, t->rank, t->shape));
    *place = *d;
    return SL_OK;
  }
  if (!t->grad) {
    SL_TRY(sl_tensor_new(&t->grad, t->backend, SL_F32, t->rank, t->shape));
    t->grad_fresh = 1;
  }
  *add = !t->grad_fresh;
  t->grad_fresh = 0;
  *place = t->grad;
  return SL_OK;
}

/* The gradient of a view is a view of the gradient. */
static sl_status view_backward(const sl_call *c, const sl_op *op,
                               const sl_spec *shape) {
  sl_tensor *din = c->din[0], *part = NULL;
  const sl_backend *b = din->backend; /* NOLINT: a view has one input */
  int64_t stride[SL_MAX_RANK] = {0}, offset = din->offset;
  sl_tensor *const in[] = {din};
  const sl_call as_din = {.in = in, .n_in = 1, .opts = c->opts};
  if (!c->add[0]) SL_TRY(b->zero(sl_data(din), sl_tensor_bytes(din)));
  op->view(&as_din, shape, stride, &offset);
  SL_TRY(sl_tensor_view(&part, din, shape->rank, shape->shape, stride, offset));
  const sl_status status = b->copy(part, c->dout[0], 1);
  sl_tensor_release(part);
  return status;
}

static int has_dout(const call_node *n) {
  for (int i = 0; i < n->n_out; i++)
    if (n->dout[i]) return 1;
  return 0;
}

static sl_status run_backward(const call_node *n, const sl_call *c) {
  const sl_op *op = sl_op_get(n->id);
  if (op->view) return view_backward(c, op, &n->shape[0]);
  const sl_tensor *given = n->dout[0] ? n->dout[0] : n->dout[1];
  return given->backend->kernels[n->id].backward(c);
}

static sl_status run_profiled(const call_node *n, const sl_call *c) {
  sl_profile_begin();
  const sl_status status = run_backward(n, c);
  sl_profile_end_op(n->id, status == SL_OK ? c : NULL, 1);
  return status;
}

/* The part's graph, from a copy of x whose gradient comes back as `gained`. */
static sl_status differentiate_part(call_node *n, sl_tensor *x) {
  sl_tensor *y = NULL;
  const int was = sl_tape_enable(1);
  sl_status status = n->replay.run(n->replay.context, x, &y);
  sl_tape_enable(was);
  if (status == SL_OK && !sl_tensor_same_shape(y, n->dout[0]))
    status = sl_fail(SL_ESHAPE, "computed again it gives %s", sl_shape_text(y));
  /* Of a part without parameters and gradients nothing is to be done. */
  if (status == SL_OK && y->node) status = sl_backward(y, n->dout[0]);
  sl_tensor_release(y);
  return status;
}

static sl_status add_gained(sl_tensor *x, sl_tensor *gained) {
  sl_tensor *place;
  char add;
  SL_TRY(place_for(x, &place, &add));
  return place->backend->copy(place, gained, add);
}

static sl_status visit_replay(call_node *n) {
  sl_tensor *x = n->in[0], *copy = NULL;
  call_node *source = new_node(SOURCE, 0, 1);
  if (!source) return SL_ENOMEM;
  sl_status status = sl_tensor_detach(&copy, x);
  if (status == SL_OK) {
    own_node(copy, source, 0);
    status = differentiate_part(n, copy);
  }
  if (status == SL_OK && source->gained && (x->requires_grad || x->node))
    status = add_gained(x, source->gained);
  sl_tensor_release(copy);
  node_release(source);
  return status;
}

static sl_status visit(call_node *n) {
  if (n->kind == REPLAY) return visit_replay(n);
  if (n->kind == SOURCE) {
    n->gained = sl_tensor_retain(n->dout[0]);
    return SL_OK;
  }
  const sl_op *op = sl_op_get(n->id);
  sl_tensor *din[SL_OP_MAX_IN] = {0};
  char add[SL_OP_MAX_IN] = {0};
  int wanted = 0;
  sl_call c = {
      .in = n->in, .n_in = n->n_in, .opts = n->opts, .din = din, .add = add};
  for (int i = 0; i < n->n_in; i++) {
    if (!is_wanted(op, n->in[i], i)) continue;
    /* The same tensor twice (x * x): the kernel must not overwrite what it
     * has just written, so the second place adds. */
    SL_TRY(place_for(n->in[i], &din[i], &add[i]));
    wanted++;
  }
  if (!wanted) return SL_OK;
  memcpy(c.saved, n->saved, sizeof c.saved);
  memcpy(c.out, n->out, sizeof c.out);
  memcpy(c.dout, n->dout, sizeof c.dout);
  sl_layer_set(n->layer);
  return (sl_profile_on ? run_profiled : run_backward)(n, &c);
}

static const char *name_of(const call_node *n) {
  return n->kind == CALL ? sl_op_get(n->id)->name : "a checkpoint";
}

static sl_status visit_all(node_list *l) {
  for (size_t i = 0; i < l->n; i++) {
    call_node *n = l->at[i];
    SL_REQUIRE(!n->done, SL_EINVAL,
               "backward has already been called on this graph; compute the "
               "loss again");
    if (has_dout(n)) {
      const sl_status status = visit(n);
      if (status != SL_OK)
        return sl_fail_in(status, "backward of %s%s%s: ", name_of(n),
                          n->layer ? " in layer " : "",
                          n->layer ? n->layer : "");
    }
    n->done = 1;
    clear_node(n);
    l->at[i] = NULL;
    node_release(n);
  }
  return SL_OK;
}

static sl_status seed_gradient(sl_tensor *loss, sl_tensor *seed) {
  call_node *n = (call_node *)loss->node;
  sl_tensor **d = &n->dout[loss->node_out];
  if (seed) {
    SL_REQUIRE(sl_tensor_same_shape(loss, seed), SL_ESHAPE,
               "the gradient is %s but the tensor %s", sl_shape_text(seed),
               sl_shape_text(loss));
    return sl_tensor_copy(d, seed, loss->backend, loss->dtype);
  }
  SL_REQUIRE(sl_tensor_count(loss) == 1, SL_ESHAPE,
             "backward without a gradient wants one number, not %s",
             sl_shape_text(loss));
  const float one = 1;
  const sl_bf16 one16 = sl_bf16_from_f32(one);
  return sl_tensor_from(d, loss->backend, loss->dtype, loss->rank, loss->shape,
                        loss->dtype == SL_BF16 ? (const void *)&one16 : &one);
}

sl_status sl_backward(sl_tensor *loss, sl_tensor *seed) {
  SL_REQUIRE(loss->node, SL_EINVAL,
             "nothing to differentiate: no tensor with requires_grad went "
             "into this one");
  const char *const layer = sl_layer_get();
  const sl_phase phase = sl_profile_phase(SL_PHASE_BACKWARD);
  node_list l = {0};
  sl_status status = SL_OK;
  if (((call_node *)loss->node)->done)
    status = sl_fail(SL_EINVAL, "backward has already been called on this "
                                "graph; compute the loss again");
  if (status == SL_OK) status = seed_gradient(loss, seed);
  if (status == SL_OK) status = collect(&l, (call_node *)loss->node);
  if (status == SL_OK) status = visit_all(&l);
  for (size_t i = 0; i < l.n; i++) {
    if (!l.at[i]) continue;
    l.at[i]->queued = 0;
    node_release(l.at[i]);
  }
  sl_free(l.at);
  sl_layer_set(layer);
  sl_profile_phase(phase);
  return status;
}
