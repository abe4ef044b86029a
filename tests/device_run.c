/* device_run.c -- see device_run.h. */
#include "device_run.h"

#include <math.h>

#include "base/alloc.h"
#include "device_cases.h"
#include "ops/random.h"

const sl_backend *t_device;

/* --- running a case on a backend -------------------------------------------
 */

void t_results_free(t_results *r) {
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    sl_tensor_release(r->out[i]);
  for (int i = 0; i < T_MAX_IN; i++)
    sl_tensor_release(r->grad[i]);
  *r = (t_results){0};
}

/* t's values where no address is a multiple of more than an element. */
static void shift(sl_tensor **t) {
  const int64_t n = sl_tensor_count(*t) + 1;
  int64_t stride[SL_MAX_RANK] = {0}, step = 1;
  sl_tensor *base = NULL, *view = NULL, *was = *t;
  for (int d = was->rank - 1; d >= 0; d--) {
    stride[d] = step;
    step *= was->shape[d];
  }
  ck_assert_int_eq(sl_tensor_zeros(&base, was->backend, was->dtype, 1, &n),
                   SL_OK);
  ck_assert_int_eq(
      sl_tensor_view(&view, base, was->rank, was->shape, stride, 1), SL_OK);
  ck_assert_int_eq(was->backend->copy(view, was, 0), SL_OK);
  sl_tensor_release(base);
  sl_tensor_release(was);
  *t = view;
}

void t_device_inputs_make(t_device_inputs *v, const t_inputs *c,
                          const sl_backend *b, unsigned cast) {
  const sl_op *op = sl_op_get(c->id);
  const struct { int dtype; } bf16 = {SL_BF16};
  *v = (t_device_inputs){0};
  for (int i = 0; i < c->n_in; i++) {
    const unsigned bit = op->variadic ? 1u : 1u << i;
    if (!c->in[i]) continue;
    ck_assert_int_eq(sl_tensor_copy(&v->leaf[i], c->in[i], b, c->in[i]->dtype),
                     SL_OK);
    if (cast & T_SHIFTED) shift(&v->leaf[i]);
    if (c->in[i]->dtype == SL_F32 && (op->grad_in & bit))
      ck_assert_int_eq(sl_require_grad(v->leaf[i], 1), SL_OK);
    if (c->in[i]->dtype == SL_F32 && (cast >> i & 1))
      ck_assert_int_eq(sl_op_run(SL_OP_cast, &v->leaf[i], 1, &bf16, &v->in[i]),
                       SL_OK);
    else
      v->in[i] = sl_tensor_retain(v->leaf[i]);
  }
}

void t_device_inputs_free(t_device_inputs *v) {
  for (int i = 0; i < T_MAX_IN; i++) {
    sl_tensor_release(v->in[i]);
    sl_tensor_release(v->leaf[i]);
  }
}

sl_tensor *t_seed_of(const sl_tensor *out, const sl_backend *b) {
  const int64_t n = sl_tensor_count(out);
  float *v = sl_alloc((size_t)n + 1, sizeof *v);
  sl_tensor *host = NULL, *seed = NULL;
  for (int64_t i = 0; i < n; i++)
    v[i] = 0.25f * (float)(i % 7) - 0.5f;
  ck_assert_int_eq(
      sl_tensor_from(&host, &sl_cpu, SL_F32, out->rank, out->shape, v), SL_OK);
  ck_assert_int_eq(sl_tensor_copy(&seed, host, b, out->dtype), SL_OK);
  sl_tensor_release(host);
  sl_free(v);
  return seed;
}

void t_collect(t_results *r, const t_device_inputs *v, sl_tensor *const *out) {
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    if (out[i])
      ck_assert_int_eq(
          sl_tensor_copy(&r->out[i], out[i], &sl_cpu, out[i]->dtype), SL_OK);
  for (int i = 0; i < T_MAX_IN; i++) {
    sl_tensor *g = v->leaf[i] ? sl_grad(v->leaf[i]) : NULL;
    if (g)
      ck_assert_int_eq(sl_tensor_copy(&r->grad[i], g, &sl_cpu, SL_F32), SL_OK);
  }
}

