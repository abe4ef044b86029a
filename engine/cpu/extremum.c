/* extremum.c -- CPU kernels of max, min, argmax, argmin: ops/extremum.h. */
#include "ops/extremum.h"

#include "base/alloc.h"
#include "cpu/cpu.h"
#include "cpu/elements.h"
#include "cpu/reduction.h"

/* value or place may be NULL: not wanted. place is written 1-based. */
static sl_status find(const sl_call *c, double sign, sl_tensor *value,
                      sl_tensor *place) {
  const sl_extremum_opts *o = c->opts;
  const int64_t n = sl_tensor_count(c->out[0]);
  double *best = sl_alloc_data((size_t)(n + 1) * sizeof *best);
  int32_t *at = sl_alloc_data((size_t)(n + 1) * sizeof *at);
  sl_reduction r = {0};
  sl_status status = best && at
                         ? sl_reduction_open(&r, c->in[0], &o->dim)
                         : sl_fail(SL_ENOMEM, "no memory for the results");
  if (status == SL_OK) status = sl_reduce_best(&r, sign, best, at);
  for (int64_t i = 0; i < n && status == SL_OK; i++) {
    if (value) sl_set_element(value, i, sign * best[i]);
    if (place) sl_i32(place)[i] = at[i] + 1;
  }
  sl_reduction_close(&r);
  sl_free_data(best);
  sl_free_data(at);
  return status;
}

static sl_status find_both(const sl_call *c, double sign) {
  sl_tensor *const keep = c->saved[0];
  SL_TRY(find(c, sign, c->out[0], keep ? keep : c->out[1]));
  return keep && c->out[1] ? sl_cpu_copy(c->out[1], keep, 0) : SL_OK;
}

sl_status sl_cpu_max(const sl_call *c) {
  return find_both(c, 1);
}

sl_status sl_cpu_min(const sl_call *c) {
  return find_both(c, -1);
}

sl_status sl_cpu_argmax(const sl_call *c) {
  return find(c, 1, NULL, c->out[0]);
}

sl_status sl_cpu_argmin(const sl_call *c) {
  return find(c, -1, NULL, c->out[0]);
}

/* Where in dense x the element is that result number `kept` took from place
 * `taken` of the reduced dimensions. */
static int64_t position(const sl_tensor *x, const sl_ints *dims, int64_t kept,
                        int64_t taken) {
  int64_t at = 0, step = 1;
  for (int d = x->rank - 1, i = dims->n - 1; d >= 0; d--) {
    const int reduced = i >= 0 && dims->v[i] == d;
    int64_t *rest = reduced ? &taken : &kept;
    i -= reduced;
    at += *rest % x->shape[d] * step;
    *rest /= x->shape[d];
    step *= x->shape[d];
  }
  return at;
}

static sl_status hand_back(const sl_call *c) {
  const sl_extremum_opts *o = c->opts;
  sl_tensor *dx = c->din[0];
  const sl_tensor *dy = c->dout[0];
  const int32_t *place = sl_i32(c->saved[0]);
  if (!c->add[0]) SL_TRY(sl_cpu.zero(sl_data(dx), sl_tensor_bytes(dx)));
  for (int64_t i = 0; i < sl_tensor_count(dy); i++)
    sl_add_element(dx, position(dx, &o->dim, i, place[i] - 1),
                   sl_element(dy, i));
  return SL_OK;
}

sl_status sl_cpu_max_grad(const sl_call *c) {
  return hand_back(c);
}

sl_status sl_cpu_min_grad(const sl_call *c) {
  return hand_back(c);
}
