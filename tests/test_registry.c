/* test_registry.c -- what holds for every operation: described in full, wrong
 * inputs are errors, gradients are right, memory may run out anywhere. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "registry_cases.h"
#include "support.h"

/* --- descriptions ------------------------------------------------------------
 */

static void check_option(const sl_op *op, const sl_option *o) {
  ck_assert_msg(o->help && *o->help, "%s: no help for %s", op->name, o->name);
  ck_assert_msg(o->offset < op->opts_size, "%s: %s is outside of the options",
                op->name, o->name);
  if (o->type == SL_OPTION_ENUM) {
    int n = 0;
    while (o->names[n])
      n++;
    ck_assert_msg(o->def >= 0 && o->def < n, "%s: default of %s", op->name,
                  o->name);
  } else if (!o->required && !isnan(o->def) &&
             (o->type == SL_OPTION_FLOAT || o->type == SL_OPTION_INT ||
              o->type == SL_OPTION_INTS)) {
    ck_assert_msg(o->def >= o->min && o->def <= o->max,
                  "%s: default %g of %s is not in %g..%g", op->name, o->def,
                  o->name, o->min, o->max);
  }
}

START_TEST(described) {
  const sl_op *op = sl_op_get((sl_op_id)_i);
  ck_assert(op->name && *op->name);
  ck_assert_int_eq(sl_op_find(op->name), _i);
  ck_assert_msg(op->args, "%s: no args", op->name);
  ck_assert_msg(op->help && *op->help, "%s: no help", op->name);
  ck_assert_msg(op->example && strstr(op->example, op->name),
                "%s: no example of it", op->name);
  ck_assert_msg(op->infer != NULL, "%s: no shape rule", op->name);
  ck_assert(op->n_out >= 0 && op->n_out <= SL_OP_MAX_OUT);
  ck_assert(op->opts_size <= SL_OP_MAX_OPTS);
  ck_assert_int_eq(op->options != NULL, op->opts_size > 0);
  for (const sl_option *o = op->options; o && o->name; o++)
    check_option(op, o);
}
END_TEST

START_TEST(kernels_are_there) {
  const sl_op *op = sl_op_get((sl_op_id)_i);
  const sl_kernels *k = &sl_cpu.kernels[_i];
  if (op->view) {
    ck_assert(!k->forward && !k->backward);
    return;
  }
  ck_assert_msg(k->forward != NULL, "%s", op->name);
  ck_assert_msg((op->grad_in != 0) == (k->backward != NULL),
                "%s: grad_in and its line in ops.def do not agree", op->name);
}
END_TEST

/* Every example runs as it stands; x is a small batch of images. */
START_TEST(examples_run) {
  t_lua("local x = sota.uniform{2, 4, 4, 3}\n"
        "for _, op in ipairs(sota.ops()) do\n"
        "  local env = setmetatable({x = x, sota = sota}, {__index = _G})\n"
        "  local f = assert(load(op.example, '=' .. op.name, 't', env))\n"
        "  local ok, y = pcall(f)\n"
        "  assert(ok, op.name .. ': ' .. tostring(y))\n"
        "  assert(y ~= nil, op.name .. ': the example returns nothing')\n"
        "end\n");
}
END_TEST

/* --- wrong inputs ------------------------------------------------------------
 */

static void run_freely(sl_op_id id, sl_tensor **in, int n_in) {
  sl_tensor *out[SL_OP_MAX_OUT] = {0};
  const sl_op *op = sl_op_get(id);
  const sl_status status = sl_op_run(id, in, n_in, NULL, out);
  if (status != SL_OK)
    ck_assert_msg(strlen(sl_error()) > 3, "%s: no message", op->name);
  else
    ck_assert_msg(out[0] != NULL, "%s: no result", op->name);
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    sl_tensor_release(out[i]);
}

static sl_tensor *square(sl_dtype d, int rank, int size) {
  return t_zeros(d, rank, size, size, size, size, size, size);
}

enum { KINDS = SL_DTYPE_COUNT * (SL_MAX_RANK + 1) };

