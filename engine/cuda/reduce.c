/* reduce.c -- reductions: the family of reduce.def, var and std, max, min and
 * their positions, and sums of broadcast gradients. */
#include "ops/reduce.h"

#include <math.h>

#include "cuda/cuda.h"
#include "ops/extremum.h"

/* --- (outer, n, inner) ---------------------------------------------------- */

/* Dimensions in the order kept, then reduced, copied together. */
static sl_status gather_dims(sl_cuda_reduction *r, sl_tensor *x,
                             const int *reduced, int64_t kept) {
  int64_t shape[SL_MAX_RANK], stride[SL_MAX_RANK];
  int n = 0;
  for (int pass = 0; pass < 2; pass++)
    for (int d = 0; d < x->rank; d++) {
      if (reduced[d] != pass) continue;
      shape[n] = x->shape[d];
      stride[n++] = x->stride[d];
    }
  sl_tensor *view = NULL;
  SL_TRY(sl_tensor_view(&view, x, n, shape, stride, x->offset));
  const sl_status status = sl_tensor_copy(&r->x, view, x->backend, x->dtype);
  sl_tensor_release(view);
  r->r.outer = kept;
  r->r.n = kept ? sl_tensor_count(x) / kept : 0;
  r->r.inner = 1;
  return status;
}

/* As cpu/reduction.c does it. */
static sl_status fold(sl_cuda_reduction *r, sl_tensor *x, const sl_ints *dims) {
  int reduced[SL_MAX_RANK] = {0}, changes = 0;
  int64_t kept = 1;
  for (int i = 0; i < dims->n; i++)
    reduced[dims->v[i]] = 1;
  for (int d = 0, last = 0; d < x->rank; d++) {
    if (!reduced[d]) kept *= x->shape[d];
    if (x->shape[d] == 1) continue;
    changes += reduced[d] != last;
    last = reduced[d];
    *(changes == 0   ? &r->r.outer
      : changes == 1 ? &r->r.n
                     : &r->r.inner) *= x->shape[d];
  }
  if (changes > 2 && sl_tensor_count(x) > 0)
    return gather_dims(r, x, reduced, kept);
  if (changes > 2) { /* empty: any split with the right number of results */
    r->r.outer = kept;
    r->r.n = 0;
    r->r.inner = 1;
  }
  r->x = sl_tensor_retain(x);
  return SL_OK;
}

sl_status sl_cuda_reduction_open(sl_cuda_reduction *r, sl_tensor *x,
                                 const sl_ints *dims) {
  *r = (sl_cuda_reduction){.r = {.outer = 1, .n = 1, .inner = 1}};
  sl_status status = fold(r, x, dims);
  if (status == SL_OK) {
    r->r.x = sl_data(r->x);
    r->r.dtype = (int)r->x->dtype;
    status = sl_cuda_scratch_get(&r->scratch, cu_reduction_cut(&r->r));
  }
  if (status != SL_OK) sl_cuda_reduction_close(r);
  return status;
}

void sl_cuda_reduction_close(sl_cuda_reduction *r) {
  sl_tensor_release(r->x);
  r->x = NULL;
  sl_cuda_scratch_drop(&r->scratch);
}

/* --- the family ------------------------------------------------------------
 */

static double count_of(const sl_call *c) {
  const sl_reduce_opts *o = c->opts;
  return (double)sl_reduce_count(c->in[0], &o->dims);
}

static cu_result result_of(sl_tensor *out, double n, int add) {
  return (cu_result){.out = sl_data(out),
                     .dtype = (int)out->dtype,
                     .add = add,
                     .n = n,
                     .fault = sl_cuda_fault(CU_FAULT_SUM)};
}

static sl_status reduce(const sl_call *c, cu_reduce *f) {
  const sl_reduce_opts *o = c->opts;
  const cu_result to = result_of(c->out[0], count_of(c), 0);
  sl_cuda_reduction r;
  SL_TRY(sl_cuda_reduction_open(&r, c->in[0], &o->dims));
  const int e = f(&r.r, &to, r.scratch.p, sl_cuda.stream);
  sl_cuda_reduction_close(&r);
  return sl_cuda_launched(e, "a reduction");
}

/* Strides of a dense result over x's shape: 0 where x was reduced. */
static void result_strides(const sl_tensor *x, const sl_ints *dims,
                           int64_t *stride) {
  int64_t step = 1;
  for (int d = x->rank - 1, i = dims->n - 1; d >= 0; d--) {
    const int reduced = i >= 0 && dims->v[i] == d;
    i -= reduced;
    stride[d] = reduced ? 0 : step;
    if (!reduced) step *= x->shape[d];
  }
}

