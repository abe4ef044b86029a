/* test_batch_norm.c -- batch norm with activation and residual, and its
 * gradients, against formulas in f64; accuracy far from zero; errors. */
#include "ops/batch_norm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "support.h"

enum { X, GAMMA, BETA, MEAN, VAR, RESIDUAL, INPUTS };

typedef struct setup {
  int rank, shape[4], training, residual, act, workers;
} setup;

static const setup setups[] = {
    {4, {3, 5, 4, 7}, 1, 0, SL_ACT_NONE, 1},
    {4, {3, 5, 4, 7}, 1, 1, SL_ACT_RELU, 2},
    {4, {4, 8, 8, 64}, 1, 1, SL_ACT_RELU, 3},
    {4, {4, 8, 8, 48}, 1, 0, SL_ACT_GELU, 2},
    {4, {4, 8, 8, 33}, 1, 1, SL_ACT_SILU, 4},
    {4, {4, 8, 8, 16}, 1, 1, SL_ACT_MISH, 1},
    {2, {37, 10}, 1, 0, SL_ACT_RELU, 2},
    {2, {2, 3}, 1, 0, SL_ACT_NONE, 4},
    {3, {6, 11, 20}, 1, 1, SL_ACT_NONE, 3},
    {4, {1, 40, 40, 32}, 1, 0, SL_ACT_RELU, 2},
    {4, {3, 5, 4, 7}, 0, 1, SL_ACT_RELU, 2},
    {4, {4, 8, 8, 64}, 0, 0, SL_ACT_MISH, 3},
    {2, {1, 5}, 0, 0, SL_ACT_NONE, 1},
};
enum { SETUPS = sizeof setups / sizeof *setups };

/* --- the formulas, in f64 ------------------------------------------------- */

static double act_value(int act, double x) {
  switch (act) {
  case SL_ACT_RELU:
    return x > 0 ? x : 0;
  case SL_ACT_GELU:
    return 0.5 * x * (1 + erf(x / sqrt(2)));
  case SL_ACT_SILU:
    return x / (1 + exp(-x));
  case SL_ACT_MISH:
    return x * tanh(log1p(exp(x)));
  default:
    return x;
  }
}

static double act_slope(int act, double x) {
  if (act == SL_ACT_RELU) return x > 0;
  const double h = 1e-6; /* central differences of a smooth function */
  return (act_value(act, x + h) - act_value(act, x - h)) / (2 * h);
}

/* Channel c of everything; x has `rows` of `n` channels. */
typedef struct channel {
  int64_t rows, n, c;
  double mean, rstd, new_mean, new_var;
  double dgamma, dbeta;
} channel;

static void statistics(channel *k, const setup *s, sl_tensor *const *in) {
  double sum = 0, square = 0;
  for (int64_t r = 0; r < k->rows; r++)
    sum += (double)sl_f32(in[X])[r * k->n + k->c];
  const double mean = sum / (double)k->rows, m = (double)k->rows;
  for (int64_t r = 0; r < k->rows; r++)
    square += pow((double)sl_f32(in[X])[r * k->n + k->c] - mean, 2);
  const double old_mean = (double)sl_f32(in[MEAN])[k->c];
  const double old_var = (double)sl_f32(in[VAR])[k->c];
  k->mean = s->training ? mean : old_mean;
  k->rstd = 1 / sqrt((s->training ? square / m : old_var) + 1e-5);
  k->new_mean = s->training ? 0.9 * old_mean + 0.1 * mean : old_mean;
  k->new_var = s->training ? 0.9 * old_var + 0.1 * square / (m - 1) : old_var;
}

static double pre(const channel *k, sl_tensor *const *in, int64_t r) {
  const int64_t i = r * k->n + k->c;
  const double hat = ((double)sl_f32(in[X])[i] - k->mean) * k->rstd;
  return hat * (double)sl_f32(in[GAMMA])[k->c] +
         (double)sl_f32(in[BETA])[k->c] +
         (in[RESIDUAL] ? (double)sl_f32(in[RESIDUAL])[i] : 0);
}

