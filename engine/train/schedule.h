/* schedule.h -- hyperparameters as functions of the share of training done.
 *
 * A schedule is a row of segments. Where a segment begins and how far one is
 * inside it are float32 numbers, as in fastai's combine_scheds; the curves
 * themselves are double. */
#ifndef SL_TRAIN_SCHEDULE_H
#define SL_TRAIN_SCHEDULE_H

#include "base/status.h"

/* From a to b as p goes from 0 to 1:
 *   no     a
 *   lin    a + p (b - a)
 *   cos    a + (1 + cos(pi (1 - p))) (b - a) / 2
 *   exp    a (b / a)^p
 *   poly   a + (b - a) p^power */
typedef enum sl_curve {
  SL_CURVE_NO,
  SL_CURVE_LIN,
  SL_CURVE_COS,
  SL_CURVE_EXP,
  SL_CURVE_POLY,
} sl_curve;

typedef struct sl_segment {
  sl_curve curve;
  double from, to;
  double power; /* of POLY */
} sl_segment;

double sl_segment_at(const sl_segment *s, double p);
int sl_curve_find(const char *name); /* "cos"; -1: no such curve */

enum { SL_MAX_SEGMENTS = 32 };

typedef struct sl_schedule {
  int n;
  float bound[SL_MAX_SEGMENTS + 1]; /* segment i is [bound i, bound i+1) */
  sl_segment segment[SL_MAX_SEGMENTS];
} sl_schedule;

/* Segment i takes the share pcts[i]: none negative, the sum 1. */
SL_MUST_USE sl_status sl_schedule_combine(sl_schedule *s, int n,
                                          const double *pcts,
                                          const sl_segment *segments);
double sl_schedule_at(const sl_schedule *s, double pos); /* pos in [0, 1] */

/* cos from start to middle over pct, cos from middle to end over the rest:
 * what one_cycle (rate and momentum) and flat_cos are made of. */
SL_MUST_USE sl_status sl_schedule_combined_cos(sl_schedule *s, double pct,
                                               double start, double middle,
                                               double end);

/* n_cycles of cos from lr to 0; each is mult times longer than the last. */
SL_MUST_USE sl_status sl_schedule_sgdr(sl_schedule *s, int n_cycles,
                                       double cycle_len, double mult,
                                       double lr);

/* out[0..n-1]: from start to stop in equal factors; n = 1: stop. */
void sl_even_mults(double start, double stop, int n, double *out);

#endif
