/* test_profile.c -- costs, recording, phases, the report and the trace. */
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "ops/conv2d.h"
#include "ops/profile_internal.h"
#include "support.h"

static void forget(void) {
  ck_assert_int_eq(sl_profile_finish(), SL_OK);
  sl_profile_forget();
}

static void start(void) {
  ck_assert_int_eq(sl_profile_start(NULL), SL_OK);
}

/* The record of an operation in a layer; fails when there is none. */
static const profile_row *row(int what, const char *layer) {
  for (int i = 0; i < sl_profile_record.n_rows; i++) {
    const profile_row *r = &sl_profile_record.rows[i];
    if (r->what == what && !strcmp(r->layer, layer)) return r;
  }
  ck_abort_msg("nothing was recorded of %s in layer '%s'",
               sl_profile_name(what), layer);
}

/* 2 * 4 * 6 * 6 * 8 elements * 3 * 3 * 2 products, groups 2 */
START_TEST(cost_of_a_convolution) {
  sl_tensor *x = t_random(1, -1, 1, 4, 4, 6, 6, 4);
  sl_tensor *w = t_random(2, -1, 1, 4, 8, 3, 3, 2);
  const sl_conv2d_opts o = {{1, {1}}, {1, {1}}, {1, {1}}, 2};
  ck_assert_int_eq(sl_require_grad(x, 1), SL_OK);
  ck_assert_int_eq(sl_require_grad(w, 1), SL_OK);
  start();
  sl_tensor *y = t_run(SL_OP_conv2d, &o, 2, x, w);
  sl_tensor *s = t_run(SL_OP_sum, NULL, 1, y);
  ck_assert_int_eq(sl_backward(s, NULL), SL_OK);
  const profile_row *r = row(SL_OP_conv2d, "");
  const double flops = 2.0 * 4 * 6 * 6 * 8 * 3 * 3 * 2;
  const double xb = 4.0 * 4 * 6 * 6 * 4, wb = 4.0 * 8 * 3 * 3 * 2,
               yb = 4.0 * 4 * 6 * 6 * 8;
  ck_assert_double_eq(r->way[0].cost.flops, flops);
  ck_assert_double_eq(r->way[0].cost.bytes, xb + wb + yb);
  ck_assert_double_eq(r->way[1].cost.flops, 2 * flops);
  ck_assert_double_eq(r->way[1].cost.bytes, 2 * xb + 2 * wb + yb);
  ck_assert_int_eq(r->way[0].calls, 1);
  ck_assert_int_eq(r->way[1].calls, 1);
  forget();
  sl_tensor *all[] = {s, y, w, x};
  for (int i = 0; i < 4; i++)
    sl_tensor_release(all[i]);
}
END_TEST

/* linear (5, 3) x (2, 3); matmul (2, 3) x (3, 4); views and relu. */
START_TEST(cost_of_others) {
  sl_tensor *x = t_random(1, -1, 1, 2, 5, 3), *w = t_random(2, -1, 1, 2, 2, 3);
  sl_tensor *b = t_random(3, -1, 1, 2, 3, 4);
  start();
  sl_tensor *y = t_run(SL_OP_linear, NULL, 2, x, w);
  sl_tensor *m = t_run(SL_OP_matmul, NULL, 2, w, b);
  sl_tensor *r = t_run(SL_OP_relu, NULL, 1, x);
  ck_assert_double_eq(row(SL_OP_linear, "")->way[0].cost.flops,
                      2.0 * 5 * 2 * 3);
  ck_assert_double_eq(row(SL_OP_matmul, "")->way[0].cost.flops,
                      2.0 * 2 * 4 * 3);
  ck_assert_double_eq(row(SL_OP_relu, "")->way[0].cost.flops, 0);
  ck_assert_double_eq(row(SL_OP_relu, "")->way[0].cost.bytes, 4.0 * 15 * 2);
  ck_assert(sl_profile_uses(SL_F32) && !sl_profile_uses(SL_BF16));
  forget();
  sl_tensor *all[] = {r, m, y, b, w, x};
  for (int i = 0; i < 6; i++)
    sl_tensor_release(all[i]);
}
END_TEST