static sl_status backward(const sl_call *c, cu_slope *f, double n) {
  const sl_reduce_opts *o = c->opts;
  int64_t stride[SL_MAX_RANK] = {0};
  cu_walk w;
  result_strides(c->in[0], &o->dims, stride);
  sl_walk_begin(&w, c->din[0]->rank, c->din[0]->shape);
  sl_walk_add(&w, c->din[0]);
  sl_walk_add(&w, c->in[0]);
  sl_walk_add_strided(&w, c->out[0], stride);
  sl_walk_add_strided(&w, c->dout[0], stride);
  sl_walk_end(&w);
  CU_LAUNCHED(f(&w, c->saved[0] ? sl_f32(c->saved[0]) : NULL, (float)n,
                c->add[0], sl_cuda.stream));
  return SL_OK;
}

#define FORWARD(name)                                                          \
  sl_status sl_cuda_##name(const sl_call *c) {                                 \
    return reduce(c, cu_##name);                                               \
  }
#define SL_REDUCE(name, map, finish, slope, dtype, help)                       \
  FORWARD(name)                                                                \
  sl_status sl_cuda_##name##_grad(const sl_call *c) {                          \
    return backward(c, cu_##name##_grad, count_of(c));                         \
  }
#define SL_REDUCE_FLAG(name, map, finish, help) FORWARD(name)
#include "ops/reduce.def"

/* --- var, std --------------------------------------------------------------
 */

/* n - 1, or n. */
static double divisor(const sl_call *c) {
  const sl_reduce_opts *o = c->opts;
  return fmax(count_of(c) - (o->unbiased ? 1 : 0), 0);
}

static sl_status spread_around(const sl_call *c, sl_cuda_reduction *r,
                               double *means, int root) {
  const cu_result mean = {.out = means,
                          .n = count_of(c),
                          .mean = c->saved[0] ? sl_f32(c->saved[0]) : NULL};
  const cu_result to = result_of(c->out[0], divisor(c), 0);
  CU_LAUNCHED(cu_plain_mean(&r->r, &mean, r->scratch.p, sl_cuda.stream));
  CU_LAUNCHED(cu_spread(&r->r, &to, means, root, r->scratch.p, sl_cuda.stream));
  return SL_OK;
}

static sl_status spread(const sl_call *c, int root) {
  const sl_reduce_opts *o = c->opts;
  sl_cuda_reduction r;
  sl_cuda_scratch means;
  SL_TRY(sl_cuda_scratch_get(&means, (size_t)sl_tensor_count(c->out[0]) *
                                         sizeof(double)));
  sl_status status = sl_cuda_reduction_open(&r, c->in[0], &o->dims);
  if (status == SL_OK) {
    status = spread_around(c, &r, means.p, root);
    sl_cuda_reduction_close(&r);
  }
  sl_cuda_scratch_drop(&means);
  return status;
}

sl_status sl_cuda_var(const sl_call *c) {
  return spread(c, 0);
}

sl_status sl_cuda_var_grad(const sl_call *c) {
  return backward(c, cu_var_grad, divisor(c));
}

sl_status sl_cuda_std(const sl_call *c) {
  return spread(c, 1);
}

sl_status sl_cuda_std_grad(const sl_call *c) {
  return backward(c, cu_std_grad, divisor(c));
}

/* --- extrema ---------------------------------------------------------------
 */

static sl_status extremum(const sl_call *c, int sign, sl_tensor *value,
                          sl_tensor *place) {
  const sl_extremum_opts *o = c->opts;
  sl_tensor *keep = c->saved[0];
  sl_cuda_reduction r;
  SL_TRY(sl_cuda_reduction_open(&r, c->in[0], &o->dim));
  const int e = cu_extremum(
      &r.r, sign, value ? sl_data(value) : NULL, place ? sl_i32(place) : NULL,
      keep ? sl_i32(keep) : NULL, r.scratch.p, sl_cuda.stream);
  sl_cuda_reduction_close(&r);
  return sl_cuda_launched(e, "cu_extremum");
}

sl_status sl_cuda_max(const sl_call *c) {
  return extremum(c, 1, c->out[0], c->out[1]);
}

sl_status sl_cuda_min(const sl_call *c) {
  return extremum(c, -1, c->out[0], c->out[1]);
}

