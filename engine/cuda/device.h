/* device.h -- what kernels have in common; for .cu files only. */
#ifndef SL_CUDA_DEVICE_H
#define SL_CUDA_DEVICE_H

#include "cuda/launch.h"

extern "C" {
#include "tensor/dtype.h"
}
#include "cuda/kernels.h"

#define CU_DEVICE static __device__ __forceinline__

enum { CU_THREADS = 256, CU_WARP = 32, CU_MOST_BLOCKS = 1 << 15 };
#define CU_ALL 0xffffffffu

/* Launchers: cudaSuccess for nothing to do; blocks for n threads in all. */
static inline int64_t cu_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

static inline unsigned cu_blocks(int64_t n, int64_t each = CU_THREADS) {
  const int64_t blocks = cu_div(n, each);
  const int64_t most = CU_MOST_BLOCKS;
  return (unsigned)(blocks < most ? blocks : most);
}

/* Every thread of the grid takes elements one grid apart. */
#define CU_EACH(i, n)                                                          \
  for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < (n);    \
       i += (int64_t)gridDim.x * blockDim.x)

/* --- elements of any dtype ------------------------------------------------ */

CU_DEVICE float cu_bf16_to_f32(sl_bf16 h) {
  return __uint_as_float((unsigned)h << 16);
}

/* To nearest even; NaN stays NaN: the bits of sl_bf16_from_f32. */
CU_DEVICE sl_bf16 cu_bf16_from_f32(float f) {
  const unsigned bits = __float_as_uint(f);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (sl_bf16)(bits >> 16 | 0x40);
  return (sl_bf16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

CU_DEVICE float cu_load(const void *p, int dtype, int64_t i) {
  switch (dtype) {
  case SL_F32:
    return ((const float *)p)[i];
  case SL_BF16:
    return cu_bf16_to_f32(((const sl_bf16 *)p)[i]);
  case SL_U8:
    return (float)((const uint8_t *)p)[i];
  default:
    return (float)((const int32_t *)p)[i];
  }
}

CU_DEVICE int32_t cu_load_i32(const void *p, int dtype, int64_t i) {
  if (dtype == SL_I32) return ((const int32_t *)p)[i];
  if (dtype == SL_U8) return ((const uint8_t *)p)[i];
  return (int32_t)cu_load(p, dtype, i);
}

/* Exact for every dtype. */
CU_DEVICE double cu_load_f64(const void *p, int dtype, int64_t i) {
  return dtype == SL_I32 ? (double)((const int32_t *)p)[i]
                         : (double)cu_load(p, dtype, i);
}

/* Of floats, and of whole numbers from floats that are in range. */
CU_DEVICE void cu_store(void *p, int dtype, int64_t i, float v, int add = 0) {
  if (add) v += cu_load(p, dtype, i);
  switch (dtype) {
  case SL_F32:
    ((float *)p)[i] = v;
    break;
  case SL_BF16:
    ((sl_bf16 *)p)[i] = cu_bf16_from_f32(v);
    break;
  case SL_U8:
    ((uint8_t *)p)[i] = (uint8_t)v;
    break;
  default:
    ((int32_t *)p)[i] = (int32_t)v;
  }
}

CU_DEVICE void cu_store_i32(void *p, int dtype, int64_t i, int32_t v) {
  if (dtype == SL_I32)
    ((int32_t *)p)[i] = v;
  else if (dtype == SL_U8)
    ((uint8_t *)p)[i] = (uint8_t)v;
  else
    cu_store(p, dtype, i, (float)v);
}

CU_DEVICE void cu_store_f64(void *p, int dtype, int64_t i, double v) {
  if (dtype == SL_I32)
    ((int32_t *)p)[i] = (int32_t)v; /* not by way of float: 2^24 and above */
  else
    cu_store(p, dtype, i, (float)v);
}

/* Bytes as they are. */
CU_DEVICE void cu_move(void *to, int64_t i, const void *from, int64_t j,
                       int size) {
  if (size == 4)
    ((uint32_t *)to)[i] = ((const uint32_t *)from)[j];
  else if (size == 2)
    ((uint16_t *)to)[i] = ((const uint16_t *)from)[j];
  else
    ((uint8_t *)to)[i] = ((const uint8_t *)from)[j];
}

/* --- walks ---------------------------------------------------------------- */

/* Where element i lies in each view. */
CU_DEVICE void cu_locate(const cu_walk &w, int64_t i, int64_t *at) {
  if (w.rank == 1) {
    for (int k = 0; k < w.n_views; k++)
      at[k] = i * w.v[k].stride[0];
    return;
  }
  for (int k = 0; k < w.n_views; k++)
    at[k] = 0;
  for (int d = w.rank - 1; d >= 0; d--) {
    const int64_t rest = w.n < INT32_MAX
                             ? (int64_t)((uint32_t)i / (uint32_t)w.shape[d])
                             : i / w.shape[d];
    const int64_t here = i - rest * w.shape[d];
    for (int k = 0; k < w.n_views; k++)
      at[k] += here * w.v[k].stride[d];
    i = rest;
  }
}

CU_DEVICE float cu_get(const cu_walk &w, int k, const int64_t *at) {
  return cu_load(w.v[k].p, w.v[k].dtype, at[k]);
}

CU_DEVICE int32_t cu_get_i32(const cu_walk &w, int k, const int64_t *at) {
  return cu_load_i32(w.v[k].p, w.v[k].dtype, at[k]);
}

CU_DEVICE void cu_put(const cu_walk &w, const int64_t *at, float v, int add) {
  cu_store(w.v[0].p, w.v[0].dtype, at[0], v, add);
}

/* f(w, at) for each element. */
template <class F> CU_KERNEL(CU_THREADS) cu_each_kernel(cu_walk w, F f) {
  CU_EACH(i, w.n) {
    int64_t at[CU_VIEWS];
    cu_locate(w, i, at);
    f(w, at);
  }
}

template <class F>
static int cu_run_each(const cu_walk *w, F f, cudaStream_t s) {
  if (w->n == 0) return cudaSuccess;
  return CU_LAUNCH((cu_each_kernel<F>), cu_blocks(w->n), CU_THREADS, 0, s, *w,
                   f);
}

/* --- warps ---------------------------------------------------------------- */

template <class T> CU_DEVICE T cu_warp_sum(T v) {
  for (int o = CU_WARP / 2; o; o >>= 1)
    v += __shfl_xor_sync(CU_ALL, v, o);
  return v;
}

CU_DEVICE float cu_warp_max(float v) {
  for (int o = CU_WARP / 2; o; o >>= 1) {
    const float other = __shfl_xor_sync(CU_ALL, v, o);
    v = other > v ? other : v;
  }
  return v;
}

/* --- formulas of the .def lists ------------------------------------------- */

CU_DEVICE float sl_exp(float x) {
  return expf(x);
}

CU_DEVICE float sl_tanh(float x) {
  return tanhf(x);
}

#define SL_FORMULA CU_DEVICE
#include "ops/formulas.h"

/* Used where a formula needs only some of its names. */
#define CU_MAYBE __attribute__((unused))

/* Reports the fault with the smallest position. */
CU_DEVICE void cu_report(cu_fault *f, int64_t position, int32_t value,
                         int64_t limit) {
  const unsigned long long where =
      (unsigned long long)position << 32 | (uint32_t)value;
  if (where <= atomicMin(&f->where, where)) f->limit = limit;
}

#endif