/* The backward of a call is booked to the layer that made it; a gradient that
 * is added to costs reading, too. */
START_TEST(layers) {
  sl_tensor *x = t_random(1, -1, 1, 1, 8);
  ck_assert_int_eq(sl_require_grad(x, 1), SL_OK);
  start();
  sl_layer_set("a");
  sl_tensor *y = t_run(SL_OP_exp, NULL, 1, x);
  sl_layer_set("b.0");
  sl_tensor *z = t_run(SL_OP_exp, NULL, 1, x);
  sl_layer_set(NULL);
  sl_tensor *both = t_run(SL_OP_add, NULL, 2, y, z);
  sl_tensor *s = t_run(SL_OP_sum, NULL, 1, both);
  ck_assert_int_eq(sl_backward(s, NULL), SL_OK);
  const profile_row *a = row(SL_OP_exp, "a"), *b = row(SL_OP_exp, "b.0");
  ck_assert_int_eq(a->way[1].calls, 1);
  ck_assert_int_eq(b->way[1].calls, 1);
  ck_assert_double_eq(a->way[1].cost.bytes - b->way[1].cost.bytes, 32);
  forget();
  sl_tensor *all[] = {s, both, z, y, x};
  for (int i = 0; i < 5; i++)
    sl_tensor_release(all[i]);
}
END_TEST

static void spend(double seconds) {
  for (const double end = sl_clock() + seconds; sl_clock() < end;) {
  }
}

