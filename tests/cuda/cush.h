/* cush.h -- CUDA on a shim: what nvcc gives a kernel file, for g++ or clang++.
 *
 * A CUDA thread is a fiber. The threads of a block run until they meet at
 * __syncthreads, a shuffle or a vote, or end; blocks run one after the other.
 * Types and bf16 come from NVIDIA's own headers, whose host side this is.
 * engine/cuda/launch.h includes this file where nvcc is not the compiler.
 *
 * What a GPU would not do is refused with a message and abort(): __syncthreads
 * that not all threads of the block reach, a shuffle with a lane that has left
 * or is not in the mask, lanes of one mask in different collectives. Shared
 * memory is NaN at the start of each block. Launches that a GPU refuses return
 * cudaErrorInvalidConfiguration. */
#ifndef CUSH_H
#define CUSH_H

#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <functional>
#include <tuple>

#undef __shared__
#define __shared__ static __attribute__((section("cush_shared")))

/* Where the running thread is. */
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
enum { warpSize = 32 };

/* --- launches ---------------------------------------------------------------
 */

/* Checks a launch as the driver would; then queues it on its stream. */
cudaError_t cush_queue(cudaStream_t stream, const char *name, dim3 grid,
                       dim3 block, size_t shared,
                       const std::function<void()> &body);

/* Runs all blocks now: the fake runtime calls it when the stream gets there. */
void cush_run(const char *name, dim3 grid, dim3 block, size_t shared,
              const std::function<void()> &body);

/* Arguments are read at the launch, as CUDA does, not when the kernel runs. */
template <class... P, class... A>
int cush_launch(cudaStream_t stream, const char *name, dim3 grid, dim3 block,
                size_t shared, void (*kernel)(P...), A &&...a) {
  std::tuple<std::decay_t<P>...> args(static_cast<P>(a)...);
  return (int)cush_queue(stream, name, grid, block, shared,
                         [=] { std::apply(kernel, args); });
}

#define CUSH_LAUNCH(kernel, grid, block, shared, stream, ...)                  \
  cush_launch((cudaStream_t)(stream), #kernel, (grid), (block), (shared),      \
              kernel, ##__VA_ARGS__)

void *cush_dynamic_shared(void);

/* --- collectives ------------------------------------------------------------
 */

enum cush_op {
  CUSH_XOR,
  CUSH_DOWN,
  CUSH_UP,
  CUSH_INDEX, /* up to here: shuffles */
  CUSH_BALLOT,
  CUSH_SYNC,
};

void cush_barrier(const char *where);
uint64_t cush_warp(cush_op op, unsigned mask, uint64_t v, int arg, int width,
                   const char *where);

template <class T>
T cush_shuffle(const char *where, cush_op op, unsigned mask, T v, int arg,
               int width = warpSize) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "a type that cannot shuffle");
  uint64_t bits = 0;
  memcpy(&bits, &v, sizeof v);
  bits = cush_warp(op, mask, bits, arg, width, where);
  memcpy(&v, &bits, sizeof v);
  return v;
}

#define CUSH_TEXT2(x) #x
#define CUSH_TEXT(x)  CUSH_TEXT2(x)
#define CUSH_HERE     __FILE__ ":" CUSH_TEXT(__LINE__)

/* clang-format off */
#define __syncthreads()           cush_barrier(CUSH_HERE)
#define __shfl_xor_sync(mask, ...)  cush_shuffle(CUSH_HERE, CUSH_XOR, (mask), __VA_ARGS__)
#define __shfl_down_sync(mask, ...) cush_shuffle(CUSH_HERE, CUSH_DOWN, (mask), __VA_ARGS__)
#define __shfl_up_sync(mask, ...)   cush_shuffle(CUSH_HERE, CUSH_UP, (mask), __VA_ARGS__)
#define __shfl_sync(mask, ...)      cush_shuffle(CUSH_HERE, CUSH_INDEX, (mask), __VA_ARGS__)
#define __ballot_sync(mask, p)    ((unsigned)cush_warp(CUSH_BALLOT, (mask), (p) ? 1 : 0, 0, warpSize, CUSH_HERE))
#define __any_sync(mask, p)       (__ballot_sync(mask, p) != 0)
#define __all_sync(mask, p)       (__ballot_sync(mask, p) == (mask))
#define __syncwarp(...)           ((void)cush_warp(CUSH_SYNC, 0xffffffffu, 0, 0, warpSize, CUSH_HERE))
/* clang-format on */

