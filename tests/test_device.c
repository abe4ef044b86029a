/* test_device.c -- another device against the CPU: every operation, forward and
 * backward, in f32 and bf16; optimisers, copies, errors found in data. The
 * device is SL_TEST_DEVICE, or cuda; without it the suite is skipped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/update.h"
#include "base/alloc.h"
#include "device_run.h"

enum { SKIPPED = 77 };

/* --- operations ------------------------------------------------------------
 */

START_TEST(f32) {
  t_same(t_case_at(_i), 0, 1, 2e-5);
}
END_TEST

START_TEST(gradients_add_up) {
  t_same(t_case_at(_i), 0, 2, 2e-5);
}
END_TEST

START_TEST(inputs_that_are_views) {
  t_same(t_case_at(_i), T_SHIFTED, 1, 2e-5);
}
END_TEST

/* Which inputs an op takes as bf16 differs: those that it refuses, the CPU
 * refuses too, and the case is of the others. */
START_TEST(bf16) {
  static const unsigned masks[] = {0xff, 1, 1 | 1u << 5, 1 | 1u << 6, 3};
  for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
    t_same(t_case_at(_i), masks[i], 1, 2e-2);
}
END_TEST

/* --- the table -------------------------------------------------------------
 */

/* As many operations as the registry has, each with kernels of its own; and a
 * case of each is among the tests. */
START_TEST(every_op) {
  int there = 0, views = 0, tried[SL_OP_COUNT] = {0};
  for (int i = 0; i < t_count_cases(); i++)
    tried[t_case_at(i)->id] = 1;
  for (int id = 0; id < SL_OP_COUNT; id++) {
    const sl_kernels *k = &t_device->kernels[id], *cpu = &sl_cpu.kernels[id];
    const char *name = sl_op_get((sl_op_id)id)->name;
    ck_assert_msg((k->forward != NULL) == (cpu->forward != NULL) &&
                      (k->backward != NULL) == (cpu->backward != NULL),
                  "%s: kernels are missing", name);
    ck_assert_msg((!k->forward || k->forward != cpu->forward) &&
                      (!k->backward || k->backward != cpu->backward),
                  "%s falls back to the CPU", name);
    ck_assert_msg(!k->forward || tried[id], "%s has no case", name);
    there += k->forward != NULL;
    views += k->forward == NULL;
  }
  ck_assert_int_eq(there + views, SL_OP_COUNT);
  ck_assert_int_ge(there, 80);
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
  ck_assert_int_eq(sl_tensor_copy(&there, y, t_device, from), SL_OK);
  ck_assert_int_eq(sl_tensor_copy(&got, there, t_device, to), SL_OK);
  t_compare("copy", "dtype", _i, want, got, 0);
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
  ck_assert_int_eq(sl_tensor_from(&t, t_device, SL_F32, 1, &n, v), SL_OK);
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
    ck_assert_int_eq(sl_tensor_from(&t[k], t_device, SL_F32, 1, &n, v), SL_OK);
  }
  for (int k = 0; k < TIMES; k++) {
    ck_assert_int_eq(sl_tensor_read(t[k], SL_F32, v, n), SL_OK);
    ck_assert_int_eq((int)v[0], k * 1000);
    ck_assert_int_eq((int)v[999], k * 1000 + 999);
    sl_tensor_release(t[k]);
  }
}
END_TEST

/* Large ones come in beside the work that uses those before them, and their
 * memory is handed out again while it is still in use. More than there are
 * slots of pinned memory. */
START_TEST(uploads_beside_work) {
  enum { TIMES = 20, N = 100000 };
  const struct { int dtype; } as = {SL_F32};
  const int64_t n = N;
  uint8_t *v = sl_alloc(N, 1);
  float *back = sl_alloc(N, sizeof *back);
  sl_tensor *y[TIMES] = {0};
  sl_backend_set_default(t_device);
  for (int k = 0; k < TIMES; k++) {
    sl_tensor *x = NULL;
    for (int i = 0; i < N; i++)
      v[i] = (uint8_t)(i + 11 * k);
    ck_assert_int_eq(sl_tensor_from(&x, t_device, SL_U8, 1, &n, v), SL_OK);
    ck_assert_int_eq(sl_op_run(SL_OP_cast, &x, 1, &as, &y[k]), SL_OK);
    sl_tensor_release(x);
  }
  sl_backend_set_default(&sl_cpu);
  for (int k = 0; k < TIMES; k++) {
    ck_assert_int_eq(sl_tensor_read(y[k], SL_F32, back, n), SL_OK);
    for (int i = 0; i < N; i++)
      ck_assert_msg((int)back[i] == (uint8_t)(i + 11 * k),
                    "upload %d, byte %d is %g", k, i, (double)back[i]);
    sl_tensor_release(y[k]);
  }
  sl_free(v);
  sl_free(back);
}
END_TEST