sl_status t_run_on(const sl_backend *b, const t_inputs *c, unsigned cast,
                   int times, t_results *r) {
  t_device_inputs v;
  sl_tensor *out[SL_OP_MAX_OUT] = {0};
  *r = (t_results){0};
  sl_backend_set_default(b);
  sl_seed(7);
  t_device_inputs_make(&v, c, b, cast);
  sl_status status = SL_OK;
  for (int k = 0; k < times && status == SL_OK; k++) {
    for (int i = 0; i < SL_OP_MAX_OUT; i++) {
      sl_tensor_release(out[i]);
      out[i] = NULL;
    }
    status = sl_op_run(c->id, v.in, c->n_in, c->opts, out);
    if (status != SL_OK || !out[0]->node) continue;
    sl_tensor *seed = t_seed_of(out[0], b);
    status = sl_backward(out[0], seed);
    sl_tensor_release(seed);
    for (int i = 0; k == 0 && times > 1 && i < c->n_in; i++)
      if (v.in[i] && v.in[i] != v.leaf[i]) { /* its graph is used up */
        sl_tensor_release(v.in[i]);
        v.in[i] = sl_tensor_retain(v.leaf[i]);
      }
  }
  if (status == SL_OK) t_collect(r, &v, out);
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    sl_tensor_release(out[i]);
  t_device_inputs_free(&v);
  sl_backend_set_default(&sl_cpu);
  return status;
}

/* --- comparing -------------------------------------------------------------
 */

static double largest(const float *v, int64_t n) {
  double top = 0;
  for (int64_t i = 0; i < n; i++)
    if (isfinite(v[i])) top = fmax(top, fabs((double)v[i]));
  return top;
}

void t_compare(const char *name, const char *what, int k, sl_tensor *want,
               sl_tensor *got, double tol) {
  ck_assert_msg((want != NULL) == (got != NULL), "%s: %s %d is missing", name,
                what, k + 1);
  if (!want) return;
  ck_assert_msg(sl_tensor_same_shape(want, got) && want->dtype == got->dtype,
                "%s: %s %d is %s, not %s", name, what, k + 1,
                sl_shape_text(got), sl_shape_text(want));
  const int64_t n = sl_tensor_count(want);
  float *a = sl_alloc((size_t)n + 1, 2 * sizeof *a), *b = a + n;
  ck_assert_int_eq(sl_tensor_read(want, SL_F32, a, n), SL_OK);
  ck_assert_int_eq(sl_tensor_read(got, SL_F32, b, n), SL_OK);
  const double room = tol * (1e-3 + largest(a, n));
  for (int64_t i = 0; i < n; i++)
    ck_assert_msg(fabs((double)a[i] - (double)b[i]) <= room || a[i] == b[i] ||
                      (isnan(a[i]) && isnan(b[i])),
                  "%s: %s %d: element %lld of %lld is %.9g, not %.9g", name,
                  what, k + 1, (long long)i, (long long)n, (double)b[i],
                  (double)a[i]);
  sl_free(a);
}

void t_compare_all(const char *name, const t_results *want,
                   const t_results *got, double tol) {
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    t_compare(name, "result", i, want->out[i], got->out[i], tol);
  for (int i = 0; i < T_MAX_IN; i++)
    t_compare(name, "gradient of input", i, want->grad[i], got->grad[i], tol);
}

const t_case *t_case_at(int i) {
  int n = 0;
  while (t_cases[n].make)
    n++;
  return i < n ? &t_cases[i] : &t_device_cases[i - n];
}

int t_count_cases(void) {
  int n = 0;
  while (t_case_at(n)->make)
    n++;
  return n;
}

void t_same(const t_case *from, unsigned cast, int times, double tol) {
  t_inputs c;
  t_results want, got;
  t_inputs_make(&c, from);
  const char *name = sl_op_get(c.id)->name;
  const sl_status status = t_run_on(&sl_cpu, &c, cast, times, &want);
  if (status == SL_OK) {
    ck_assert_msg(t_run_on(t_device, &c, cast, times, &got) == SL_OK, "%s: %s",
                  name, sl_error());
    t_compare_all(name, &want, &got, tol);
    t_results_free(&got);
  } else {
    ck_assert_msg(cast, "%s: %s", name, sl_error());
  }
  t_results_free(&want);
  t_inputs_free(&c);
}
