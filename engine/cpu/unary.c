/* unary.c -- CPU kernels of the whole family in ops/unary.def.
 *
 * Each line of the list becomes loops over one dense block, which the compiler
 * vectorises where no library function is called; elements of other dtypes and
 * strides come through cpu/elements.h. The result is computed again for the
 * slope, so the tape need not keep it. */
#include "cpu/cpu.h"
#include "cpu/rows.h"
#include "cpu/simd.h"
#include "cpu/vmath.h"

typedef void float_block(const float *in, float *out, int n);
typedef void whole_block(const int32_t *in, int32_t *out, int n);
typedef void slope_block(const float *in, const float *dy, float *out, int n);

typedef struct job {
  const sl_tensor *x, *dy;
  sl_tensor *out;
  float_block *f;
  whole_block *whole;
  slope_block *slope;
  int add;
} job;

static void forward_float(void *context, const int64_t *at, const int64_t *step,
                          int n) {
  const job *j = context;
  float in[SL_BLOCK], out[SL_BLOCK];
  const float *x = sl_load_f32(j->x, at[1], step[1], n, in);
  const int direct = sl_is_dense_f32(j->out, step[0]);
  float *y = direct ? sl_f32(j->out) + at[0] : out;
  j->f(x, y, n);
  if (!direct) sl_store_f32(j->out, at[0], step[0], n, y, 0);
}

static void forward_whole(void *context, const int64_t *at, const int64_t *step,
                          int n) {
  const job *j = context;
  int32_t in[SL_BLOCK], out[SL_BLOCK];
  j->whole(sl_load_i32(j->x, at[1], step[1], n, in), out, n);
  sl_store_i32(j->out, at[0], step[0], n, out);
}

static sl_status forward(const sl_call *c, float_block *f, whole_block *whole) {
  job j = {.x = c->in[0], .out = c->out[0], .f = f, .whole = whole};
  sl_rows r;
  sl_rows_begin(&r, j.out->rank, j.out->shape);
  sl_rows_add(&r, j.out);
  sl_rows_add(&r, j.x);
  sl_rows_run(&r, j.out->dtype == SL_I32 ? forward_whole : forward_float, &j);
  return SL_OK;
}

static void backward_block(void *context, const int64_t *at,
                           const int64_t *step, int n) {
  const job *j = context;
  float in[SL_BLOCK], grad[SL_BLOCK], out[SL_BLOCK];
  const float *x = sl_load_f32(j->x, at[1], step[1], n, in);
  const float *dy = sl_load_f32(j->dy, at[2], step[2], n, grad);
  const int direct = !j->add && sl_is_dense_f32(j->out, step[0]);
  float *dx = direct ? sl_f32(j->out) + at[0] : out;
  j->slope(x, dy, dx, n);
  if (!direct) sl_store_f32(j->out, at[0], step[0], n, dx, j->add);
}

static sl_status backward(const sl_call *c, slope_block *slope) {
  job j = {.x = c->in[0],
           .dy = c->dout[0],
           .out = c->din[0],
           .slope = slope,
           .add = c->add[0]};
  sl_rows r;
  sl_rows_begin(&r, j.out->rank, j.out->shape);
  sl_rows_add(&r, j.out);
  sl_rows_add(&r, j.x);
  sl_rows_add(&r, j.dy);
  sl_rows_run(&r, backward_block, &j);
  return SL_OK;
}

#define FLOAT(name, value, slope)                                              \
  SL_SIMD                                                                      \
  static void name##_values(const float *restrict in, float *restrict out,     \
                            int n) {                                           \
    for (int i = 0; i < n; i++) {                                              \
      const float x = in[i];                                                   \
      out[i] = (float)(value);                                                 \
    }                                                                          \
  }                                                                            \
  SL_SIMD                                                                      \
  static void name##_slope(const float *restrict in, const float *restrict dy, \
                           float *restrict out, int n) {                       \
    for (int i = 0; i < n; i++) {                                              \
      const float x = in[i], y = (float)(value);                               \
      (void)y;                                                                 \
      out[i] = dy[i] * (slope);                                                \
    }                                                                          \
  }
#define WHOLE(name, value)                                                     \
  static void name##_whole(const int32_t *restrict in, int32_t *restrict out,  \
                           int n) {                                            \
    for (int i = 0; i < n; i++) {                                              \
      const int64_t x = in[i];                                                 \
      out[i] = (int32_t)(value);                                               \
    }                                                                          \
  }
#define KERNELS(name, whole)                                                   \
  sl_status sl_cpu_##name(const sl_call *c) {                                  \
    return forward(c, name##_values, whole);                                   \
  }                                                                            \
  sl_status sl_cpu_##name##_grad(const sl_call *c) {                           \
    return backward(c, name##_slope);                                          \
  }
#define SL_UNARY(name, value, slope, help)                                     \
  FLOAT(name, value, slope)                                                    \
  KERNELS(name, NULL)
#define SL_UNARY_INT(name, value, slope, help)                                 \
  FLOAT(name, value, slope)                                                    \
  WHOLE(name, value)                                                           \
  KERNELS(name, name##_whole)
#include "ops/unary.def"
