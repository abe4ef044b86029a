/* launch.h -- the three things that kernel files write in a way of their own,
 * so that the host's compiler can build them too (tests/cuda/cush.h).
 *
 *   CU_KERNEL(max_threads) name(arguments) { ... }
 *   CU_KERNEL(max_threads, blocks) likewise, for one that would spill: ptxas
 *     may take the registers that leave room for that many blocks
 *   CU_DYN_SMEM(type, name);  dynamic shared memory, inside of a kernel
 *   CU_LAUNCH(kernel, grid, block, shared bytes, stream, arguments...)
 *     the value is a cudaError_t, as an int
 *
 * Rules for kernels: no inline PTX, no CUB or thrust, no float atomics; only
 * the intrinsics that cush.h has. */
#ifndef SL_CUDA_LAUNCH_H
#define SL_CUDA_LAUNCH_H

#ifdef __CUDACC__

#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <stdint.h>

#define CU_KERNEL(...) static __global__ void __launch_bounds__(__VA_ARGS__)
#define CU_DYN_SMEM(T, name)                                                   \
  extern __shared__ __align__(16) unsigned char cu_dynamic_shared[];           \
  T *name = reinterpret_cast<T *>(cu_dynamic_shared)
#define CU_LAUNCH(kernel, grid, block, shared, stream, ...)                    \
  (kernel<<<(grid), (block), (shared), (cudaStream_t)(stream)>>>(__VA_ARGS__), \
   (int)cudaGetLastError())

#else

#include "cush.h"

#define CU_KERNEL(...) static void
#define CU_DYN_SMEM(T, name)                                                   \
  T *name = reinterpret_cast<T *>(cush_dynamic_shared())
#define CU_LAUNCH(kernel, grid, block, shared, stream, ...)                    \
  CUSH_LAUNCH(kernel, grid, block, shared, stream, __VA_ARGS__)

#endif

#endif
