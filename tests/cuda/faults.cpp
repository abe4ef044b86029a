/* faults.cpp -- a test of the tests: runs the kernels of kernels.cu, built with
 * one FAULT_... macro, and an upload through pinned memory, on which the other
 * macros act. Ends well only if the fault is not seen. */
#include <cuda_runtime_api.h>
#include <stdio.h>

#include <vector>

#include "emu.h"
#include "kernels.h"

template <class T> static T *device(size_t n) {
  void *p = nullptr;
  if (cudaMalloc(&p, n * sizeof(T)) != cudaSuccess) return nullptr;
  cudaMemset(p, 0, n * sizeof(T));
  return (T *)p;
}

/* Whether all kernels give what they must, under this order of threads. */
static bool right(unsigned seed) {
  cuda_emu_seed(seed);
  const int n = 1000;
  std::vector<float> ones(n, 1), parts(2);
  float *x = device<float>(n), *sums = device<float>(2);
  uint16_t *y = device<uint16_t>(n);
  unsigned *count = device<unsigned>(1), counted = 0;
  cudaMemcpy(x, ones.data(), n * sizeof(float), cudaMemcpyHostToDevice);
  k_sum(x, n, sums, 2, nullptr);
  k_scale(x, 2, n, y, nullptr);
  k_count(x, n, 0.5f, count, nullptr);
  cudaMemcpy(parts.data(), sums, 8, cudaMemcpyDeviceToHost);
  cudaMemcpy(&counted, count, 4, cudaMemcpyDeviceToHost);
  cudaFree(x);
  cudaFree(sums);
  cudaFree(y);
  cudaFree(count);
  return parts[0] + parts[1] == (float)n && counted == (unsigned)n;
}

/* An upload from pinned memory on a stream, read by a kernel on another. */
static bool uploads(unsigned seed) {
  cuda_emu_seed(seed);
  cudaStream_t a, b;
  cudaEvent_t there;
  float *pinned = nullptr, got = 0;
  float *x = device<float>(4), *sum = device<float>(1);
  cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking);
  cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking);
  cudaEventCreateWithFlags(&there, cudaEventDisableTiming);
  cudaMallocHost((void **)&pinned, 16);
  for (int i = 0; i < 4; i++)
    pinned[i] = 1;
  cudaDeviceSynchronize(); /* x and sum are zero */
  cudaMemcpyAsync(x, pinned, 16, cudaMemcpyHostToDevice, a);
  cudaEventRecord(there, a);
#ifdef FAULT_FREED_PINNED
  cudaFreeHost(pinned);
#endif
#ifndef FAULT_NO_WAIT
  cudaStreamWaitEvent(b, there, 0);
#endif
  k_sum(x, 4, sum, 1, b);
  cudaStreamSynchronize(b);
  cudaMemcpy(&got, sum, 4, cudaMemcpyDeviceToHost);
  cudaDeviceSynchronize();
#ifndef FAULT_FREED_PINNED
  cudaFreeHost(pinned);
#endif
  cudaEventDestroy(there);
  cudaStreamDestroy(a);
  cudaStreamDestroy(b);
  cudaFree(x);
  cudaFree(sum);
  return got == 4;
}

int main(void) {
  for (unsigned seed = 0; seed < 8; seed++)
    if (!right(seed) || !uploads(seed)) {
      printf("wrong numbers with seed %u\n", seed);
      return 1;
    }
  return 0;
}
