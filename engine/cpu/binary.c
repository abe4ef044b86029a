/* binary.c -- CPU kernels of the whole family in ops/binary.def.
 *
 * Each line of the list becomes loops over dense blocks: a block of an input
 * that is dense f32 is used where it lies; broadcast, strided and other inputs
 * are brought into cache first (cpu/elements.h). */
#include "cpu/cpu.h"
#include "cpu/reduction.h"
#include "cpu/rows.h"
#include "cpu/simd.h"
#include "cpu/vmath.h"

typedef void float_block(const float *a, const float *b, float *out, int n);
typedef void whole_block(const int32_t *a, const int32_t *b, int32_t *out,
                         int n);
typedef void slope_block(const float *a, const float *b, const float *dy,
                         float *out, int n);

typedef struct job {
  const sl_tensor *a, *b, *dy;
  sl_tensor *out;
  float_block *f;
  whole_block *whole;
  slope_block *slope;
  int add;
} job;

static void forward_float(void *context, const int64_t *at, const int64_t *step,
                          int n) {
  const job *j = context;
  float left[SL_BLOCK], right[SL_BLOCK], out[SL_BLOCK];
  const float *a = sl_load_f32(j->a, at[1], step[1], n, left);
  const float *b = sl_load_f32(j->b, at[2], step[2], n, right);
  const int direct = sl_is_dense_f32(j->out, step[0]);
  float *y = direct ? sl_f32(j->out) + at[0] : out;
  j->f(a, b, y, n);
  if (!direct) sl_store_f32(j->out, at[0], step[0], n, y, 0);
}

static void forward_whole(void *context, const int64_t *at, const int64_t *step,
                          int n) {
  const job *j = context;
  int32_t left[SL_BLOCK], right[SL_BLOCK], out[SL_BLOCK];
  const int32_t *a = sl_load_i32(j->a, at[1], step[1], n, left);
  const int32_t *b = sl_load_i32(j->b, at[2], step[2], n, right);
  j->whole(a, b, out, n);
  sl_store_i32(j->out, at[0], step[0], n, out);
}

static void plan(sl_rows *r, const job *j) {
  sl_rows_begin(r, j->out->rank, j->out->shape);
  sl_rows_add(r, j->out);
  sl_rows_add(r, j->a);
  sl_rows_add(r, j->b);
}

static sl_status forward(const sl_call *c, float_block *f, whole_block *whole) {
  job j = {c->in[0], c->in[1], NULL, c->out[0], f, whole, NULL, 0};
  sl_rows r;
  plan(&r, &j);
  sl_rows_run(&r, j.out->dtype == SL_I32 ? forward_whole : forward_float, &j);
  return SL_OK;
}

static void backward_block(void *context, const int64_t *at,
                           const int64_t *step, int n) {
  const job *j = context;
  float left[SL_BLOCK], right[SL_BLOCK], grad[SL_BLOCK], out[SL_BLOCK];
  const float *a = sl_load_f32(j->a, at[1], step[1], n, left);
  const float *b = sl_load_f32(j->b, at[2], step[2], n, right);
  const float *dy = sl_load_f32(j->dy, at[3], step[3], n, grad);
  const int direct = !j->add && sl_is_dense_f32(j->out, step[0]);
  float *d = direct ? sl_f32(j->out) + at[0] : out;
  j->slope(a, b, dy, d, n);
  if (!direct) sl_store_f32(j->out, at[0], step[0], n, d, j->add);
}

static sl_status backward_of(const sl_call *c, int i, slope_block *slope) {
  if (!c->din[i]) return SL_OK;
  job j = {.a = c->in[0], .b = c->in[1], .dy = c->dout[0], .slope = slope};
  sl_rows r;
  SL_TRY(sl_grad_begin(c, i, &j.out, &j.add));
  plan(&r, &j);
  sl_rows_add(&r, j.dy);
  sl_rows_run(&r, backward_block, &j);
  return sl_grad_finish(c, i, j.out);
}

static sl_status backward(const sl_call *c, slope_block *a, slope_block *b) {
  SL_TRY(backward_of(c, 0, a));
  return backward_of(c, 1, b);
}

#define SLOPE(name, value, slope)                                              \
  SL_SIMD                                                                      \
  static void name(const float *restrict left, const float *restrict right,    \
                   const float *restrict dy, float *restrict out, int n) {     \
    for (int i = 0; i < n; i++) {                                              \
      const float a = left[i], b = right[i], y = value;                        \
      (void)y;                                                                 \
      out[i] = dy[i] * (slope);                                                \
    }                                                                          \
  }
#define FLOAT(name, value, slope_a, slope_b)                                   \
  SL_SIMD                                                                      \
  static void name##_of_two(const float *restrict left,                        \
                            const float *restrict right, float *restrict out,  \
                            int n) {                                           \
    for (int i = 0; i < n; i++) {                                              \
      const float a = left[i], b = right[i];                                   \
      out[i] = value;                                                          \
    }                                                                          \
  }                                                                            \
  SLOPE(name##_slope_a, value, slope_a)                                        \
  SLOPE(name##_slope_b, value, slope_b)
#define WHOLE(name, value)                                                     \
  static void name##_whole(const int32_t *restrict left,                       \
                           const int32_t *restrict right,                      \
                           int32_t *restrict out, int n) {                     \
    for (int i = 0; i < n; i++) {                                              \
      const int64_t a = left[i], b = right[i];                                 \
      out[i] = (int32_t)(value);                                               \
    }                                                                          \
  }
#define KERNELS(name, whole)                                                   \
  sl_status sl_cpu_##name(const sl_call *c) {                                  \
    return forward(c, name##_of_two, whole);                                   \
  }                                                                            \
  sl_status sl_cpu_##name##_grad(const sl_call *c) {                           \
    return backward(c, name##_slope_a, name##_slope_b);                        \
  }
#define SL_BINARY(name, value, slope_a, slope_b, help)                         \
  FLOAT(name, value, slope_a, slope_b)                                         \
  KERNELS(name, NULL)
#define SL_BINARY_INT(name, value, slope_a, slope_b, help)                     \
  FLOAT(name, value, slope_a, slope_b)                                         \
  WHOLE(name, value)                                                           \
  KERNELS(name, name##_whole)
#include "ops/binary.def"