static sl_tensor *of_kind(int kind, int size) {
  return square((sl_dtype)(kind % SL_DTYPE_COUNT), kind / SL_DTYPE_COUNT, size);
}

/* All inputs of one dtype and rank, but for one of another; with sizes of 2, 1
 * and 0. An error with a message, or a result: never a crash or a leak. */
static void try_kinds(sl_op_id id, int n_in, int size) {
  sl_tensor *in[8] = {0};
  for (int kind = 0; kind < KINDS; kind++)
    for (int i = 0; i < n_in; i++)
      for (int other = 0; other < KINDS; other += n_in == 1 ? KINDS : 1) {
        for (int k = 0; k < n_in; k++)
          in[k] = of_kind(n_in > 1 && k == i ? other : kind, size);
        run_freely(id, in, n_in);
        for (int k = 0; k < n_in; k++)
          sl_tensor_release(in[k]);
      }
}

START_TEST(wrong_inputs) {
  const sl_op *op = sl_op_get((sl_op_id)_i);
  const int n_in = op->n_in < 8 ? op->n_in : 8;
  if (n_in == 0) run_freely((sl_op_id)_i, NULL, 0);
  for (int size = 0; size <= 2; size++)
    try_kinds((sl_op_id)_i, n_in, size);
}
END_TEST

/* --- gradients ---------------------------------------------------------------
 */

START_TEST(has_case) {
  const sl_op *op = sl_op_get((sl_op_id)_i);
  int found = op->grad_in == 0;
  for (const t_case *c = t_cases; c->make; c++)
    found |= c->id == (sl_op_id)_i;
  ck_assert_msg(found, "%s has a gradient but no line in registry_cases.c",
                op->name);
}
END_TEST

static int differentiable(const sl_op *op, const t_inputs *c, int i) {
  const unsigned bit = op->variadic ? 1u : 1u << i;
  return (op->grad_in & bit) && c->in[i] && c->in[i]->dtype == SL_F32;
}

START_TEST(gradients) {
  t_inputs c;
  t_inputs_make(&c, &t_cases[_i]);
  const sl_op *op = sl_op_get(c.id);
  for (int i = 0; i < c.n_in; i++)
    if (differentiable(op, &c, i))
      t_gradcheck(c.id, c.in, c.n_in, c.opts, i, c.h, c.tol);
  t_inputs_free(&c);
}
END_TEST

/* Forward and, where there is one, backward; seed: of the result. */
static sl_status forward_backward(const t_inputs *c, sl_tensor *seed) {
  sl_tensor *out[SL_OP_MAX_OUT] = {0};
  sl_status status = sl_op_run(c->id, c->in, c->n_in, c->opts, out);
  if (status == SL_OK && out[0]->node && seed)
    status = sl_backward(out[0], seed);
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    sl_tensor_release(out[i]);
  return status;
}

static void prepare(t_inputs *c, const t_case *from) {
  t_inputs_make(c, from);
  for (int i = 0; i < c->n_in; i++)
    if (differentiable(sl_op_get(c->id), c, i))
      ck_assert_int_eq(sl_require_grad(c->in[i], 1), SL_OK);
}

static sl_tensor *seed_for(const t_case *from) {
  t_inputs c;
  t_inputs_make(&c, from);
  sl_tensor *out = t_run_in(c.id, c.opts, c.in, c.n_in), *seed = NULL;
  ck_assert_int_eq(
      sl_tensor_zeros(&seed, &sl_cpu, SL_F32, out->rank, out->shape), SL_OK);
  sl_tensor_release(out);
  t_inputs_free(&c);
  return seed;
}

