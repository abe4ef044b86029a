/* test_optim.c -- optimisers against fastai 2.8 and torch (optimizers.json). */
#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "golden.h"
#include "support.h"
#include "train/optim.h"

enum { STEPS = 8 };

/* A run of optimizers.json: which optimiser, and what differs from the
 * defaults. NONE: the default. */
#define NONE -1.0
static const struct run {
  const char *key, *kind;
  double lr, mom, wd, beta;
  int l2, nesterov, do_wd, k;
} runs[] = {
    {"adam_lr0.01_default_wd0.01", "Adam", 0.01, NONE, NONE, 0, 0, 0, 1, -1},
    {"adam_lr0.01_default_wd0.01", "AdamW", 0.01, NONE, NONE, 0, 0, 0, 1, -1},
    {"adam_lr0.01_no_wd", "Adam", 0.01, NONE, 0, 0, 0, 0, 1, -1},
    {"adam_lr0.01_l2_wd0.1", "Adam", 0.01, NONE, 0.1, 0, 1, 0, 1, -1},
    {"adam_lr0.01_do_wd_false", "Adam", 0.01, NONE, NONE, 0, 0, 0, 0, -1},
    {"sgd_lr0.1", "SGD", 0.1, NONE, NONE, 0, 0, 0, 1, -1},
    {"sgd_lr0.1_mom0.9_wd0.01", "SGD", 0.1, 0.9, 0.01, 0, 0, 0, 1, -1},
    {"sgd_lr0.1_mom0.9_l2_0.01", "SGD", 0.1, 0.9, 0.01, 0, 1, 0, 1, -1},
    {"rmsprop_lr0.01", "RMSProp", 0.01, NONE, NONE, 0, 0, 0, 1, -1},
    {"rmsprop_lr0.01_mom0.9", "RMSProp", 0.01, 0.9, NONE, 0, 0, 0, 1, -1},
    {"radam_lr0.01", "RAdam", 0.01, NONE, NONE, 0, 0, 0, 1, -1},
    {"radam_lr0.01_beta50", "RAdam", 0.01, NONE, NONE, 50, 0, 0, 1, -1},
    {"ranger_lr0.01_k3", "ranger", 0.01, NONE, NONE, 0, 0, 0, 1, 3},
    {"ranger_lr0.01_default_k6", "ranger", 0.01, NONE, NONE, 0, 0, 0, 1, -1},
    {"qhadam_lr0.01", "QHAdam", 0.01, NONE, NONE, 0, 0, 0, 1, -1},
    {"lamb_lr0.01", "Lamb", 0.01, NONE, NONE, 0, 0, 0, 1, -1},
    {"larc_lr0.1", "Larc", 0.1, NONE, NONE, 0, 0, 0, 1, -1},
    {"lars_lr0.1", "Lars", 0.1, NONE, 0.01, 0, 0, 0, 1, -1},
    {"torch_sgd_nesterov_lr0.1_mom0.85_wd0.02", "SGD", 0.1, 0.85, 0.02, 0, 1, 1,
     1, -1},
};
enum { N_RUNS = sizeof runs / sizeof *runs };

/* A leaf whose gradient is set by hand: backward of sum(grad * p). */
static void set_grad(sl_tensor *p, const float *grad) {
  sl_tensor *seed = t_f32(grad, p->rank, p->shape[0]);
  sl_tensor *twice = t_run(SL_OP_add, NULL, 2, p, p);
  float *s = sl_f32(seed);
  for (int64_t i = 0; i < sl_tensor_count(seed); i++)
    s[i] /= 2;
  ck_assert_int_eq(sl_backward(twice, seed), SL_OK);
  sl_tensor_release(twice);
  sl_tensor_release(seed);
}

static sl_tensor *leaf(json_t *values) {
  float v[16];
  const int n = (int)json_array_size(values);
  for (int i = 0; i < n; i++)
    v[i] = (float)t_at(values, (size_t)i);
  sl_tensor *p = t_f32(v, 1, (int64_t)n);
  ck_assert_int_eq(sl_require_grad(p, 1), SL_OK);
  return p;
}

