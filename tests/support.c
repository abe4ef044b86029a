/* support.c -- see support.h. */
#include "support.h"
#include "data/decode.h"

#include <lauxlib.h>
#include <lualib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/threads.h"
#include "lua/slua.h"

static sl_tensor *make(sl_dtype d, const void *v, int rank, va_list sizes) {
  int64_t shape[SL_MAX_RANK] = {0};
  sl_tensor *t = NULL;
  for (int i = 0; i < rank; i++)
    shape[i] = va_arg(sizes, int);
  const sl_status s = v ? sl_tensor_from(&t, &sl_cpu, d, rank, shape, v)
                        : sl_tensor_zeros(&t, &sl_cpu, d, rank, shape);
  ck_assert_msg(s == SL_OK, "%s", sl_error());
  return t;
}

sl_tensor *t_f32(const float *v, int rank, ...) {
  va_list sizes;
  va_start(sizes, rank);
  sl_tensor *t = make(SL_F32, v, rank, sizes);
  va_end(sizes);
  return t;
}

sl_tensor *t_i32(const int32_t *v, int rank, ...) {
  va_list sizes;
  va_start(sizes, rank);
  sl_tensor *t = make(SL_I32, v, rank, sizes);
  va_end(sizes);
  return t;
}

sl_tensor *t_u8(const uint8_t *v, int rank, ...) {
  va_list sizes;
  va_start(sizes, rank);
  sl_tensor *t = make(SL_U8, v, rank, sizes);
  va_end(sizes);
  return t;
}

sl_tensor *t_zeros(sl_dtype d, int rank, ...) {
  va_list sizes;
  va_start(sizes, rank);
  sl_tensor *t = make(d, NULL, rank, sizes);
  va_end(sizes);
  return t;
}

static void randomise(sl_tensor *t, unsigned seed, float lo, float hi) {
  sl_rng r = sl_rng_at(seed, 0, 0, SL_RNG_USER);
  for (int64_t i = 0; i < sl_tensor_count(t); i++)
    sl_f32(t)[i] = lo + (hi - lo) * sl_rng_uniform(&r);
}

sl_tensor *t_random(unsigned seed, float lo, float hi, int rank, ...) {
  va_list sizes;
  va_start(sizes, rank);
  sl_tensor *t = make(SL_F32, NULL, rank, sizes);
  va_end(sizes);
  randomise(t, seed, lo, hi);
  return t;
}

sl_tensor *t_run_in(sl_op_id id, const void *opts, sl_tensor *const *in,
                    int n_in) {
  sl_tensor *out[SL_OP_MAX_OUT] = {0};
  ck_assert_msg(sl_op_run(id, in, n_in, opts, out) == SL_OK, "%s: %s",
                sl_op_get(id)->name, sl_error());
  for (int i = 1; i < SL_OP_MAX_OUT; i++)
    sl_tensor_release(out[i]);
  return out[0];
}

sl_tensor *t_run(sl_op_id id, const void *opts, int n_in, ...) {
  sl_tensor *in[SL_OP_MAX_IN] = {0};
  va_list args;
  va_start(args, n_in);
  for (int i = 0; i < n_in; i++)
    in[i] = va_arg(args, sl_tensor *);
  va_end(args);
  return t_run_in(id, opts, in, n_in);
}

void t_fails(const char *want, sl_op_id id, const void *opts, int n_in, ...) {
  sl_tensor *in[SL_OP_MAX_IN] = {0}, *out[SL_OP_MAX_OUT] = {0};
  va_list args;
  va_start(args, n_in);
  for (int i = 0; i < n_in; i++)
    in[i] = va_arg(args, sl_tensor *);
  va_end(args);
  ck_assert_msg(sl_op_run(id, in, n_in, opts, out) != SL_OK,
                "%s did not fail; want: %s", sl_op_get(id)->name, want);
  ck_assert_msg(strstr(sl_error(), want) != NULL, "got \"%s\", want \"%s\"",
                sl_error(), want);
}

void t_close(sl_tensor *t, const float *want, int64_t n, double tol) {
  ck_assert_int_eq(sl_tensor_count(t), n);
  float *have = calloc((size_t)n + 1, sizeof *have);
  ck_assert_int_eq(sl_tensor_read(t, SL_F32, have, n), SL_OK);
  for (int64_t i = 0; i < n; i++)
    ck_assert_msg(fabs((double)have[i] - (double)want[i]) <= tol ||
                      (isnan(have[i]) && isnan(want[i])) || have[i] == want[i],
                  "element %lld: %.9g, want %.9g", (long long)i,
                  (double)have[i], (double)want[i]);
  free(have);
}