sl_status sl_cuda_argmax(const sl_call *c) {
  return extremum(c, 1, NULL, c->out[0]);
}

sl_status sl_cuda_argmin(const sl_call *c) {
  return extremum(c, -1, NULL, c->out[0]);
}

/* Two walks through dense x: along what was kept, and along what was not. */
static void split(cu_walk *kept, cu_walk *reduced, const sl_tensor *x,
                  const sl_ints *dims) {
  int64_t step[SL_MAX_RANK], all = 1;
  cu_walk *const walks[] = {kept, reduced};
  for (int d = x->rank - 1; d >= 0; d--) {
    step[d] = all;
    all *= x->shape[d];
  }
  for (int k = 0; k < 2; k++)
    *walks[k] = (cu_walk){.n = 1, .n_views = 1};
  for (int d = 0, i = 0; d < x->rank; d++) {
    const int is = i < dims->n && dims->v[i] == d;
    cu_walk *w = walks[is];
    i += is;
    w->n *= x->shape[d];
    w->shape[w->rank] = x->shape[d];
    w->v[0].stride[w->rank++] = step[d];
  }
  sl_walk_end(kept);
  sl_walk_end(reduced);
}

static sl_status hand_back(const sl_call *c) {
  const sl_extremum_opts *o = c->opts;
  sl_tensor *dx = c->din[0];
  cu_walk kept, reduced;
  if (!c->add[0]) SL_TRY(sl_cuda_zero(sl_data(dx), sl_tensor_bytes(dx)));
  split(&kept, &reduced, dx, &o->dim);
  CU_LAUNCHED(cu_extremum_grad(sl_data(dx), (int)dx->dtype, sl_data(c->dout[0]),
                               sl_i32(c->saved[0]), &kept, &reduced,
                               sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_max_grad(const sl_call *c) {
  return hand_back(c);
}

sl_status sl_cuda_min_grad(const sl_call *c) {
  return hand_back(c);
}

/* --- gradients of broadcast inputs ------------------------------------------
 */

static sl_status sum_into(sl_tensor *out, sl_tensor *x, const sl_ints *dims,
                          int add) {
  const cu_result to = result_of(out, 1, add);
  sl_cuda_reduction r;
  SL_TRY(sl_cuda_reduction_open(&r, x, dims));
  const int e = cu_sum(&r.r, &to, r.scratch.p, sl_cuda.stream);
  sl_cuda_reduction_close(&r);
  return sl_cuda_launched(e, "cu_sum");
}

sl_status sl_cuda_reduce_to(sl_tensor *din, sl_tensor *g, int add) {
  sl_ints dims = {0};
  const int lead = g->rank - din->rank;
  if (!sl_tensor_is_contiguous(din))
    return sl_fail(SL_EINTERNAL, "a gradient with gaps");
  for (int d = 0; d < g->rank; d++)
    if (d < lead || (din->shape[d - lead] == 1 && g->shape[d] != 1))
      dims.v[dims.n++] = d;
  return sum_into(din, g, &dims, add);
}

sl_status sl_cuda_grad_begin(const sl_call *c, int i, sl_tensor **target,
                             int *add) {
  const sl_tensor *dout = c->dout[0];
  if (sl_tensor_same_shape(c->din[i], dout)) {
    *target = sl_tensor_retain(c->din[i]);
    *add = c->add[i];
    return SL_OK;
  }
  *add = 0;
  return sl_tensor_new(target, dout->backend, SL_F32, dout->rank, dout->shape);
}

sl_status sl_cuda_grad_finish(const sl_call *c, int i, sl_tensor *target) {
  sl_status status = SL_OK;
  if (target != c->din[i])
    status = sl_cuda_reduce_to(c->din[i], target, c->add[i]);
  sl_tensor_release(target);
  return status;
}

sl_status sl_cuda_sum_rows(const void *x, sl_dtype dtype, int64_t rows,
                           int64_t c, sl_tensor *out, int add) {
  const cu_result to = result_of(out, 1, add);
  cu_reduction r = {
      .x = x, .dtype = (int)dtype, .outer = 1, .n = rows, .inner = c};
  sl_cuda_scratch scratch;
  SL_TRY(sl_cuda_scratch_get(&scratch, cu_reduction_cut(&r)));
  const int e = cu_sum(&r, &to, scratch.p, sl_cuda.stream);
  sl_cuda_scratch_drop(&scratch);
  return sl_cuda_launched(e, "cu_sum");
}