static sl_optim *make(const char *kind, const sl_optim_options *o, sl_tensor *p,
                      int do_wd) {
  const sl_optim_param param = {"p", p, 0, do_wd};
  sl_optim *opt = NULL;
  ck_assert_int_eq(sl_optim_new(&opt, sl_optim_kind_find(kind), o, &param, 1),
                   SL_OK);
  return opt;
}

static sl_optim_options options_of(const struct run *r) {
  sl_optim_options o;
  sl_optim_defaults(sl_optim_kind_find(r->kind), &o);
  o.hyper[SL_LR] = r->lr;
  if (r->mom >= 0) o.hyper[SL_MOM] = r->mom;
  if (r->wd >= 0) o.hyper[SL_WD] = r->wd;
  o.hyper[SL_BETA] = r->beta;
  o.l2 = r->l2;
  o.nesterov = r->nesterov;
  if (r->k >= 0) o.k = r->k;
  return o;
}

static void step_with(sl_optim *opt, sl_tensor *p, json_t *grads, int t) {
  float g[4];
  for (size_t i = 0; i < 4; i++)
    g[i] = (float)t_at(json_array_get(grads, (size_t)t), i);
  set_grad(p, g);
  ck_assert_int_eq(sl_optim_step(opt), SL_OK);
  sl_optim_zero_grad(opt);
}

static void check_values(sl_tensor *p, json_t *want, const char *what, int t) {
  for (size_t i = 0; i < json_array_size(want); i++) {
    const double x = (double)sl_f32(p)[i], y = t_at(want, i);
    ck_assert_msg(fabs(x - y) <= 1e-6 * fmax(1, fabs(y)),
                  "%s, step %d, element %zu: %.9g, want %.9g", what, t + 1, i,
                  x, y);
  }
}

static void check_state(const sl_optim *opt, json_t *state, const char *what) {
  json_t *avg = json_object_get(state, "grad_avg");
  json_t *sqr = json_object_get(state, "sqr_avg");
  json_t *step = json_object_get(state, "step");
  if (avg) check_values(sl_optim_state(opt, 0, SL_SLOT_AVG), avg, what, -2);
  if (sqr) check_values(sl_optim_state(opt, 0, SL_SLOT_SQR), sqr, what, -3);
  if (step) ck_assert_int_eq(sl_optim_steps(opt, 0), json_integer_value(step));
}

START_TEST(as_fastai) {
  const struct run *r = &runs[_i];
  json_t *all = t_golden("optimizers.json"), *run = t_member(all, r->key);
  sl_tensor *p = leaf(t_member(all, "p0"));
  const sl_optim_options o = options_of(r);
  sl_optim *opt = make(r->kind, &o, p, r->do_wd);
  for (int t = 0; t < STEPS; t++) {
    step_with(opt, p, t_member(all, "grads"), t);
    check_values(p, json_array_get(t_member(run, "params"), (size_t)t), r->key,
                 t);
  }
  json_t *state = json_object_get(run, "final_state");
  if (state) check_state(opt, state, r->key);
  sl_optim_free(opt);
  sl_tensor_release(p);
  json_decref(all);
}
END_TEST

START_TEST(scheduled_hypers) {
  json_t *all = t_golden("optimizers.json");
  json_t *run = t_member(all, "adam_one_cycle_lr0.01_8steps");
  sl_tensor *p = leaf(t_member(all, "p0"));
  sl_optim_options o;
  sl_optim_defaults(sl_optim_kind_find("Adam"), &o);
  sl_optim *opt = make("Adam", &o, p, 1);
  for (int t = 0; t < STEPS; t++) {
    json_t *h = json_array_get(t_member(run, "hypers"), (size_t)t);
    sl_optim_set(opt, -1, SL_LR, json_number_value(t_member(h, "lr")));
    sl_optim_set(opt, 0, SL_MOM, json_number_value(t_member(h, "mom")));
    step_with(opt, p, t_member(all, "grads"), t);
    check_values(p, json_array_get(t_member(run, "params"), (size_t)t),
                 "one cycle", t);
  }
  sl_optim_free(opt);
  sl_tensor_release(p);
  json_decref(all);
}
END_TEST

