/* kernels.cu -- small kernels that test the emulator: shuffles, shared memory,
 * barriers, atomics, bf16. With a FAULT_... macro each has a fault, which the
 * emulator must catch: see faults.sh. Also compiled by nvcc. */
#include "kernels.h"

#include "launch.h"

enum { THREADS = 128 };

/* Sum of a block's values; valid in thread 0. */
static __device__ float block_sum(float v) {
  __shared__ float warps[32];
  for (int step = 16; step > 0; step /= 2)
    v += __shfl_xor_sync(0xffffffffu, v, step);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = v;
#ifndef FAULT_NO_BARRIER
  __syncthreads();
#endif
  v = threadIdx.x < blockDim.x / 32 ? warps[threadIdx.x] : 0;
  if (threadIdx.x < 32)
    for (int step = 16; step > 0; step /= 2)
      v += __shfl_xor_sync(0xffffffffu, v, step);
  return v;
}

/* Each block writes the sum of its share of x. */
CU_KERNEL(THREADS) sum_kernel(const float *x, int n, float *parts) {
  float v = 0;
  for (int i = (int)(blockIdx.x * blockDim.x + threadIdx.x); i < n;
       i += (int)(gridDim.x * blockDim.x))
    v += x[i];
#ifdef FAULT_DIVERGENT
  if (threadIdx.x >= 64) return;
#endif
  v = block_sum(v);
  if (threadIdx.x == 0) parts[blockIdx.x] = v;
}

int k_sum(const float *x, int n, float *parts, int blocks, void *stream) {
  return CU_LAUNCH(sum_kernel, blocks, THREADS, 0, stream, x, n, parts);
}

/* y = bf16(x * scale), eight at a time. n: a multiple of 8. */
CU_KERNEL(THREADS)
scale_kernel(const float *x, float scale, int n, __nv_bfloat16 *y) {
  const int i = 8 * (int)(blockIdx.x * blockDim.x + threadIdx.x);
#ifdef FAULT_OUT_OF_BOUNDS
  if (i > n) return;
#else
  if (i >= n) return;
#endif
  for (int k = 0; k < 8; k++)
    y[i + k] = __float2bfloat16_rn(x[i + k] * scale);
}

int k_scale(const float *x, float scale, int n, void *y, void *stream) {
  return CU_LAUNCH(scale_kernel, (n / 8 + THREADS) / THREADS, THREADS, 0,
                   stream, x, scale, n, (__nv_bfloat16 *)y);
}

/* y = x backwards within each block, through dynamic shared memory. */
CU_KERNEL(1024) reverse_kernel(const int *x, int *y) {
  CU_DYN_SMEM(int, row);
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  row[threadIdx.x] = x[i];
  __syncthreads();
  y[i] = row[blockDim.x - 1 - threadIdx.x];
}

int k_reverse(const int *x, int *y, int blocks, int threads, int shared,
              void *stream) {
  return CU_LAUNCH(reverse_kernel, blocks, threads, (size_t)shared, stream, x,
                   y);
}

/* How many x are above the limit: a vote of each warp, then one atomic. */
CU_KERNEL(THREADS)
count_kernel(const float *x, int n, float limit, unsigned *count) {
  const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
#ifdef FAULT_EXITED_LANE
  if (i >= n) return;
  const bool above = x[i] > limit;
#else
  const bool above = i < n && x[i] > limit;
#endif
  const unsigned votes = __ballot_sync(0xffffffffu, above);
  if (threadIdx.x % 32 == 0) atomicAdd(count, (unsigned)__popc(votes));
}

int k_count(const float *x, int n, float limit, unsigned *count, void *stream) {
  return CU_LAUNCH(count_kernel, (n + THREADS - 1) / THREADS, THREADS, 0,
                   stream, x, n, limit, count);
}
