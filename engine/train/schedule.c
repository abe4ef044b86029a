/* schedule.c -- see schedule.h. */
#include "train/schedule.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

double sl_segment_at(const sl_segment *s, double p) {
  const double a = s->from, b = s->to;
  switch (s->curve) {
  case SL_CURVE_NO:
    return a;
  case SL_CURVE_LIN:
    return a + p * (b - a);
  case SL_CURVE_COS:
    return a + (1 + cos(pi * (1 - p))) * (b - a) / 2;
  case SL_CURVE_EXP:
    return a * pow(b / a, p);
  case SL_CURVE_POLY:
    return a + (b - a) * pow(p, s->power);
  }
  return a;
}

int sl_curve_find(const char *name) {
  static const char *const names[] = {"no", "lin", "cos", "exp", "poly"};
  for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
    if (!strcmp(name, names[i])) return i;
  return -1;
}

sl_status sl_schedule_combine(sl_schedule *s, int n, const double *pcts,
                              const sl_segment *segments) {
  SL_REQUIRE(n >= 1 && n <= SL_MAX_SEGMENTS, SL_EINVAL,
             "a schedule of %d segments: 1 to %d are possible", n,
             SL_MAX_SEGMENTS);
  double sum = 0;
  s->n = n;
  s->bound[0] = 0;
  for (int i = 0; i < n; i++) {
    SL_REQUIRE(pcts[i] >= 0, SL_EINVAL,
               "share %g of segment %d of a schedule is not in [0, 1]", pcts[i],
               i + 1);
    sum += pcts[i];
    s->bound[i + 1] = s->bound[i] + (float)pcts[i];
    s->segment[i] = segments[i];
  }
  SL_REQUIRE(fabs(sum - 1) < 1e-6, SL_EINVAL,
             "the shares of a schedule's segments add up to %g, not 1", sum);
  return SL_OK;
}

double sl_schedule_at(const sl_schedule *s, double pos) {
  const float at = (float)pos;
  int i = s->n - 1;
  while (i > 0 && s->bound[i] > at)
    i--;
  const float local = (at - s->bound[i]) / (s->bound[i + 1] - s->bound[i]);
  return sl_segment_at(&s->segment[i], (double)local);
}

sl_status sl_schedule_combined_cos(sl_schedule *s, double pct, double start,
                                   double middle, double end) {
  const double pcts[] = {pct, 1 - pct};
  const sl_segment segments[] = {{SL_CURVE_COS, start, middle, 0},
                                 {SL_CURVE_COS, middle, end, 0}};
  return sl_schedule_combine(s, 2, pcts, segments);
}

sl_status sl_schedule_sgdr(sl_schedule *s, int n_cycles, double cycle_len,
                           double mult, double lr) {
  double pcts[SL_MAX_SEGMENTS], total = 0;
  sl_segment segments[SL_MAX_SEGMENTS];
  SL_REQUIRE(n_cycles >= 1 && n_cycles <= SL_MAX_SEGMENTS, SL_EINVAL,
             "%d cycles: 1 to %d are possible", n_cycles, SL_MAX_SEGMENTS);
  for (int i = 0; i < n_cycles; i++)
    total += cycle_len * pow(mult, i);
  for (int i = 0; i < n_cycles; i++) {
    pcts[i] = cycle_len * pow(mult, i) / total;
    segments[i] = (sl_segment){SL_CURVE_COS, lr, 0, 0};
  }
  return sl_schedule_combine(s, n_cycles, pcts, segments);
}

void sl_even_mults(double start, double stop, int n, double *out) {
  const double step = n > 1 ? pow(stop / start, 1.0 / (n - 1)) : 1;
  for (int i = 0; i < n; i++)
    out[i] = n > 1 ? start * pow(step, i) : stop;
}
