/* faults.cpp -- a test of the tests: runs a kernel of kernels.cu that was built
 * with one of its FAULT_... macros. Ends well only if the fault is not seen. */
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

int main(void) {
  for (unsigned seed = 0; seed < 4; seed++)
    if (!right(seed)) {
      printf("wrong numbers with seed %u\n", seed);
      return 1;
    }
  return 0;
}
