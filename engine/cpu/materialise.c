/* materialise.c -- z = act(y * scale + shift), the value of a lazy tensor. */
#include <math.h>

#include "cpu/cpu.h"

static float act(sl_act a, float v) {
  switch (a) {
  case SL_ACT_NONE:
    return v;
  case SL_ACT_RELU:
    return v > 0 ? v : 0;
  case SL_ACT_GELU:
    return 0.5f * v * (1 + erff(v * 0.70710678f));
  case SL_ACT_SILU:
    return v / (1 + expf(-v));
  case SL_ACT_MISH:
    return v * tanhf(v > 20 ? v : log1pf(expf(v)));
  }
  return v;
}

typedef struct job {
  const sl_lazy *lazy;
  float *z;
  int64_t c;
} job;

static void run(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  const float *y = sl_f32(j->lazy->y), *scale = sl_f32(j->lazy->scale),
              *shift = sl_f32(j->lazy->shift);
  for (int64_t i = begin; i < end; i++)
    j->z[i] = act(j->lazy->act, y[i] * scale[i % j->c] + shift[i % j->c]);
}

sl_status sl_cpu_materialise(sl_tensor *out, const sl_lazy *lazy) {
  job j = {lazy, sl_f32(out), out->shape[out->rank - 1]};
  sl_cpu_ranges(sl_tensor_count(out), run, &j);
  return SL_OK;
}