/* Two tensors; SGD of rate 1 shows the clipped gradient itself. */
START_TEST(clip_by_global_norm) {
  json_t *all = t_golden("optimizers.json"),
         *run = t_member(all, "grad_clip_max1");
  json_t *in = t_member(run, "grads_in"), *out = t_member(run, "grads_out");
  sl_optim_param params[2];
  sl_optim_options o;
  sl_optim_defaults(sl_optim_kind_find("SGD"), &o);
  o.hyper[SL_LR] = 1;
  for (int k = 0; k < 2; k++) {
    json_t *g = json_array_get(in, (size_t)k);
    sl_tensor *p = t_zeros(SL_F32, 1, (int64_t)json_array_size(g));
    ck_assert_int_eq(sl_require_grad(p, 1), SL_OK);
    params[k] = (sl_optim_param){"p", p, k, 1};
  }
  sl_optim *opt = NULL;
  ck_assert_int_eq(sl_optim_new(&opt, sl_optim_kind_find("SGD"), &o, params, 2),
                   SL_OK);
  for (int k = 0; k < 2; k++) {
    float g[4];
    json_t *list = json_array_get(in, (size_t)k);
    for (size_t i = 0; i < json_array_size(list); i++)
      g[i] = (float)t_at(list, i);
    set_grad(params[k].tensor, g);
  }
  double norm = 0;
  ck_assert_int_eq(sl_optim_clip(opt, 1, &norm), SL_OK);
  ck_assert_double_eq_tol(norm, json_number_value(t_member(run, "total_norm")),
                          1e-6);
  ck_assert_int_eq(sl_optim_step(opt), SL_OK);
  for (size_t k = 0; k < 2; k++) {
    json_t *list = json_array_get(out, k);
    for (size_t i = 0; i < json_array_size(list); i++)
      ck_assert_double_eq_tol((double)sl_f32(params[k].tensor)[i],
                              -t_at(list, i), 1e-6);
  }
  sl_optim_free(opt);
  sl_tensor_release(params[0].tensor);
  sl_tensor_release(params[1].tensor);
  json_decref(all);
}
END_TEST

/* Neither a frozen parameter nor one without a gradient moves or decays. */
START_TEST(frozen_and_idle_are_left_alone) {
  const float v[] = {1, 2}, g[] = {1, 1};
  sl_tensor *p = t_f32(v, 1, (int64_t)2);
  ck_assert_int_eq(sl_require_grad(p, 1), SL_OK);
  sl_optim_options o;
  sl_optim_defaults(sl_optim_kind_find("Adam"), &o);
  o.hyper[SL_WD] = 0.5;
  o.hyper[SL_LR] = 0.5;
  sl_optim *opt = make("Adam", &o, p, 1);
  ck_assert_int_eq(sl_optim_step(opt), SL_OK);
  t_close(p, v, 2, 0);
  set_grad(p, g);
  ck_assert_int_eq(sl_require_grad(p, 0), SL_OK);
  ck_assert_int_eq(sl_optim_step(opt), SL_OK);
  t_close(p, v, 2, 0);
  ck_assert_ptr_null(sl_optim_state(opt, 0, SL_SLOT_AVG));
  ck_assert_int_eq(sl_require_grad(p, 1), SL_OK);
  ck_assert_int_eq(sl_optim_step(opt), SL_OK);
  ck_assert(sl_f32(p)[0] < 1);
  sl_optim_free(opt);
  sl_tensor_release(p);
}
END_TEST

/* One large tensor and a small one, many blocks: the same bits however many
 * threads there are, for one-pass rules and for trust ratios. */