/* y, dx and dresidual of the channel; dgamma and dbeta into k. */
static void reference(channel *k, const setup *s, sl_tensor *const *in,
                      const float *dy, double *y, double *dx, double *dr) {
  const double gamma = (double)sl_f32(in[GAMMA])[k->c];
  for (int64_t r = 0; r < k->rows; r++) {
    const int64_t i = r * k->n + k->c;
    const double hat = ((double)sl_f32(in[X])[i] - k->mean) * k->rstd;
    y[i] = act_value(s->act, pre(k, in, r));
    dr[i] = (double)dy[i] * act_slope(s->act, pre(k, in, r));
    k->dbeta += dr[i];
    k->dgamma += dr[i] * hat;
  }
  for (int64_t r = 0; r < k->rows; r++) {
    const int64_t i = r * k->n + k->c;
    const double hat = ((double)sl_f32(in[X])[i] - k->mean) * k->rstd;
    const double centred =
        dr[i] - k->dbeta / (double)k->rows - hat * k->dgamma / (double)k->rows;
    dx[i] = gamma * k->rstd * (s->training ? centred : dr[i]);
  }
}

/* --- tests ---------------------------------------------------------------- */

static sl_tensor *random_like(const setup *s, unsigned seed, float lo,
                              float hi) {
  const int *d = s->shape;
  return t_random(seed, lo, hi, s->rank, d[0], d[1], d[2], d[3]);
}

static void make(const setup *s, sl_tensor **in) {
  const int c = s->shape[s->rank - 1];
  in[X] = random_like(s, 1, -1, 3);
  in[GAMMA] = t_random(2, 0.5f, 1.5f, 1, c);
  in[BETA] = t_random(3, -1, 1, 1, c);
  in[MEAN] = t_random(4, -1, 1, 1, c);
  in[VAR] = t_random(5, 0.5f, 2, 1, c);
  in[RESIDUAL] = s->residual ? random_like(s, 6, -1, 1) : NULL;
}

static void free_all(sl_tensor **in, int n) {
  for (int i = 0; i < n; i++)
    sl_tensor_release(in[i]);
}

static void close_to(double have, double want, double tol, const char *what,
                     int64_t i) {
  ck_assert_msg(fabs(have - want) <= tol * (1 + fabs(want)),
                "%s %lld: %.8g, want %.8g", what, (long long)i, have, want);
}

/* Everything that the call gave, for channel c, against the formulas. */
static void check_channel(const setup *s, channel *k, sl_tensor *const *in,
                          const sl_tensor *y, const sl_tensor *dy,
                          const sl_tensor *new_mean, const sl_tensor *new_var) {
  const size_t n = (size_t)(k->rows * k->n);
  double *want = calloc(3 * n, sizeof *want);
  double *dx = want + n, *dr = dx + n;
  reference(k, s, in, sl_f32(dy), want, dx, dr);
  for (int64_t r = 0; r < k->rows; r++) {
    const int64_t i = r * k->n + k->c;
    close_to((double)sl_f32(y)[i], want[i], 3e-6, "y", i);
    close_to((double)sl_f32(sl_grad(in[X]))[i], dx[i], 1e-5, "dx", i);
    if (in[RESIDUAL])
      close_to((double)sl_f32(sl_grad(in[RESIDUAL]))[i], dr[i], 1e-5,
               "dresidual", i);
  }
  close_to((double)sl_f32(sl_grad(in[GAMMA]))[k->c], k->dgamma, 3e-5, "dgamma",
           k->c);
  close_to((double)sl_f32(sl_grad(in[BETA]))[k->c], k->dbeta, 3e-5, "dbeta",
           k->c);
  close_to((double)sl_f32(new_mean)[k->c], k->new_mean, 1e-6, "mean", k->c);
  close_to((double)sl_f32(new_var)[k->c], k->new_var, 1e-6, "var", k->c);
  free(want);
}

START_TEST(values_and_gradients) {
  const setup *s = &setups[_i];
  const sl_norm_opts opts = {1e-5, 0.1, s->training, s->act};
  ck_assert_int_eq(sl_pool_resize(s->workers), SL_OK);
  sl_tensor *in[INPUTS], *before[2];
  make(s, in);
  for (int i = 0; i < 2; i++)
    ck_assert_int_eq(sl_tensor_copy(&before[i], in[MEAN + i], &sl_cpu, SL_F32),
                     SL_OK);
  const int leaves[] = {X, GAMMA, BETA, RESIDUAL};
  for (int i = 0; i < 4; i++)
    if (in[leaves[i]])
      ck_assert_int_eq(sl_require_grad(in[leaves[i]], 1), SL_OK);
  sl_tensor *y = t_run_in(SL_OP_batch_norm, &opts, in, INPUTS);
  sl_tensor *dy = random_like(s, 7, -1, 1);
  ck_assert_msg(sl_backward(y, dy) == SL_OK, "%s", sl_error());
  sl_tensor *old[INPUTS] = {in[X],     in[GAMMA], in[BETA],
                            before[0], before[1], in[RESIDUAL]};
  const int64_t c = s->shape[s->rank - 1];
  for (int64_t i = 0; i < c; i++) {
    channel k = {.rows = sl_tensor_count(in[X]) / c, .n = c, .c = i};
    statistics(&k, s, old);
    check_channel(s, &k, old, y, dy, in[MEAN], in[VAR]);
  }
  free_all(in, INPUTS);
  free_all(before, 2);
  sl_tensor_release(y);
  sl_tensor_release(dy);
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
}
END_TEST

