/* unary.c -- CPU kernels of the whole family in ops/unary.def. */
#include <math.h>

#include "cpu/cpu.h"

typedef struct job {
  const float *x, *y, *dy;
  float *out;
  int add;
} job;

/* One pair of loops for each line of the list; the compiler vectorises those
 * that call no library function. */
#define SL_UNARY(name, value, slope, help)                                     \
  static void name##_range(void *context, int64_t begin, int64_t end) {        \
    const job *j = context;                                                    \
    const float *restrict in = j->x;                                           \
    float *restrict out = j->out;                                              \
    for (int64_t i = begin; i < end; i++) {                                    \
      const float x = in[i];                                                   \
      out[i] = value;                                                          \
    }                                                                          \
  }                                                                            \
  static void name##_grad_range(void *context, int64_t begin, int64_t end) {   \
    const job *j = context;                                                    \
    for (int64_t i = begin; i < end; i++) {                                    \
      const float x = j->x[i], y = j->y[i];                                    \
      (void)x;                                                                 \
      (void)y;                                                                 \
      const float d = j->dy[i] * (slope);                                      \
      j->out[i] = j->add ? j->out[i] + d : d;                                  \
    }                                                                          \
  }                                                                            \
  sl_status sl_cpu_##name(const sl_call *c) {                                  \
    job j = {.x = sl_f32(c->in[0]), .out = sl_f32(c->out[0])};                 \
    sl_cpu_ranges(sl_tensor_count(c->in[0]), name##_range, &j);                \
    return SL_OK;                                                              \
  }                                                                            \
  sl_status sl_cpu_##name##_grad(const sl_call *c) {                           \
    job j = {sl_f32(c->in[0]), sl_f32(c->out[0]), sl_f32(c->dout[0]),          \
             sl_f32(c->din[0]), c->add[0]};                                    \
    sl_cpu_ranges(sl_tensor_count(c->in[0]), name##_grad_range, &j);           \
    return SL_OK;                                                              \
  }
#include "ops/unary.def"
