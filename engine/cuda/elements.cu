/* elements.cu -- element-wise kernels: the families of unary.def, binary.def
 * and compare.def, copies between dtypes, where, clamp, and the gradients of
 * reductions. The formulas are those of the CPU. */
#include "cuda/device.h"

/* A kernel is a class with a function of one element: `name` for walk w. */
#define ELEMENT(name)                                                          \
  struct name {                                                                \
    int add;                                                                   \
    __device__ __forceinline__ void operator()(const cu_walk &w,               \
                                               const int64_t *at) const;       \
  };                                                                           \
  __device__ __forceinline__ void name::operator()(const cu_walk &w,           \
                                                   const int64_t *at) const
#define LAUNCHER(launcher, element)                                            \
  extern "C" int launcher(const cu_walk *w, int add, cudaStream_t s) {         \
    return cu_run_each(w, element{add}, s);                                    \
  }

/* --- unary ---------------------------------------------------------------- */

#define FLOAT_VALUE(value)                                                     \
  const float x = cu_get(w, 1, at);                                            \
  cu_put(w, at, value, 0)
#define UNARY_GRAD(name, value, slope)                                         \
  ELEMENT(name##_slope) {                                                      \
    const float x CU_MAYBE = cu_get(w, 1, at);                                 \
    const float y CU_MAYBE = value;                                            \
    cu_put(w, at, cu_get(w, 2, at) * (slope), add);                            \
  }                                                                            \
  LAUNCHER(cu_##name##_grad, name##_slope)
#define SL_UNARY(name, value, slope, help)                                     \
  ELEMENT(name##_value) {                                                      \
    FLOAT_VALUE(value);                                                        \
  }                                                                            \
  LAUNCHER(cu_##name, name##_value)                                            \
  UNARY_GRAD(name, value, slope)
#define SL_UNARY_INT(name, value, slope, help)                                 \
  ELEMENT(name##_value) {                                                      \
    if (w.v[0].dtype == SL_I32) {                                              \
      const int32_t x = cu_get_i32(w, 1, at);                                  \
      cu_store_i32(w.v[0].p, SL_I32, at[0], (int32_t)(value));                 \
      return;                                                                  \
    }                                                                          \
    FLOAT_VALUE(value);                                                        \
  }                                                                            \
  LAUNCHER(cu_##name, name##_value)                                            \
  UNARY_GRAD(name, value, slope)
#include "ops/unary.def"

/* --- binary --------------------------------------------------------------- */

#define FLOAT_PAIR(value)                                                      \
  const float a = cu_get(w, 1, at), b = cu_get(w, 2, at);                      \
  cu_put(w, at, value, 0)
#define BINARY_SLOPE(name, which, value, slope)                                \
  ELEMENT(name##_slope_##which) {                                              \
    const float a CU_MAYBE = cu_get(w, 1, at), b CU_MAYBE = cu_get(w, 2, at);  \
    const float y CU_MAYBE = value;                                            \
    cu_put(w, at, cu_get(w, 3, at) * (slope), add);                            \
  }                                                                            \
  LAUNCHER(cu_##name##_grad_##which, name##_slope_##which)
#define SL_BINARY(name, value, slope_a, slope_b, help)                         \
  ELEMENT(name##_of_two) {                                                     \
    FLOAT_PAIR(value);                                                         \
  }                                                                            \
  LAUNCHER(cu_##name, name##_of_two)                                           \
  BINARY_SLOPE(name, a, value, slope_a)                                        \
  BINARY_SLOPE(name, b, value, slope_b)
#define SL_BINARY_INT(name, value, slope_a, slope_b, help)                     \
  ELEMENT(name##_of_two) {                                                     \
    if (w.v[0].dtype == SL_I32) {                                              \
      const int64_t a = cu_get_i32(w, 1, at), b = cu_get_i32(w, 2, at);        \
      cu_store_i32(w.v[0].p, SL_I32, at[0], (int32_t)(value));                 \
      return;                                                                  \
    }                                                                          \
    FLOAT_PAIR(value);                                                         \
  }                                                                            \
  LAUNCHER(cu_##name, name##_of_two)                                           \
  BINARY_SLOPE(name, a, value, slope_a)                                        \
  BINARY_SLOPE(name, b, value, slope_b)
#include "ops/binary.def"

/* --- compare -------------------------------------------------------------- */

CU_DEVICE int is_whole(int dtype) {
  return dtype == SL_U8 || dtype == SL_I32;
}

#define SL_COMPARE(name, value, help)                                          \
  ELEMENT(name##_test) {                                                       \
    uint8_t *out = (uint8_t *)w.v[0].p + at[0];                                \
    if (is_whole(w.v[1].dtype) && is_whole(w.v[2].dtype)) {                    \
      const int32_t a = cu_get_i32(w, 1, at), b = cu_get_i32(w, 2, at);        \
      *out = value;                                                            \
    } else {                                                                   \
      const float a = cu_get(w, 1, at), b = cu_get(w, 2, at);                  \
      *out = value;                                                            \
    }                                                                          \
  }                                                                            \
  LAUNCHER(cu_##name, name##_test)
#include "ops/compare.def"

/* --- copies --------------------------------------------------------------- */

/* Floats become integers by truncation, kept within the integer's range; NaN
 * becomes 0. */
CU_DEVICE double whole(double v, double lo, double hi) {
  return v != v ? 0 : fmin(fmax(trunc(v), lo), hi);
}

CU_DEVICE void store_any(void *p, int dtype, int64_t i, double v) {
  if (dtype == SL_U8)
    ((uint8_t *)p)[i] = (uint8_t)whole(v, 0, 255);
  else if (dtype == SL_I32)
    ((int32_t *)p)[i] = (int32_t)whole(v, INT32_MIN, INT32_MAX);
  else
    cu_store(p, dtype, i, (float)v);
}

ELEMENT(copy_any) {
  const double was = add ? cu_load_f64(w.v[0].p, w.v[0].dtype, at[0]) : 0;
  store_any(w.v[0].p, w.v[0].dtype, at[0],
            was + cu_load_f64(w.v[1].p, w.v[1].dtype, at[1]));
}

ELEMENT(copy_floats) {
  cu_put(w, at, cu_get(w, 1, at), add);
}

extern "C" int cu_copy(const cu_walk *w, int add, cudaStream_t s) {
  const int floats = w->v[0].dtype <= SL_BF16 && w->v[1].dtype <= SL_BF16;
  return floats ? cu_run_each(w, copy_floats{add}, s)
                : cu_run_each(w, copy_any{add}, s);
}

/* --- where, clamp --------------------------------------------------------- */

ELEMENT(where_value) {
  const int k = cu_get_i32(w, 1, at) ? 2 : 3;
  if (w.v[0].dtype == SL_I32)
    cu_store_i32(w.v[0].p, SL_I32, at[0], cu_get_i32(w, k, at));
  else
    cu_put(w, at, cu_get(w, k, at), 0);
}
LAUNCHER(cu_where, where_value)

ELEMENT(where_slope_a) {
  cu_put(w, at, cu_get_i32(w, 1, at) ? cu_get(w, 2, at) : 0.0f, add);
}
LAUNCHER(cu_where_grad_a, where_slope_a)

ELEMENT(where_slope_b) {
  cu_put(w, at, cu_get_i32(w, 1, at) ? 0.0f : cu_get(w, 2, at), add);
}
LAUNCHER(cu_where_grad_b, where_slope_b)

struct clamp_value {
  cu_clamp c;
  __device__ void operator()(const cu_walk &w, const int64_t *at) const {
    if (is_whole(w.v[1].dtype)) {
      const int32_t x = cu_get_i32(w, 1, at);
      const int32_t low = x < c.first ? c.first : x;
      cu_store_i32(w.v[0].p, w.v[0].dtype, at[0], low > c.last ? c.last : low);
      return;
    }
    const float x = cu_get(w, 1, at);
    const float low = x < c.min ? c.min : x; /* a NaN stays */
    cu_put(w, at, low > c.max ? c.max : low, 0);
  }
};

struct clamp_slope {
  cu_clamp c;
  int add;
  __device__ void operator()(const cu_walk &w, const int64_t *at) const {
    const float x = cu_get(w, 1, at);
    cu_put(w, at, x > c.min && x < c.max ? cu_get(w, 2, at) : 0.0f, add);
  }
};

extern "C" int cu_clamp_run(const cu_walk *w, cu_clamp c, int back, int add,
                            cudaStream_t s) {
  return back ? cu_run_each(w, clamp_slope{c, add}, s)
              : cu_run_each(w, clamp_value{c}, s);
}

/* --- gradients of reductions ---------------------------------------------- */

/* The mean has y's places. */
#define SLOPE(name, slope)                                                     \
  struct name##_slope {                                                        \
    const float *means;                                                        \
    float n;                                                                   \
    int add;                                                                   \
    __device__ void operator()(const cu_walk &w, const int64_t *at) const {    \
      const float x CU_MAYBE = cu_get(w, 1, at);                               \
      const float y CU_MAYBE = cu_get(w, 2, at);                               \
      const float mean CU_MAYBE = means ? means[at[2]] : 0;                    \
      cu_put(w, at, cu_get(w, 3, at) * (slope), add);                          \
    }                                                                          \
  };                                                                           \
  extern "C" int cu_##name##_grad(const cu_walk *w, const float *mean,         \
                                  float n, int add, cudaStream_t s) {          \
    return cu_run_each(w, name##_slope{mean, n, add}, s);                      \
  }
#define SL_REDUCE(name, map, finish, slope, dtype, help) SLOPE(name, slope)
#define SL_REDUCE_FLAG(name, map, finish, help)
#include "ops/reduce.def"
SLOPE(var, 2.0f * (x - mean) / n)
SLOPE(std, y > 0 ? (x - mean) / (n * y) : 0.0f)

/* -------------------------------------------------------------------------- */

CU_KERNEL(32) nothing(int) {}

extern "C" int cu_nothing(cudaStream_t s) {
  return CU_LAUNCH(nothing, 1, 32, 0, s, 0);
}
