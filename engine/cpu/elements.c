/* elements.c -- see elements.h. */
#include "cpu/elements.h"

#include "cpu/bf16.h"

#define AS_IS(v) (v)

/* One loop for each dtype: to[i] = from[at + i * step]. A step of 1 gets a
 * loop of its own, for the vectoriser. */
#define LOOP(cond, to, from)                                                   \
  if (cond)                                                                    \
    for (int i = 0; i < n; i++)                                                \
  to = from
#define READ(type, t, convert)                                                 \
  case t: {                                                                    \
    const type *p = (const type *)sl_data(x) + at;                             \
    LOOP(step == 1, buf[i], convert(p[i]));                                    \
    else LOOP(1, buf[i], convert(p[i * step]));                                \
    break;                                                                     \
  }

#define LOADER(name, type, self, f32, bf16, whole)                             \
  static const type *name(const sl_tensor *x, int64_t at, int64_t step, int n, \
                          type *buf) {                                         \
    if ((int)x->dtype == self && step == 1)                                    \
      return (const type *)sl_data(x) + at;                                    \
    switch (x->dtype) {                                                        \
      READ(float, SL_F32, f32)                                                 \
      READ(sl_bf16, SL_BF16, bf16)                                             \
      READ(uint8_t, SL_U8, whole)                                              \
      READ(int32_t, SL_I32, whole)                                             \
    }                                                                          \
    return buf;                                                                \
  }

#define TO_F32(v)      (float)(v)
#define TO_F64(v)      (double)(v)
#define TO_I32(v)      (int32_t)(v)
#define BF16_TO_F64(v) (double)sl_bf16_to_f32(v)
#define BF16_TO_I32(v) (int32_t) sl_bf16_to_f32(v)

LOADER(load_f32, float, SL_F32, AS_IS, sl_bf16_to_f32, TO_F32)
LOADER(load_i32, int32_t, SL_I32, TO_I32, BF16_TO_I32, TO_I32)
LOADER(load_f64, double, -1, TO_F64, BF16_TO_F64, TO_F64)

const float *sl_load_f32(const sl_tensor *x, int64_t at, int64_t step, int n,
                         float *buf) {
  if (x->dtype != SL_BF16 || step != 1) return load_f32(x, at, step, n, buf);
  sl_bf16_widen(buf, sl_b16(x) + at, n);
  return buf;
}

const int32_t *sl_load_i32(const sl_tensor *x, int64_t at, int64_t step, int n,
                           int32_t *buf) {
  return load_i32(x, at, step, n, buf);
}

const double *sl_load_f64(const sl_tensor *x, int64_t at, int64_t step, int n,
                          double *buf) {
  return load_f64(x, at, step, n, buf);
}

#define WRITE(type, t, convert)                                                \
  case t: {                                                                    \
    type *p = (type *)sl_data(x) + at;                                         \
    LOOP(step == 1, p[i], convert(v[i]));                                      \
    else LOOP(1, p[i * step], convert(v[i]));                                  \
    break;                                                                     \
  }
#define TO_U8(v) (uint8_t)(v)

static void store_f32(sl_tensor *x, int64_t at, int64_t step, int n,
                      const float *v) {
  switch (x->dtype) {
    WRITE(float, SL_F32, AS_IS)
    WRITE(sl_bf16, SL_BF16, sl_bf16_from_f32)
    WRITE(uint8_t, SL_U8, TO_U8)
    WRITE(int32_t, SL_I32, TO_I32)
  }
}

void sl_store_f32(sl_tensor *x, int64_t at, int64_t step, int n, const float *v,
                  int add) {
  float sum[SL_BLOCK];
  if (x->dtype == SL_BF16 && step == 1) {
    if (add)
      sl_bf16_add(sl_b16(x) + at, v, n);
    else
      sl_bf16_round(sl_b16(x) + at, v, n);
    return;
  }
  if (add) {
    const float *old = sl_load_f32(x, at, step, n, sum);
    for (int i = 0; i < n; i++)
      sum[i] = old[i] + v[i];
    v = sum;
  }
  store_f32(x, at, step, n, v);
}

#define I32_TO_BF16(v) sl_bf16_from_f32((float)(v))

void sl_store_i32(sl_tensor *x, int64_t at, int64_t step, int n,
                  const int32_t *v) {
  switch (x->dtype) {
    WRITE(float, SL_F32, TO_F32)
    WRITE(sl_bf16, SL_BF16, I32_TO_BF16)
    WRITE(uint8_t, SL_U8, TO_U8)
    WRITE(int32_t, SL_I32, AS_IS)
  }
}

double sl_element(const sl_tensor *t, int64_t at) {
  double v = 0;
  return *sl_load_f64(t, at, 1, 1, &v);
}

void sl_set_element(sl_tensor *t, int64_t at, double v) {
  if (t->dtype == SL_I32) {
    sl_i32(t)[at] = (int32_t)v; /* not by way of float: 2^24 and above */
    return;
  }
  const float f = (float)v;
  store_f32(t, at, 1, 1, &f);
}

void sl_add_element(sl_tensor *t, int64_t at, double v) {
  sl_set_element(t, at, sl_element(t, at) + v);
}