START_TEST(gradcheck) {
  const setup s = {4, {2, 3, 2, 5}, _i % 2, 1, _i / 2, 2};
  const sl_norm_opts opts = {1e-5, 0.1, s.training, s.act};
  sl_tensor *in[INPUTS];
  make(&s, in);
  const int leaves[] = {X, GAMMA, BETA, RESIDUAL};
  /* relu has kinks: a step over one is not an error of the gradient */
  const double h = s.act == SL_ACT_RELU ? 1e-3 : 1e-2;
  for (int i = 0; i < 4; i++)
    t_gradcheck(SL_OP_batch_norm, in, INPUTS, &opts, leaves[i], h, 5e-3);
  free_all(in, INPUTS);
}
END_TEST

/* Values of 1000 +- 0.01: E[x^2] - mean^2 in f32 would give garbage. */
START_TEST(far_from_zero) {
  enum { ROWS = 20000, C = 4 };
  const sl_norm_opts opts = {0, 1, 1, SL_ACT_NONE};
  ck_assert_int_eq(sl_pool_resize(_i), SL_OK);
  sl_tensor *x = t_random(1, 999.99f, 1000.01f, 2, ROWS, C);
  sl_tensor *ones = t_random(1, 1, 1, 1, C), *zeros = t_zeros(SL_F32, 1, C);
  sl_tensor *mean = t_zeros(SL_F32, 1, C), *var = t_zeros(SL_F32, 1, C);
  sl_tensor *y = t_run(SL_OP_batch_norm, &opts, 5, x, ones, zeros, mean, var);
  for (int c = 0; c < C; c++) {
    double sum = 0, square = 0;
    for (int i = 0; i < ROWS; i++)
      sum += (double)sl_f32(x)[i * C + c] / ROWS;
    for (int i = 0; i < ROWS; i++)
      square += pow((double)sl_f32(x)[i * C + c] - sum, 2) / (ROWS - 1);
    ck_assert_double_eq_tol((double)sl_f32(mean)[c] / sum, 1, 1e-7);
    ck_assert_double_eq_tol((double)sl_f32(var)[c] / square, 1, 1e-5);
  }
  sl_tensor *all[] = {x, ones, zeros, mean, var, y};
  free_all(all, 6);
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
}
END_TEST

/* Running statistics stay as they are outside training, and in eval the
 * gradient is that of a scale. */
START_TEST(eval_leaves_statistics) {
  const setup s = {2, {6, 3}, 0, 0, SL_ACT_NONE, 1};
  const sl_norm_opts opts = {0, 0.1, 0, SL_ACT_NONE};
  sl_tensor *in[INPUTS];
  make(&s, in);
  float before[3];
  memcpy(before, sl_f32(in[MEAN]), sizeof before);
  ck_assert_int_eq(sl_require_grad(in[X], 1), SL_OK);
  sl_tensor *y = t_run_in(SL_OP_batch_norm, &opts, in, 5);
  sl_tensor *dy = t_random(1, 1, 1, 2, 6, 3);
  ck_assert_int_eq(sl_backward(y, dy), SL_OK);
  ck_assert_mem_eq(before, sl_f32(in[MEAN]), sizeof before);
  for (int c = 0; c < 3; c++)
    close_to((double)sl_f32(sl_grad(in[X]))[c],
             (double)sl_f32(in[GAMMA])[c] / sqrt((double)sl_f32(in[VAR])[c]),
             1e-6, "dx", c);
  free_all(in, INPUTS);
  sl_tensor_release(y);
  sl_tensor_release(dy);
}
END_TEST

