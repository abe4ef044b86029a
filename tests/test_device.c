/* test_device.c -- another device against the CPU: every operation, forward and
 * backward, in f32 and bf16; optimisers, copies, errors found in data. The
 * device is SL_TEST_DEVICE, or cuda; without it the suite is skipped. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/update.h"
#include "base/alloc.h"
#include "device_cases.h"
#include "ops/random.h"
#include "registry_cases.h"
#include "support.h"

enum { MAX_IN = 8, SKIPPED = 77 };

static const sl_backend *device;

/* --- running a case on a backend -------------------------------------------
 */

typedef struct results {
  sl_tensor *out[SL_OP_MAX_OUT], *grad[MAX_IN];
} results;

static void results_free(results *r) {
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    sl_tensor_release(r->out[i]);
  for (int i = 0; i < MAX_IN; i++)
    sl_tensor_release(r->grad[i]);
  *r = (results){0};
}

/* Copies of the inputs on b; of those in `cast` bf16 values, as autocast makes
 * them: from parameters that are f32. */
typedef struct inputs {
  sl_tensor *leaf[MAX_IN], *in[MAX_IN];
} inputs;

static void inputs_make(inputs *v, const t_inputs *c, const sl_backend *b,
                        unsigned cast) {
  const sl_op *op = sl_op_get(c->id);
  const struct { int dtype; } bf16 = {SL_BF16};
  *v = (inputs){0};
  for (int i = 0; i < c->n_in; i++) {
    const unsigned bit = op->variadic ? 1u : 1u << i;
    if (!c->in[i]) continue;
    ck_assert_int_eq(sl_tensor_copy(&v->leaf[i], c->in[i], b, c->in[i]->dtype),
                     SL_OK);
    if (c->in[i]->dtype == SL_F32 && (op->grad_in & bit))
      ck_assert_int_eq(sl_require_grad(v->leaf[i], 1), SL_OK);
    if (c->in[i]->dtype == SL_F32 && (cast >> i & 1))
      ck_assert_int_eq(sl_op_run(SL_OP_cast, &v->leaf[i], 1, &bf16, &v->in[i]),
                       SL_OK);
    else
      v->in[i] = sl_tensor_retain(v->leaf[i]);
  }
}

static void inputs_free(inputs *v) {
  for (int i = 0; i < MAX_IN; i++) {
    sl_tensor_release(v->in[i]);
    sl_tensor_release(v->leaf[i]);
  }
}

