/* test_vmath.c -- cpu/vmath.h against libm in double precision. */
#include <math.h>

#include "cpu/vmath.h"
#include "support.h"

/* Distance in units of the last place of the right answer. */
static double ulps(float have, double want) {
  const float near = (float)want;
  const double unit =
      (double)(nextafterf(fabsf(near), INFINITY)) - (double)fabsf(near);
  return fabs((double)have - want) / unit;
}

static const struct {
  const char *name;
  float (*have)(float);
  double (*want)(double);
  double from, to, most;
} functions[] = {
    {"exp", sl_exp, exp, -87, 88.7, 2}, /* normal results */
    {"tanh", sl_tanh, tanh, -12, 12, 2},
};

START_TEST(accuracy) {
  double worst = 0, at = 0;
  const double span = functions[_i].to - functions[_i].from;
  for (int i = 0; i <= 2000000; i++) {
    const float x = (float)(functions[_i].from + span * i / 2e6);
    const double u = ulps(functions[_i].have(x), functions[_i].want((double)x));
    if (u > worst) {
      worst = u;
      at = (double)x;
    }
  }
  ck_assert_msg(worst <= functions[_i].most, "%s(%.9g) is %g ulp off",
                functions[_i].name, at, worst);
  ck_assert(worst > 0.1); /* it did compare something */
}
END_TEST

START_TEST(ends) {
  ck_assert(sl_exp(0) == 1);
  ck_assert(sl_exp(INFINITY) == INFINITY && sl_exp(89) == INFINITY);
  ck_assert(sl_exp(-INFINITY) == 0 && sl_exp(-110) == 0);
  ck_assert(sl_exp(-100) > 0); /* subnormal, not 0 */
  ck_assert(isnan(sl_exp(NAN)) && isnan(sl_tanh(NAN)));
  ck_assert(sl_tanh(INFINITY) == 1 && sl_tanh(-INFINITY) == -1);
  ck_assert(sl_tanh(1e-30f) == 1e-30f);
  ck_assert(sl_sigmoid(1e30f) == 1 && sl_sigmoid(-1e30f) == 0);
}
END_TEST

START_TEST(mish_at_the_ends) {
  ck_assert(sl_mish_tanh(100) == 1 && sl_mish_slope(100) == 1);
  ck_assert(sl_mish_tanh(-200) == 0 && fabsf(sl_mish_slope(-200)) < 1e-30f);
  for (float x = -20; x < 25; x += 0.37f) {
    const double e = log1p(exp((double)x));
    ck_assert_double_eq_tol((double)sl_mish_tanh(x), tanh(e), 1e-6);
  }
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("vmath", &tc);
  tcase_add_loop_test(tc, accuracy, 0, 2);
  tcase_add_test(tc, ends);
  tcase_add_test(tc, mish_at_the_ends);
  return t_main(s);
}