static void run_threads(const char *kind, int threads, float *out, int64_t n) {
  ck_assert_int_eq(sl_pool_resize(threads), SL_OK);
  sl_tensor *p[] = {t_random(1, -1, 1, 1, n), t_random(2, -1, 1, 1, 5L)};
  sl_optim_param params[2];
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(sl_require_grad(p[i], 1), SL_OK);
    params[i] = (sl_optim_param){"p", p[i], 0, 1};
  }
  sl_optim_options o;
  sl_optim_defaults(sl_optim_kind_find(kind), &o);
  o.k = 2;
  sl_optim *opt = NULL;
  ck_assert_int_eq(sl_optim_new(&opt, sl_optim_kind_find(kind), &o, params, 2),
                   SL_OK);
  for (int t = 0; t < 3; t++) {
    for (int i = 0; i < 2; i++) {
      sl_tensor *g = t_random(10 + (unsigned)t, -1, 1, 1, p[i]->shape[0]);
      set_grad(p[i], sl_f32(g));
      sl_tensor_release(g);
    }
    ck_assert_int_eq(sl_optim_clip(opt, 1, NULL), SL_OK);
    ck_assert_int_eq(sl_optim_step(opt), SL_OK);
    sl_optim_zero_grad(opt);
  }
  memcpy(out, sl_f32(p[0]), (size_t)n * sizeof *out);
  sl_optim_free(opt);
  sl_tensor_release(p[0]);
  sl_tensor_release(p[1]);
}

START_TEST(same_bits_with_any_threads) {
  static const char *const kinds[] = {"Adam", "Lamb", "Larc"};
  static float one[50001], three[50001];
  run_threads(kinds[_i], 1, one, 50001);
  run_threads(kinds[_i], 3, three, 50001);
  ck_assert_int_eq(memcmp(one, three, sizeof one), 0);
}
END_TEST

START_TEST(state_moves_to_another) {
  json_t *all = t_golden("optimizers.json"), *grads = t_member(all, "grads");
  sl_tensor *p = leaf(t_member(all, "p0"));
  sl_optim_options o;
  sl_optim_defaults(sl_optim_kind_find("ranger"), &o);
  o.k = 3;
  o.hyper[SL_LR] = 0.01;
  sl_optim *opt = make("ranger", &o, p, 1);
  for (int t = 0; t < 4; t++)
    step_with(opt, p, grads, t);
  sl_optim *other = make("ranger", &o, p, 1);
  for (int s = 0; s < SL_SLOTS; s++)
    ck_assert_int_eq(sl_optim_state_set(other, 0, (sl_slot)s,
                                        sl_optim_state(opt, 0, (sl_slot)s)),
                     SL_OK);
  sl_optim_steps_set(other, 0, sl_optim_steps(opt, 0));
  sl_optim_count_set(other, sl_optim_count(opt));
  for (int t = 4; t < STEPS; t++)
    step_with(other, p, grads, t);
  check_values(
      p,
      json_array_get(t_member(t_member(all, "ranger_lr0.01_k3"), "params"),
                     STEPS - 1),
      "resumed", STEPS - 1);
  sl_optim_free(other);
  sl_optim_free(opt);
  sl_tensor_release(p);
  json_decref(all);
}
END_TEST

/* Three parameters; what their first gradients are, and what is found. */
static const struct {
  float grad[3];
  double scale;
  int bad, first;
} checks[] = {
    {{1, 2, 2}, 1, 0, -1},
    {{1, NAN, 2}, 1, 1, 1},
    {{1, 2, -INFINITY}, 1, 1, 2},
    {{NAN, 2, INFINITY}, 1, 2, 0},
    {{1, 1e19f, 1}, 1, 0, -1},
    {{1, 2e19f, 1}, 1, 1, 1}, /* its square is no float */
    {{1, 1e19f, 1}, 10, 1, 1},
    {{1.5e19f, 1, 1.5e19f}, 1, 1, 0}, /* together */
    {{3e38f, -3e38f, 1}, 1, 2, 0},
};