void t_equal_tensors(sl_tensor *a, sl_tensor *b, double tol) {
  ck_assert(sl_tensor_same_shape(a, b));
  const int64_t n = sl_tensor_count(b);
  float *want = calloc((size_t)n + 1, sizeof *want);
  ck_assert_int_eq(sl_tensor_read(b, SL_F32, want, n), SL_OK);
  t_close(a, want, n, tol);
  free(want);
}

/* sum(weights * first result), in double. */
static double weighted(sl_op_id id, sl_tensor *const *in, int n_in,
                       const void *opts) {
  const int was = sl_tape_enable(0);
  sl_tensor *out = t_run_in(id, opts, in, n_in);
  sl_tape_enable(was);
  const int64_t n = sl_tensor_count(out);
  float *v = calloc((size_t)n + 1, sizeof *v);
  ck_assert_int_eq(sl_tensor_read(out, SL_F32, v, n), SL_OK);
  sl_rng r = sl_rng_at(99, 0, 0, SL_RNG_USER);
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    sum += (double)v[i] * (0.5 + (double)sl_rng_uniform(&r));
  free(v);
  sl_tensor_release(out);
  return sum;
}

static void analytic(sl_op_id id, sl_tensor *const *in, int n_in,
                     const void *opts) {
  sl_tensor *out = t_run_in(id, opts, in, n_in), *seed = NULL;
  ck_assert_int_eq(sl_tensor_new(&seed, &sl_cpu, SL_F32, out->rank, out->shape),
                   SL_OK);
  sl_rng r = sl_rng_at(99, 0, 0, SL_RNG_USER);
  for (int64_t i = 0; i < sl_tensor_count(out); i++)
    sl_f32(seed)[i] = 0.5f + sl_rng_uniform(&r);
  ck_assert_msg(sl_backward(out, seed) == SL_OK, "%s", sl_error());
  sl_tensor_release(seed);
  sl_tensor_release(out);
}

void t_gradcheck(sl_op_id id, sl_tensor *const *in, int n_in, const void *opts,
                 int i, double h, double tol) {
  const int was = in[i]->requires_grad;
  ck_assert_int_eq(sl_require_grad(in[i], 1), SL_OK);
  sl_grad_clear(in[i]);
  analytic(id, in, n_in, opts);
  ck_assert_msg(sl_grad(in[i]) != NULL, "no gradient for input %d", i + 1);
  float *x = sl_f32(in[i]);
  for (int64_t j = 0; j < sl_tensor_count(in[i]); j++) {
    const float keep = x[j];
    x[j] = (float)((double)keep + h);
    const double up = weighted(id, in, n_in, opts), hi = (double)x[j];
    x[j] = (float)((double)keep - h);
    const double down = weighted(id, in, n_in, opts), lo = (double)x[j];
    x[j] = keep;
    const double want = (up - down) / (hi - lo);
    const double have = (double)sl_f32(sl_grad(in[i]))[j];
    ck_assert_msg(fabs(have - want) <= tol * (1 + fabs(want)),
                  "%s: gradient %lld of input %d is %.7g, central differences "
                  "say %.7g",
                  sl_op_get(id)->name, (long long)j, i + 1, have, want);
  }
  sl_grad_clear(in[i]);
  ck_assert_int_eq(sl_require_grad(in[i], was), SL_OK);
}

static const char prelude[] =
    "function fails(want, f, ...)\n"
    "  local ok, why = pcall(f, ...)\n"
    "  assert(not ok, 'no error; want: ' .. want)\n"
    "  why = tostring(why)\n"
    "  assert(why:find(want, 1, true), 'got: ' .. why .. '; want: ' .. want)\n"
    "end\n";

void t_lua(const char *chunk) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_requiref(L, "sota.core", luaopen_sota_core, 0);
  lua_setglobal(L, "sota");
  int failed = luaL_dostring(L, prelude);
  if (!failed) failed = luaL_loadstring(L, chunk) || slua_pcall(L, 0, 0);
  ck_assert_msg(!failed, "%s", failed ? luaL_tolstring(L, -1, NULL) : "");
  lua_close(L);
}

void t_no_leaks(void) {
  ck_assert_int_eq(sl_tensor_live(), 0);
}

Suite *t_suite(const char *name, TCase **tc) {
  Suite *s = suite_create(name);
  *tc = tcase_create(name);
  tcase_add_checked_fixture(*tc, NULL, t_no_leaks);
  tcase_set_timeout(*tc, 120);
  suite_add_tcase(s, *tc);
  return s;
}

int t_main(Suite *s) {
  sl_decode_allow_untrusted(1); /* tests write PNM files: they are easy to */
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  const int failed = srunner_ntests_failed(r);
  srunner_free(r);
  sl_pool_stop();
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
