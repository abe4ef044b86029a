/* kernels.h -- launchers of kernels.cu. Each returns a cudaError_t. */
#ifndef CUDA_EMU_KERNELS_H
#define CUDA_EMU_KERNELS_H

#ifdef __cplusplus
extern "C" {
#endif

int k_sum(const float *x, int n, float *parts, int blocks, void *stream);
int k_scale(const float *x, float scale, int n, void *y, void *stream);
int k_reverse(const int *x, int *y, int blocks, int threads, int shared,
              void *stream);
int k_count(const float *x, int n, float limit, unsigned *count, void *stream);

#ifdef __cplusplus
}
#endif

#endif