START_TEST(what_is_not_finite_is_found) {
  sl_optim_param params[3];
  sl_optim_options o;
  sl_optim_defaults(sl_optim_kind_find("Adam"), &o);
  for (int k = 0; k < 3; k++) {
    sl_tensor *p = t_zeros(SL_F32, 1, (int64_t)5);
    ck_assert_int_eq(sl_require_grad(p, 1), SL_OK);
    params[k] = (sl_optim_param){"p", p, 0, 1};
  }
  sl_optim *opt = NULL;
  ck_assert_int_eq(
      sl_optim_new(&opt, sl_optim_kind_find("Adam"), &o, params, 3), SL_OK);
  sl_grad_check c;
  ck_assert_int_eq(sl_optim_check(opt, &c), SL_OK); /* no gradients at all */
  ck_assert(c.bad == 0 && c.norm == 0);
  for (int k = 0; k < 3; k++) {
    const float g[5] = {0, 0, 0, 0, checks[_i].grad[k]};
    set_grad(params[k].tensor, g);
  }
  sl_optim_scale(opt, checks[_i].scale);
  ck_assert_int_eq(sl_optim_check(opt, &c), SL_OK);
  ck_assert_int_eq(c.bad, checks[_i].bad);
  ck_assert_int_eq(c.first, checks[_i].first);
  if (_i == 0) ck_assert_double_eq(c.norm, 3);
  /* A frozen parameter's old gradient does not count. */
  for (int k = 0; k < 3; k++)
    params[k].tensor->requires_grad = 0;
  ck_assert_int_eq(sl_optim_check(opt, &c), SL_OK);
  ck_assert_int_eq(c.bad, 0);
  sl_optim_free(opt);
  for (int k = 0; k < 3; k++)
    sl_tensor_release(params[k].tensor);
}
END_TEST

START_TEST(refusals) {
  const float v[] = {1, 2, 3}, inf[] = {1, INFINITY, 0};
  const int32_t whole[] = {1};
  sl_tensor *p = t_f32(v, 1, (int64_t)3), *i = t_i32(whole, 1, (int64_t)1);
  ck_assert_int_eq(sl_require_grad(p, 1), SL_OK);
  sl_optim_options o;
  sl_optim_defaults(sl_optim_kind_find("SGD"), &o);
  const sl_optim_param bad = {"head.weight", i, 0, 1}, gap = {"p", p, 1, 1};
  sl_optim *opt = NULL;
  const sl_optim_kind *sgd = sl_optim_kind_find("SGD");
  ck_assert_int_eq(sl_optim_new(&opt, sgd, &o, &bad, 1), SL_ESHAPE);
  ck_assert_ptr_nonnull(strstr(sl_error(), "head.weight is i32 (1)"));
  ck_assert_int_eq(sl_optim_new(&opt, sgd, &o, &gap, 1), SL_EINVAL);
  ck_assert_ptr_nonnull(strstr(sl_error(), "group 1 of 2 has no parameter"));
  ck_assert_int_eq(sl_optim_new(&opt, sgd, &o, &gap, 0), SL_EINVAL);
  ck_assert_ptr_null(sl_optim_kind_find("adam"));
  ck_assert_ptr_nonnull(strstr(sl_error(), "no optimiser 'adam'"));
  opt = make("SGD", &o, p, 1);
  set_grad(p, inf);
  ck_assert_int_eq(sl_optim_clip(opt, 1, NULL), SL_EDIVERGED);
  ck_assert_ptr_nonnull(strstr(sl_error(), "is inf: training has diverged"));
  ck_assert_int_eq(sl_optim_state_set(opt, 0, SL_SLOT_AVG, p), SL_EINVAL);
  sl_optim_free(opt);
  sl_tensor_release(p);
  sl_tensor_release(i);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("optim", &tc);
  tcase_add_loop_test(tc, as_fastai, 0, N_RUNS);
  tcase_add_test(tc, scheduled_hypers);
  tcase_add_test(tc, clip_by_global_norm);
  tcase_add_test(tc, frozen_and_idle_are_left_alone);
  tcase_add_loop_test(tc, same_bits_with_any_threads, 0, 3);
  tcase_add_test(tc, state_moves_to_another);
  tcase_add_loop_test(tc, what_is_not_finite_is_found, 0,
                      sizeof checks / sizeof *checks);
  tcase_add_test(tc, refusals);
  return t_main(s);
}