/* A gradient for out that differs from element to element. */
static sl_tensor *seed_of(const sl_tensor *out, const sl_backend *b) {
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

static void collect(results *r, const inputs *v, sl_tensor *const *out) {
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    if (out[i])
      ck_assert_int_eq(
          sl_tensor_copy(&r->out[i], out[i], &sl_cpu, out[i]->dtype), SL_OK);
  for (int i = 0; i < MAX_IN; i++) {
    sl_tensor *g = v->leaf[i] ? sl_grad(v->leaf[i]) : NULL;
    if (g)
      ck_assert_int_eq(sl_tensor_copy(&r->grad[i], g, &sl_cpu, SL_F32), SL_OK);
  }
}

/* `times` backward passes: from the second on gradients are added. Inputs that
 * are written in place (running statistics) count as results. */
static sl_status run_on(const sl_backend *b, const t_inputs *c, unsigned cast,
                        int times, results *r) {
  inputs v;
  sl_tensor *out[SL_OP_MAX_OUT] = {0};
  *r = (results){0};
  sl_backend_set_default(b);
  sl_seed(7);
  inputs_make(&v, c, b, cast);
  sl_status status = SL_OK;
  for (int k = 0; k < times && status == SL_OK; k++) {
    for (int i = 0; i < SL_OP_MAX_OUT; i++) {
      sl_tensor_release(out[i]);
      out[i] = NULL;
    }
    status = sl_op_run(c->id, v.in, c->n_in, c->opts, out);
    if (status != SL_OK || !out[0]->node) continue;
    sl_tensor *seed = seed_of(out[0], b);
    status = sl_backward(out[0], seed);
    sl_tensor_release(seed);
    for (int i = 0; k == 0 && times > 1 && i < c->n_in; i++)
      if (v.in[i] && v.in[i] != v.leaf[i]) { /* its graph is used up */
        sl_tensor_release(v.in[i]);
        v.in[i] = sl_tensor_retain(v.leaf[i]);
      }
  }
  if (status == SL_OK) collect(r, &v, out);
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    sl_tensor_release(out[i]);
  inputs_free(&v);
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

/* To a share of the largest element. */
static void compare(const char *name, const char *what, int k, sl_tensor *want,
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

static void compare_all(const char *name, const results *want,
                        const results *got, double tol) {
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    compare(name, "result", i, want->out[i], got->out[i], tol);
  for (int i = 0; i < MAX_IN; i++)
    compare(name, "gradient of input", i, want->grad[i], got->grad[i], tol);
}

static const t_case *case_at(int i) {
  int n = 0;
  while (t_cases[n].make)
    n++;
  return i < n ? &t_cases[i] : &t_device_cases[i - n];
}

static int count_cases(void) {
  int n = 0;
  while (case_at(n)->make)
    n++;
  return n;
}

static void same(const t_case *from, unsigned cast, int times, double tol) {
  t_inputs c;
  results want, got;
  t_inputs_make(&c, from);
  const char *name = sl_op_get(c.id)->name;
  const sl_status status = run_on(&sl_cpu, &c, cast, times, &want);
  if (status == SL_OK) {
    ck_assert_msg(run_on(device, &c, cast, times, &got) == SL_OK, "%s: %s",
                  name, sl_error());
    compare_all(name, &want, &got, tol);
    results_free(&got);
  } else {
    ck_assert_msg(cast, "%s: %s", name, sl_error());
  }
  results_free(&want);
  t_inputs_free(&c);
}

START_TEST(f32) {
  same(case_at(_i), 0, 1, 2e-5);
}
END_TEST

START_TEST(gradients_add_up) {
  same(case_at(_i), 0, 2, 2e-5);
}
END_TEST

/* Which inputs an op takes as bf16 differs: those that it refuses, the CPU
 * refuses too, and the case is of the others. */
START_TEST(bf16) {
  static const unsigned masks[] = {~0u, 1, 1 | 1u << 5, 1 | 1u << 6, 3};
  for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
    same(case_at(_i), masks[i], 1, 2e-2);
}
END_TEST

/* --- the table -------------------------------------------------------------
 */

/* As many kernels as the registry has operations. */
START_TEST(every_op) {
  int there = 0, wanted = 0;
  for (int id = 0; id < SL_OP_COUNT; id++) {
    const sl_kernels *k = &device->kernels[id], *cpu = &sl_cpu.kernels[id];
    wanted += (cpu->forward != NULL) + (cpu->backward != NULL);
    there += (k->forward != NULL) + (k->backward != NULL);
    ck_assert_msg(!k->forward || k->forward != cpu->forward,
                  "%s falls back to the CPU", sl_op_get((sl_op_id)id)->name);
  }
  ck_assert_int_eq(there, wanted);
  ck_assert_int_gt(there, 100);
}
END_TEST

/* --- copies ----------------------------------------------------------------
 */

START_TEST(copies_between_dtypes) {
  const float v[] = {0,     -0.5f, 1.5f,   255,  256.7f, -3,
                     1e10f, NAN,   -1e10f, 0.1f, 7,      100};
  const sl_dtype from = (sl_dtype)(_i / SL_DTYPE_COUNT),
                 to = (sl_dtype)(_i % SL_DTYPE_COUNT);
  sl_tensor *x = t_f32(v, 2, 3, 4), *y = NULL, *there = NULL, *want = NULL,
            *got = NULL;
  ck_assert_int_eq(sl_tensor_copy(&y, x, &sl_cpu, from), SL_OK);
  ck_assert_int_eq(sl_tensor_copy(&want, y, &sl_cpu, to), SL_OK);
  ck_assert_int_eq(sl_tensor_copy(&there, y, device, from), SL_OK);
  ck_assert_int_eq(sl_tensor_copy(&got, there, device, to), SL_OK);
  compare("copy", "dtype", _i, want, got, 0);
  sl_tensor_release(x);
  sl_tensor_release(y);
  sl_tensor_release(there);
  sl_tensor_release(want);
  sl_tensor_release(got);
}
END_TEST

/* More than pinned memory holds at once, up and down. */
START_TEST(large_transfers) {
  const int64_t n = 3 * (4 << 20) / 4 + 12345;
  float *v = sl_alloc((size_t)n, sizeof *v), *back = NULL;
  sl_tensor *t = NULL;
  for (int64_t i = 0; i < n; i++)
    v[i] = (float)(i * 7 % 1000003);
  ck_assert_int_eq(sl_tensor_from(&t, device, SL_F32, 1, &n, v), SL_OK);
  back = sl_alloc((size_t)n, sizeof *back);
  ck_assert_int_eq(sl_tensor_read(t, SL_F32, back, n), SL_OK);
  ck_assert_int_eq(memcmp(v, back, (size_t)n * sizeof *v), 0);
  sl_tensor_release(t);
  sl_free(v);
  sl_free(back);
}
END_TEST

/* Uploads return before their bytes are used: what was given may change. */
START_TEST(uploads_take_a_copy) {
  enum { TIMES = 200 };
  const int64_t n = 1000;
  sl_tensor *t[TIMES] = {0};
  float v[1000];
  for (int k = 0; k < TIMES; k++) {
    for (int i = 0; i < n; i++)
      v[i] = (float)(k * 1000 + i);
    ck_assert_int_eq(sl_tensor_from(&t[k], device, SL_F32, 1, &n, v), SL_OK);
  }
  for (int k = 0; k < TIMES; k++) {
    ck_assert_int_eq(sl_tensor_read(t[k], SL_F32, v, n), SL_OK);
    ck_assert_int_eq((int)v[0], k * 1000);
    ck_assert_int_eq((int)v[999], k * 1000 + 999);
    sl_tensor_release(t[k]);
  }
}
END_TEST

/* --- faults in data --------------------------------------------------------
 */

static void fails_when_read(sl_op_id id, sl_tensor **in, int n_in,
                            const char *want) {
  sl_tensor *out = NULL, *there[2] = {0};
  float v[64];
  for (int i = 0; i < n_in; i++)
    ck_assert_int_eq(sl_tensor_copy(&there[i], in[i], device, in[i]->dtype),
                     SL_OK);
  ck_assert_msg(sl_op_run(id, there, n_in, NULL, &out) == SL_OK, "%s",
                sl_error());
  ck_assert_int_eq(sl_tensor_read(out, SL_F32, v, sl_tensor_count(out)),
                   SL_EINVAL);
  ck_assert_msg(strstr(sl_error(), want), "%s", sl_error());
  /* Once: what follows is not to blame. */
  ck_assert_int_eq(sl_tensor_read(out, SL_F32, v, sl_tensor_count(out)), SL_OK);
  sl_tensor_release(out);
  for (int i = 0; i < n_in; i++)
    sl_tensor_release(there[i]);
}

START_TEST(labels_out_of_range) {
  sl_tensor *in[] = {t_random(1, -1, 1, 2, 3, 4),
                     t_i32((const int32_t[]){4, 9, -1}, 1, 3)};
  fails_when_read(SL_OP_cross_entropy, in, 2,
                  "label 9 of sample 2 is not a class number: 1..4");
  sl_tensor_release(in[0]);
  sl_tensor_release(in[1]);
}
END_TEST

START_TEST(index_out_of_range) {
  sl_tensor *in[] = {t_random(1, -1, 1, 2, 3, 4),
                     t_i32((const int32_t[]){1, 3, 0}, 1, 3)};
  fails_when_read(SL_OP_index_select, in, 2,
                  "number 0 at position 3 of index is not in 1..3");
  sl_tensor_release(in[0]);
  sl_tensor_release(in[1]);
}
END_TEST

START_TEST(sum_out_of_range) {
  sl_tensor *in[] = {t_i32((const int32_t[]){INT32_MAX, 1}, 1, 2)};
  fails_when_read(SL_OP_sum, in, 1, "the sum 2147483648 does not fit into i32");
  sl_tensor_release(in[0]);
}
END_TEST

/* --- optimisers ------------------------------------------------------------
 */

enum { TENSORS = 4, ARRAYS = 5 };
static const int64_t sizes[TENSORS] = {10000, 1, 4097, 256};

/* p, g, m, s and slow of each tensor. */
typedef struct state {
  sl_tensor *at[TENSORS][ARRAYS];
} state;

static void state_make(state *s, const sl_backend *b) {
  for (int t = 0; t < TENSORS; t++)
    for (int k = 0; k < ARRAYS; k++) {
      const float low = k == 3 ? 0.01f : -1; /* squares are positive */
      sl_tensor *host =
          t_random((unsigned)(10 * t + k), low, 1, 1, (int)sizes[t]);
      ck_assert_int_eq(sl_tensor_copy(&s->at[t][k], host, b, SL_F32), SL_OK);
      sl_tensor_release(host);
    }
}

static void state_free(state *s) {
  for (int t = 0; t < TENSORS; t++)
    for (int k = 0; k < ARRAYS; k++)
      sl_tensor_release(s->at[t][k]);
}

static sl_update_coef coefficients(int t) {
  return (sl_update_coef){.decay = 0.99f,
                          .l2 = 0.01f,
                          .grad_scale = 0.5f,
                          .mom = 0.9f,
                          .damp = 0.1f,
                          .sqr_mom = 0.99f,
                          .sqr_damp = 0.01f,
                          .lr = 0.01f * (float)(t + 1),
                          .avg_debias = 1.1f,
                          .sqr_debias = 1.2f,
                          .eps = 1e-5f,
                          .nu1 = 0.7f,
                          .nu2 = 0.9f,
                          .beta = 50,
                          .trust = 0.02f,
                          .wd = 0.01f,
                          .flag = t % 2};
}

static void items_of(sl_update_item *items, const state *s) {
  for (int t = 0; t < TENSORS; t++)
    items[t] = (sl_update_item){.n = sizes[t],
                                .p = sl_f32(s->at[t][0]),
                                .g = sl_f32(s->at[t][1]),
                                .m = sl_f32(s->at[t][2]),
                                .s = sl_f32(s->at[t][3]),
                                .slow = t > 1 ? sl_f32(s->at[t][4]) : NULL,
                                .c = coefficients(t)};
}

static void update_on(const sl_backend *b, sl_rule rule, state *s) {
  sl_update_item items[TENSORS];
  const sl_update u = {rule, 0.5f, items, TENSORS};
  state_make(s, b);
  items_of(items, s);
  for (int step = 0; step < 2; step++)
    ck_assert_msg(b->update(&u) == SL_OK, "%s", sl_error());
}

START_TEST(updates) {
  static const char *const arrays[ARRAYS] = {"p", "g", "m", "s", "slow"};
  state want, got;
  update_on(&sl_cpu, (sl_rule)_i, &want);
  update_on(device, (sl_rule)_i, &got);
  for (int t = 0; t < TENSORS; t++)
    for (int k = 0; k < ARRAYS; k++) {
      sl_tensor *host = NULL;
      ck_assert_int_eq(sl_tensor_copy(&host, got.at[t][k], &sl_cpu, SL_F32),
                       SL_OK);
      compare("update", arrays[k], t, want.at[t][k], host, 1e-5);
      sl_tensor_release(host);
    }
  state_free(&want);
  state_free(&got);
}
END_TEST

START_TEST(norm_of_gradients) {
  double sum[2];
  for (int i = 0; i < 2; i++) {
    const sl_backend *b = i ? device : &sl_cpu;
    sl_update_item items[TENSORS];
    const sl_update u = {SL_RULE_sgd, 0, items, TENSORS};
    state s;
    state_make(&s, b);
    items_of(items, &s);
    ck_assert_int_eq(b->grad_squares(&u, &sum[i]), SL_OK);
    state_free(&s);
  }
  ck_assert_double_eq_tol(sum[0], sum[1], 1e-9 * sum[0]);
}
END_TEST

START_TEST(averages) {
  static const double keeps[] = {0, 0.9};
  state s[2];
  for (int i = 0; i < 2; i++) {
    const sl_backend *b = i ? device : &sl_cpu;
    sl_average_item items[TENSORS];
    const sl_average w = {keeps[_i], items, TENSORS};
    state_make(&s[i], b);
    for (int t = 0; t < TENSORS; t++)
      items[t] = (sl_average_item){sizes[t], sl_f32(s[i].at[t][0]),
                                   sl_f32(s[i].at[t][1])};
    ck_assert_int_eq(b->average(&w), SL_OK);
  }
  for (int t = 0; t < TENSORS; t++) {
    sl_tensor *host = NULL;
    ck_assert_int_eq(sl_tensor_copy(&host, s[1].at[t][0], &sl_cpu, SL_F32),
                     SL_OK);
    compare("average", "tensor", t, s[0].at[t][0], host, 1e-6);
    sl_tensor_release(host);
  }
  state_free(&s[0]);
  state_free(&s[1]);
}
END_TEST

/* --- memory ----------------------------------------------------------------
 */

static void all_given_back(void) {
  t_no_leaks();
  ck_assert_int_eq(device->used(), 0);
}

START_TEST(memory_is_counted) {
  const int64_t n = 1000;
  sl_tensor *t = NULL;
  device->peak(1);
  ck_assert_int_eq(sl_tensor_zeros(&t, device, SL_F32, 1, &n), SL_OK);
  ck_assert_int_eq(device->used(), 4000);
  sl_tensor_release(t);
  ck_assert_int_eq(device->used(), 0);
  ck_assert_int_eq(device->peak(1), 4000);
  device->trim();
  ck_assert_int_gt(device->room(), 0);
}
END_TEST

START_TEST(too_large) {
  const int64_t n = (int64_t)1 << 42;
  sl_tensor *t = NULL;
  ck_assert_int_eq(sl_tensor_zeros(&t, device, SL_F32, 1, &n), SL_ENOMEM);
  ck_assert_msg(strstr(sl_error(), device->name), "%s", sl_error());
}
END_TEST

/* Where memory on the host runs out, nothing is left behind. */
START_TEST(host_memory_runs_out) {
  t_inputs c;
  t_inputs_make(&c, case_at(_i));
  for (int n = 1;; n++) {
    inputs v;
    sl_tensor *out[SL_OP_MAX_OUT] = {0};
    inputs_make(&v, &c, device, 0);
    device->trim();
    sl_alloc_fail_at(n);
    sl_backend_set_default(device);
    sl_status status = sl_op_run(c.id, v.in, c.n_in, c.opts, out);
    const int left = sl_alloc_fail_at(0);
    sl_backend_set_default(&sl_cpu);
    ck_assert_msg(status == SL_OK || status == SL_ENOMEM, "%s: %s",
                  sl_op_get(c.id)->name, sl_error());
    for (int i = 0; i < SL_OP_MAX_OUT; i++)
      sl_tensor_release(out[i]);
    inputs_free(&v);
    ck_assert_int_eq(device->used(), 0);
    if (left > 0) break;
  }
  t_inputs_free(&c);
}
END_TEST

/* --- faults of the device ---------------------------------------------------
 * The emulator (tests/cuda/emu.h) makes any call of CUDA's libraries fail. */

static int64_t (*fail_at)(int64_t n, int for_ever);

static void find_emulator(void) {
  const char *path = getenv("SOTA_CUDA_PLUGIN");
  void *module = path ? dlopen(path, RTLD_NOW | RTLD_NOLOAD) : NULL;
  void *symbol = module ? dlsym(module, "cuda_emu_fail_at") : NULL;
  memcpy(&fail_at, &symbol, sizeof symbol);
}

/* Forward and backward with the n-th call failing; 0: there was no n-th. What
 * succeeds all the same (memory was asked for again) must be right. */
static int run_failing(const t_inputs *c, int64_t n, const results *want) {
  results got = {0};
  inputs v;
  sl_tensor *out[SL_OP_MAX_OUT] = {0}, *seed = NULL;
  sl_seed(7);
  inputs_make(&v, c, device, 0);
  sl_backend_set_default(device);
  fail_at(n, 0);
  sl_status status = sl_op_run(c->id, v.in, c->n_in, c->opts, out);
  if (status == SL_OK && out[0]->node) {
    const int64_t left = fail_at(0, 0); /* the seed is the test's own */
    seed = seed_of(out[0], device);
    fail_at(left, 0);
    status = sl_backward(out[0], seed);
  }
  if (status == SL_OK) status = device->synchronise();
  const int64_t left = fail_at(0, 0);
  sl_backend_set_default(&sl_cpu);
  ck_assert_msg(status == SL_OK || strlen(sl_error()) > 10, "%s, call %lld: %s",
                sl_op_get(c->id)->name, (long long)n, sl_error());
  if (status == SL_OK) {
    collect(&got, &v, out);
    compare_all(sl_op_get(c->id)->name, want, &got, 2e-5);
    results_free(&got);
  }
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    sl_tensor_release(out[i]);
  sl_tensor_release(seed);
  inputs_free(&v);
  return left == 0;
}

/* Nothing is left behind, and the next run is right. */
START_TEST(every_call_fails) {
  t_inputs c;
  results want;
  t_inputs_make(&c, case_at(_i));
  ck_assert_int_eq(run_on(&sl_cpu, &c, 0, 1, &want), SL_OK);
  device->trim(); /* so that memory must be asked for */
  for (int64_t n = 1; run_failing(&c, n, &want); n++) {
    ck_assert_int_eq(device->used(), 0);
    ck_assert_int_lt(n, 2000);
  }
  results_free(&want);
  t_inputs_free(&c);
  same(case_at(_i), 0, 1, 2e-5);
}
END_TEST

static int open_device(void) {
  const char *name = getenv("SL_TEST_DEVICE");
  device = sl_backend_find(name && *name ? name : "cuda");
  sl_backend_set_default(&sl_cpu);
  if (device) return 1;
  fprintf(stderr, "skipped: %s\n", sl_error());
  return 0;
}

int main(void) {
  Suite *s = suite_create("device");
  TCase *tc = tcase_create("device");
  setenv("CK_FORK", "no", 1); /* a device does not survive fork() */
  if (!open_device()) return SKIPPED;
  const int n = count_cases();
  tcase_set_timeout(tc, 0);
  tcase_add_checked_fixture(tc, NULL, all_given_back);
  tcase_add_test(tc, every_op);
  tcase_add_loop_test(tc, f32, 0, n);
  tcase_add_loop_test(tc, gradients_add_up, 0, n);
  if (device->bf16() != SL_BF16_NONE) tcase_add_loop_test(tc, bf16, 0, n);
  tcase_add_loop_test(tc, copies_between_dtypes, 0,
                      SL_DTYPE_COUNT * SL_DTYPE_COUNT);
  tcase_add_test(tc, large_transfers);
  tcase_add_test(tc, uploads_take_a_copy);
  tcase_add_test(tc, labels_out_of_range);
  tcase_add_test(tc, index_out_of_range);
  tcase_add_test(tc, sum_out_of_range);
  tcase_add_loop_test(tc, updates, 0, SL_RULE_COUNT);
  tcase_add_test(tc, norm_of_gradients);
  tcase_add_loop_test(tc, averages, 0, 2);
  tcase_add_test(tc, memory_is_counted);
  tcase_add_test(tc, too_large);
  tcase_add_loop_test(tc, host_memory_runs_out, 0, n);
  find_emulator();
  if (fail_at) tcase_add_loop_test(tc, every_call_fails, 0, n);
  suite_add_tcase(s, tc);
  return t_main(s);
}