/* x is its own residual: both gradients meet in one tensor. */
START_TEST(x_as_residual) {
  const setup s = {2, {6, 5}, 1, 0, SL_ACT_SILU, 1};
  const sl_norm_opts opts = {1e-5, 0.1, 1, SL_ACT_SILU};
  sl_tensor *in[INPUTS];
  make(&s, in);
  in[RESIDUAL] = in[X];
  t_gradcheck(SL_OP_batch_norm, in, INPUTS, &opts, X, 1e-2, 5e-3);
  free_all(in, INPUTS - 1);
}
END_TEST

/* In the result; the running statistics stay what they were in that channel. */
START_TEST(nan_is_seen) {
  const float bad[] = {NAN, INFINITY, 3e38f};
  const setup s = {2, {6, 2}, 1, 0, SL_ACT_RELU, 1};
  const sl_norm_opts opts = {1e-5, 0.1, 1, SL_ACT_RELU};
  sl_tensor *in[INPUTS];
  make(&s, in);
  sl_f32(in[X])[4] = bad[_i];
  float mean[2], var[2];
  memcpy(mean, sl_f32(in[MEAN]), sizeof mean);
  memcpy(var, sl_f32(in[VAR]), sizeof var);
  sl_tensor *y = t_run_in(SL_OP_batch_norm, &opts, in, 5);
  ck_assert(isnan(sl_f32(y)[0]) == (_i < 2) && !isnan(sl_f32(y)[1]));
  ck_assert(sl_f32(in[MEAN])[0] == mean[0] && sl_f32(in[VAR])[0] == var[0]);
  ck_assert(sl_f32(in[MEAN])[1] != mean[1] && sl_f32(in[VAR])[1] != var[1]);
  free_all(in, INPUTS);
  sl_tensor_release(y);
}
END_TEST

START_TEST(errors) {
  sl_tensor *x = t_zeros(SL_F32, 2, 1, 3), *many = t_zeros(SL_F32, 2, 5, 3);
  sl_tensor *v = t_zeros(SL_F32, 1, 3), *four = t_zeros(SL_F32, 1, 4);
  sl_tensor *none = t_zeros(SL_F32, 2, 0, 3);
  sl_norm_opts o = {1e-5, 0.1, 1, SL_ACT_NONE};
  t_fails("more than one value per channel", SL_OP_batch_norm, &o, 5, x, v, v,
          v, v);
  t_fails("x is empty", SL_OP_batch_norm, &o, 5, none, v, v, v, v);
  t_fails("running_mean must be f32 (3), not f32 (4)", SL_OP_batch_norm, &o, 5,
          many, v, v, four, v);
  t_fails("residual is f32 (1, 3) but the result f32 (5, 3)", SL_OP_batch_norm,
          &o, 6, many, v, v, v, v, x);
  t_fails("of two dimensions or more, not f32 (4)", SL_OP_batch_norm, &o, 5,
          four, v, v, v, v);
  sl_tensor *all[] = {x, many, v, four, none};
  free_all(all, 5);
}
END_TEST

START_TEST(lua_face) {
  t_lua("local x = sota.tensor{{1, 2}, {3, 6}}\n"
        "local mean, var = sota.zeros(2), sota.ones(2)\n"
        "local y = sota.batch_norm(x, sota.ones(2), sota.zeros(2), mean, var,\n"
        "  {training = true, eps = 0, act = 'relu'})\n"
        "assert(y:totable()[1][1] == 0 and y:totable()[2][2] == 1)\n"
        "assert(math.abs(mean:totable()[2] - 0.4) < 1e-6)\n"
        "assert(math.abs(var:totable()[2] - (0.9 + 0.1 * 8)) < 1e-6)\n"
        "fails('act', sota.batch_norm, x, mean, mean, mean, var,\n"
        "  {act = 'rule'})\n");
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("batch_norm", &tc);
  tcase_add_loop_test(tc, values_and_gradients, 0, SETUPS);
  tcase_add_loop_test(tc, gradcheck, 0, 10);
  tcase_add_loop_test(tc, far_from_zero, 1, 5);
  tcase_add_test(tc, eval_leaves_statistics);
  tcase_add_test(tc, x_as_residual);
  tcase_add_loop_test(tc, nan_is_seen, 0, 3);
  tcase_add_test(tc, errors);
  tcase_add_test(tc, lua_face);
  return t_main(s);
}