/* --- faults in data --------------------------------------------------------
 */

static void fails_when_read(sl_op_id id, sl_tensor **in, int n_in,
                            const char *want) {
  sl_tensor *out = NULL, *there[2] = {0};
  float v[64];
  for (int i = 0; i < n_in; i++)
    ck_assert_int_eq(sl_tensor_copy(&there[i], in[i], t_device, in[i]->dtype),
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
  update_on(t_device, (sl_rule)_i, &got);
  for (int t = 0; t < TENSORS; t++)
    for (int k = 0; k < ARRAYS; k++) {
      sl_tensor *host = NULL;
      ck_assert_int_eq(sl_tensor_copy(&host, got.at[t][k], &sl_cpu, SL_F32),
                       SL_OK);
      t_compare("update", arrays[k], t, want.at[t][k], host, 1e-5);
      sl_tensor_release(host);
    }
  state_free(&want);
  state_free(&got);
}
END_TEST

START_TEST(norm_of_gradients) {
  double sum[2];
  for (int i = 0; i < 2; i++) {
    const sl_backend *b = i ? t_device : &sl_cpu;
    sl_update_item items[TENSORS];
    const sl_update u = {SL_RULE_sgd, 0, items, TENSORS};
    state s;
    state_make(&s, b);
    items_of(items, &s);
    ck_assert_int_eq(b->grad_squares(&u, &sum[i]), SL_OK);
    state_free(&s);
  }
  /* The CPU sums floats in lanes, the device doubles. */
  ck_assert_double_eq_tol(sum[0], sum[1], 1e-5 * sum[0]);
}
END_TEST

START_TEST(averages) {
  static const double keeps[] = {0, 0.9};
  state s[2];
  for (int i = 0; i < 2; i++) {
    const sl_backend *b = i ? t_device : &sl_cpu;
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
    t_compare("average", "tensor", t, s[0].at[t][0], host, 1e-6);
    sl_tensor_release(host);
  }
  state_free(&s[0]);
  state_free(&s[1]);
}
END_TEST

static int open_device(void) {
  const char *name = getenv("SL_TEST_DEVICE");
  t_device = sl_backend_find(name && *name ? name : "cuda");
  sl_backend_set_default(&sl_cpu);
  if (t_device) return 1;
  fprintf(stderr, "skipped: %s\n", sl_error());
  return 0;
}

static TCase *operations(int n) {
  TCase *tc = tcase_create("operations");
  tcase_set_tags(tc, "schedule");
  tcase_add_test(tc, every_op);
  tcase_add_loop_test(tc, f32, 0, n);
  tcase_add_loop_test(tc, gradients_add_up, 0, n);
  tcase_add_loop_test(tc, inputs_that_are_views, 0, n);
  if (t_device->bf16() != SL_BF16_NONE) tcase_add_loop_test(tc, bf16, 0, n);
  tcase_add_loop_test(tc, updates, 0, SL_RULE_COUNT);
  tcase_add_test(tc, norm_of_gradients);
  tcase_add_loop_test(tc, averages, 0, 2);
  return tc;
}

static TCase *transfers(void) {
  TCase *tc = tcase_create("transfers");
  tcase_set_tags(tc, "schedule");
  tcase_add_test(tc, large_transfers);
  tcase_add_test(tc, uploads_take_a_copy);
  tcase_add_test(tc, uploads_beside_work);
  return tc;
}

static TCase *faults_in_data(void) {
  TCase *tc = tcase_create("data");
  tcase_add_loop_test(tc, copies_between_dtypes, 0,
                      SL_DTYPE_COUNT * SL_DTYPE_COUNT);
  tcase_add_test(tc, labels_out_of_range);
  tcase_add_test(tc, index_out_of_range);
  tcase_add_test(tc, sum_out_of_range);
  return tc;
}

/* CK_INCLUDE_TAGS=schedule: what depends on the order of threads and streams
 * alone. CK_RUN_CASE=transfers: those. */
int main(void) {
  setenv("CK_FORK", "no", 1); /* a device does not survive fork() */
  if (!open_device()) return SKIPPED;
  Suite *s = suite_create("device");
  const int n = t_count_cases();
  TCase *const cases[] = {operations(n), transfers(), faults_in_data(),
                          t_device_failures(n)};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    tcase_set_timeout(cases[i], 0);
    tcase_add_checked_fixture(cases[i], NULL, t_device_given_back);
    suite_add_tcase(s, cases[i]);
  }
  return t_main(s);
}