/* --- intrinsics -------------------------------------------------------------
 */

#define CUSH_F static inline __attribute__((unused))

/* Threads of the emulator never interrupt each other: plain code is atomic. */
template <class T, class F> T cush_atomic(T *p, F &&f) {
  const T old = *p;
  *p = f(old);
  return old;
}
template <class T> T atomicAdd(T *p, T v) {
  return cush_atomic(p, [=](T o) { return (T)(o + v); });
}
template <class T> T atomicMax(T *p, T v) {
  return cush_atomic(p, [=](T o) { return v > o ? v : o; });
}
template <class T> T atomicMin(T *p, T v) {
  return cush_atomic(p, [=](T o) { return v < o ? v : o; });
}
template <class T> T atomicOr(T *p, T v) {
  return cush_atomic(p, [=](T o) { return (T)(o | v); });
}
template <class T> T atomicExch(T *p, T v) {
  return cush_atomic(p, [=](T) { return v; });
}
template <class T> T atomicCAS(T *p, T expected, T v) {
  return cush_atomic(p, [=](T o) { return o == expected ? v : o; });
}

template <class T> T __ldg(const T *p) {
  return *p;
}
template <class T> T __ldcs(const T *p) {
  return *p;
}
template <class T> void __stcs(T *p, T v) {
  *p = v;
}

template <class To, class From> To cush_bits(From v) {
  static_assert(sizeof(To) == sizeof(From), "sizes differ");
  To r;
  memcpy(&r, &v, sizeof r);
  return r;
}
CUSH_F float __uint_as_float(unsigned v) {
  return cush_bits<float>(v);
}
CUSH_F unsigned __float_as_uint(float v) {
  return cush_bits<unsigned>(v);
}
CUSH_F float __int_as_float(int v) {
  return cush_bits<float>(v);
}
CUSH_F int __float_as_int(float v) {
  return cush_bits<int>(v);
}

CUSH_F unsigned __umulhi(unsigned a, unsigned b) {
  return (unsigned)(((uint64_t)a * b) >> 32);
}
CUSH_F int __popc(unsigned v) {
  return __builtin_popcount(v);
}
CUSH_F int __clz(int v) {
  return v ? __builtin_clz((unsigned)v) : 32;
}
CUSH_F int __ffs(int v) {
  return __builtin_ffs(v);
}

/* glibc has functions of these names. */
#define __expf(x)    expf(x)
#define __logf(x)    logf(x)
#define __sinf(x)    sinf(x)
#define __cosf(x)    cosf(x)
#define __powf(x, y) powf(x, y)

CUSH_F float rsqrtf(float x) {
  return 1.0f / sqrtf(x);
}
CUSH_F float __fdividef(float a, float b) {
  return a / b;
}
CUSH_F float __fmaf_rn(float a, float b, float c) {
  return fmaf(a, b, c);
}
/* Never contracted into a fused operation. */
CUSH_F float __fmul_rn(float a, float b) {
  volatile float r = a * b;
  return r;
}
CUSH_F float __fadd_rn(float a, float b) {
  volatile float r = a + b;
  return r;
}
CUSH_F float __fsub_rn(float a, float b) {
  volatile float r = a - b;
  return r;
}
CUSH_F float __fdiv_rn(float a, float b) {
  volatile float r = a / b;
  return r;
}
CUSH_F float __fsqrt_rn(float a) {
  return sqrtf(a);
}
CUSH_F int __float2int_rd(float x) {
  return (int)floorf(x);
}
CUSH_F int __float2int_rn(float x) {
  return (int)rintf(x);
}
CUSH_F float __saturatef(float x) {
  return x > 0 ? (x < 1 ? x : 1) : 0; /* NaN gives 0, as on the device */
}

#define CUSH_MIN_MAX(T)                                                        \
  CUSH_F T min(T a, T b) {                                                     \
    return b < a ? b : a;                                                      \
  }                                                                            \
  CUSH_F T max(T a, T b) {                                                     \
    return a < b ? b : a;                                                      \
  }
CUSH_MIN_MAX(int)
CUSH_MIN_MAX(unsigned)
CUSH_MIN_MAX(long)
CUSH_MIN_MAX(unsigned long)
CUSH_MIN_MAX(long long)
CUSH_MIN_MAX(unsigned long long)
#undef CUSH_MIN_MAX
CUSH_F float min(float a, float b) {
  return fminf(a, b);
}
CUSH_F float max(float a, float b) {
  return fmaxf(a, b);
}

#endif