/* A second backward, without clearing, doubles every gradient. */
START_TEST(gradients_add_up) {
  t_inputs c;
  float once[64], twice[64];
  sl_tensor *seed = seed_for(&t_cases[_i]);
  for (int64_t i = 0; i < sl_tensor_count(seed); i++)
    sl_f32(seed)[i] = 0.5f + (float)(i % 3);
  prepare(&c, &t_cases[_i]);
  ck_assert_int_eq(forward_backward(&c, seed), SL_OK);
  for (int i = 0; i < c.n_in; i++) {
    sl_tensor *g = c.in[i] ? sl_grad(c.in[i]) : NULL;
    const int64_t n = g ? sl_tensor_count(g) : 0;
    if (!g || n > 64) continue;
    sl_grad_clear(c.in[i]);
    ck_assert_int_eq(forward_backward(&c, seed), SL_OK);
    ck_assert_int_eq(sl_tensor_read(g, SL_F32, once, n), SL_OK);
    ck_assert_int_eq(forward_backward(&c, seed), SL_OK);
    ck_assert_int_eq(sl_tensor_read(g, SL_F32, twice, n), SL_OK);
    for (int64_t k = 0; k < n; k++)
      ck_assert_msg(fabsf(twice[k] - 2 * once[k]) <= 1e-5f * fabsf(once[k]),
                    "%s: gradient %lld of input %d is %g, then %g",
                    sl_op_get(c.id)->name, (long long)k, i + 1, (double)once[k],
                    (double)twice[k]);
  }
  t_inputs_free(&c);
  sl_tensor_release(seed);
}
END_TEST

/* --- memory ------------------------------------------------------------------
 */

/* Nothing may be left of a run, but gradients: three blocks each. */
static void check_live(const t_inputs *c, int n, int64_t tensors,
                       int64_t blocks) {
  const char *name = sl_op_get(c->id)->name;
  int64_t grads = 0;
  for (int i = 0; i < c->n_in; i++)
    grads += c->in[i] && c->in[i]->grad;
  sl_cpu.trim();
  ck_assert_msg(sl_tensor_live() == tensors + grads,
                "%s, allocation %d: tensors leak", name, n);
  const int64_t more = sl_alloc_live() - blocks - 3 * grads;
  ck_assert_msg(blocks < 0 || more == 0, "%s, allocation %d: %lld blocks leak",
                name, n, (long long)more);
}

/* One run in which the n-th allocation fails. 0: there was no n-th. */
static int fail_at(const t_case *from, sl_tensor *seed, int n, int cold) {
  t_inputs c;
  prepare(&c, from);
  sl_cpu.trim();
  const int64_t tensors = sl_tensor_live(), blocks = sl_alloc_live();
  sl_alloc_fail_at(n);
  const sl_status status = forward_backward(&c, seed);
  const int left = sl_alloc_fail_at(0);
  const char *name = sl_op_get(c.id)->name;
  ck_assert_msg(status == SL_OK || status == SL_ENOMEM,
                "%s, allocation %d: status %d: %s", name, n, (int)status,
                sl_error());
  ck_assert_msg(status == SL_OK || left == 0, "%s fails by itself: %s", name,
                sl_error());
  check_live(&c, n, tensors, cold ? -1 : blocks);
  t_inputs_free(&c);
  return left == 0;
}

/* For n = 1, 2... until there is no n-th. Twice: what a backend keeps in caches
 * the first time is no leak. */
START_TEST(out_of_memory) {
  sl_tensor *seed = seed_for(&t_cases[_i]);
  for (int pass = 0; pass < 2; pass++)
    for (int n = 1; fail_at(&t_cases[_i], seed, n, pass == 0); n++)
      ck_assert_int_lt(n, 1000);
  sl_tensor_release(seed);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("registry", &tc);
  int n_cases = 0;
  while (t_cases[n_cases].make)
    n_cases++;
  tcase_add_loop_test(tc, described, 0, SL_OP_COUNT);
  tcase_add_loop_test(tc, kernels_are_there, 0, SL_OP_COUNT);
  tcase_add_test(tc, examples_run);
  tcase_add_loop_test(tc, wrong_inputs, 0, SL_OP_COUNT);
  tcase_add_loop_test(tc, has_case, 0, SL_OP_COUNT);
  tcase_add_loop_test(tc, gradients, 0, n_cases);
  tcase_add_loop_test(tc, gradients_add_up, 0, n_cases);
  tcase_add_loop_test(tc, out_of_memory, 0, n_cases);
  return t_main(s);
}