START_TEST(phases_add_up) {
  sl_tensor *x = t_random(1, -1, 1, 1, 1000);
  start();
  const sl_phase before = sl_profile_phase(SL_PHASE_WAIT);
  spend(0.01);
  sl_tensor *y = t_run(SL_OP_exp, NULL, 1, x); /* while waiting: augment */
  sl_profile_phase(before);
  sl_profile_phase(SL_PHASE_BACKWARD);
  sl_profile_phase(sl_profile_phase(SL_PHASE_BACKWARD)); /* nested: the same */
  sl_profile_phase(before);
  const int was = sl_profile_validating(1);
  sl_profile_phase(SL_PHASE_FORWARD);
  spend(0.01);
  sl_profile_phase(before);
  sl_profile_validating(was);
  ck_assert_int_eq(sl_profile_finish(), SL_OK);
  const profile *p = &sl_profile_record;
  double sum = 0;
  for (int i = 0; i < SL_PHASE_COUNT; i++)
    sum += p->phases[0][i].seconds + p->phases[1][i].seconds;
  ck_assert_double_eq_tol(sum, p->seconds, 1e-6);
  ck_assert_double_ge(p->phases[0][SL_PHASE_WAIT].seconds, 0.01);
  ck_assert_double_ge(p->phases[1][SL_PHASE_FORWARD].seconds, 0.01);
  ck_assert_double_gt(p->phases[0][SL_PHASE_AUGMENT].in_ops, 0);
  ck_assert_double_eq(p->phases[0][SL_PHASE_WAIT].in_ops, 0);
  ck_assert_int_eq(p->phases[0][SL_PHASE_WAIT].calls, 1);
  ck_assert_int_eq(p->phases[0][SL_PHASE_BACKWARD].calls, 1);
  ck_assert_int_eq(p->phases[1][SL_PHASE_OTHER].calls, 1);
  sl_profile_forget();
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

/* A materialised tensor and a copy of a strided one are calls of their own,
 * and not part of the call that needed them. */
START_TEST(calls_inside_calls) {
  const float v[] = {1, -1, 2, -2}, scale[] = {2, 3}, shift[] = {0, 1};
  sl_tensor *y = t_f32(v, 2, 2, 2), *a = t_f32(scale, 1, 2),
            *b = t_f32(shift, 1, 2), *lazy = NULL;
  ck_assert_int_eq(sl_tensor_lazy(&lazy, y, a, b, SL_ACT_RELU), SL_OK);
  start();
  sl_tensor *n = t_run(SL_OP_neg, NULL, 1, lazy);
  const profile_row *m = row(SL_PROFILE_MATERIALISE, "");
  ck_assert_int_eq(m->way[0].calls, 1);
  ck_assert_double_eq(m->way[0].cost.bytes, 32);
  ck_assert_int_eq(row(SL_OP_neg, "")->way[0].calls, 1);
  forget();
  sl_tensor *all[] = {n, lazy, b, a, y};
  for (int i = 0; i < 5; i++)
    sl_tensor_release(all[i]);
}
END_TEST

/* A call that fails ends, but is not counted. */
START_TEST(failures) {
  sl_tensor *x = t_zeros(SL_F32, 1, 4);
  start();
  for (int n = 1; n < 6; n++) {
    sl_tensor *y = NULL;
    sl_alloc_fail_at(n);
    if (sl_op_run(SL_OP_exp, &x, 1, NULL, &y) == SL_OK) sl_tensor_release(y);
    sl_alloc_fail_at(0);
  }
  sl_tensor *y = t_run(SL_OP_exp, NULL, 1, x);
  ck_assert_int_eq(sl_profile_start(NULL), SL_EINVAL);
  ck_assert(strstr(sl_error(), "already"));
  ck_assert_int_ge(row(SL_OP_exp, "")->way[0].calls, 1);
  forget();
  ck_assert_int_eq(sl_profile_finish(), SL_OK); /* twice is harmless */
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

static void *elsewhere(void *x) {
  sl_tensor *in = x, *y = NULL;
  if (sl_op_run(SL_OP_exp, &in, 1, NULL, &y) == SL_OK) sl_tensor_release(y);
  sl_profile_phase(SL_PHASE_LOSS);
  return NULL;
}

START_TEST(other_threads_are_not_recorded) {
  sl_tensor *x = t_zeros(SL_F32, 1, 4);
  pthread_t thread;
  start();
  ck_assert_int_eq(pthread_create(&thread, NULL, elsewhere, x), 0);
  pthread_join(thread, NULL);
  ck_assert_int_eq(sl_profile_record.n_rows, 0);
  ck_assert_int_eq(sl_profile_record.phases[0][SL_PHASE_LOSS].calls, 0);
  forget();
  sl_tensor_release(x);
}
END_TEST

/* 600 layers: the table of rows has grown, and found each again. */
START_TEST(many_layers) {
  sl_tensor *x = t_zeros(SL_F32, 1, 1);
  char name[32];
  start();
  for (int i = 0; i < 1200; i++) {
    snprintf(name, sizeof name, "block.%d", i % 600);
    sl_layer_set(name);
    sl_tensor *y = t_run(SL_OP_neg, NULL, 1, x);
    sl_tensor_release(y);
  }
  sl_layer_set(NULL);
  ck_assert_int_eq(sl_profile_record.n_rows, 600);
  for (int i = 0; i < 600; i++)
    ck_assert_int_eq(sl_profile_record.rows[i].way[0].calls, 2);
  forget();
  sl_tensor_release(x);
}
END_TEST

START_TEST(limits) {
  const sl_peak p = {{100, 400}, 10};
  ck_assert_double_eq(sl_peak_limit(&p, SL_F32, 200, 5), 2);
  ck_assert_double_eq(sl_peak_limit(&p, SL_BF16, 200, 5), 0.5);
  ck_assert_double_eq(sl_peak_limit(&p, SL_F32, 0, 30), 3);
  ck_assert_double_eq(sl_peak_limit(&(sl_peak){0}, SL_F32, 1, 1), 0);
}
END_TEST

/* The report of one multiplication that took a known time. */
START_TEST(report) {
  sl_tensor *x = t_random(1, -1, 1, 2, 5, 3), *w = t_random(2, -1, 1, 2, 2, 3);
  start();
  sl_layer_set("head.fc");
  sl_tensor *y = t_run(SL_OP_linear, NULL, 2, x, w);
  sl_layer_set(NULL);
  sl_tensor *z = t_run(SL_OP_neg, NULL, 1, y);
  ck_assert_int_eq(sl_profile_finish(), SL_OK);
  profile *p = &sl_profile_record;
  p->seconds = 1;
  p->rows[0].way[0] = (profile_sum){4, 0.5, {1e9, 2e9}};
  p->rows[1].way[0] = (profile_sum){1, 0.1, {0, 1e9}};
  char *text = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&text, &n);
  sl_profile_report(out, &(sl_peak){{4e9, 0}, 2e10}, 1);
  fclose(out);
  const char *const wanted[] = {
      "profile: 1.00 s\n",
      "f32 4.0 GFLOP/s; copy of 128 MiB, 20.0 GB/s\n",
      "linear                                 4      500.0   50.0 %"
      "       2.0       4.0     50 %\n",
      "head.fc                     4      500.0        0.0   50.0 %"
      "       2.0       4.0     50 %\n",
      "and 1 more, together 100.0 ms\n",
  };
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    ck_assert_msg(strstr(text, wanted[i]), "'%s' is not in\n%s", wanted[i],
                  text);
  free(text);
  sl_profile_forget();
  sl_tensor *all[] = {z, y, w, x};
  for (int i = 0; i < 4; i++)
    sl_tensor_release(all[i]);
}
END_TEST

START_TEST(trace) {
  char *text = NULL;
  size_t n = 0;
  sl_tensor *x = t_zeros(SL_F32, 1, 4);
  ck_assert_int_eq(sl_profile_start(open_memstream(&text, &n)), SL_OK);
  sl_profile_phase(SL_PHASE_FORWARD);
  sl_layer_set("a \"b\"\\\n");
  sl_tensor *y = t_run(SL_OP_neg, NULL, 1, x);
  sl_layer_set(NULL);
  sl_profile_phase(SL_PHASE_OTHER);
  ck_assert_int_eq(sl_profile_finish(), SL_OK);
  json_error_t why;
  json_t *j = json_loadb(text, n, 0, &why);
  ck_assert_msg(j != NULL, "%s\n%s", why.text, text);
  const json_t *events = json_object_get(j, "traceEvents");
  ck_assert_uint_eq(json_array_size(events), 5); /* 3 are names */
  const json_t *call = json_array_get(events, 2);
  const json_t *args = json_object_get(call, "args");
  ck_assert_str_eq(json_string_value(json_object_get(call, "name")), "neg");
  ck_assert_str_eq(json_string_value(json_object_get(args, "layer")),
                   "a \"b\"\\\n");
  const json_t *phase = json_array_get(events, 3);
  ck_assert_str_eq(json_string_value(json_object_get(phase, "name")),
                   "forward");
  ck_assert_double_le(json_number_value(json_object_get(phase, "ts")),
                      json_number_value(json_object_get(call, "ts")));
  json_decref(j);
  free(text);
  sl_profile_forget();
  sl_tensor_release(y);
  sl_tensor_release(x);
}
END_TEST

/* A disk that is full is told about. */
START_TEST(trace_that_cannot_be_written) {
  FILE *full = fopen("/dev/full", "w");
  if (!full) return;
  ck_assert_int_eq(sl_profile_start(full), SL_OK);
  ck_assert_int_eq(sl_profile_finish(), SL_EIO);
  sl_profile_forget();
}
END_TEST

START_TEST(peaks) {
  sl_peak p;
  ck_assert_int_eq(sl_peak_measure(&p, &sl_cpu, 1), SL_OK);
  ck_assert_double_gt(p.gemm[SL_F32], 1e8);
  if (sl_cpu.bf16() != SL_BF16_NONE) ck_assert_double_gt(p.gemm[SL_BF16], 1e7);
  ck_assert_double_gt(p.copy, 1e8);
  sl_alloc_fail_at(1);
  const sl_status status = sl_peak_measure(&p, &sl_cpu, 0);
  sl_alloc_fail_at(0);
  ck_assert_int_eq(status, SL_ENOMEM);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("profile", &tc);
  tcase_add_test(tc, cost_of_a_convolution);
  tcase_add_test(tc, cost_of_others);
  tcase_add_test(tc, layers);
  tcase_add_test(tc, phases_add_up);
  tcase_add_test(tc, calls_inside_calls);
  tcase_add_test(tc, failures);
  tcase_add_test(tc, other_threads_are_not_recorded);
  tcase_add_test(tc, many_layers);
  tcase_add_test(tc, limits);
  tcase_add_test(tc, report);
  tcase_add_test(tc, trace);
  tcase_add_test(tc, trace_that_cannot_be_written);
  tcase_add_test(tc, peaks);
  return t_main(s);
}
