/* emu.h -- what a test may ask of the fake CUDA (found by dlsym in the plugin).
 *
 * Settings come from the environment and are read at the first call:
 *   CUDA_EMU_SEED=n       order of streams and of a block's threads (0: threads
 *                         forward, 1: backward, others: shuffled)
 *   CUDA_EMU_DEVICES=n    number of devices (1)
 *   CUDA_EMU_CC=80        compute capability of each
 *   CUDA_EMU_MEMORY=n     MiB of each (16384)
 *   CUDA_EMU_DRIVER=n     version of the driver (13000); 0: no driver
 *   CUDA_EMU_CUDNN=0      cudnnCreate fails; CUDA_EMU_CUBLASLT=0: so does
 *                         cublasLtCreate
 *   CUDA_EMU_FAIL=n       the n-th call fails; n+: and all after it
 *   CUDA_EMU_OPEN=1       device memory is not closed to the host again: faster
 *   CUDA_EMU_REPORT=1     at the end, which engines of cuDNN were used
 *   CUDA_EMU_SKIP=name    that call of the runtime does nothing and says that
 *                         all is well: a program that forgot it. Of
 *                         cudaStreamWaitEvent, cudaEventSynchronize,
 *                         cudaMemsetAsync. name/odd, name/even: every other
 *                         call, from the first or the second on */
#ifndef CUDA_EMU_H
#define CUDA_EMU_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Calls of the runtime, cuDNN and cuBLASLt that can fail, so far. */
int64_t cuda_emu_calls(void);

/* Makes the n-th call from now fail (1: the next); for_ever: and all after it.
 * n = 0: none. Returns how many calls of the n were left. A call that frees
 * something frees it all the same. */
int64_t cuda_emu_fail_at(int64_t n, int for_ever);

/* Name of the call that was made to fail last; "" at first. */
const char *cuda_emu_failed(void);

/* Allocations, streams, events, graphs, handles, descriptors not destroyed. */
int64_t cuda_emu_live(void);

/* Bytes of device memory allocated on all devices. */
int64_t cuda_emu_bytes(void);

/* Kernels and graphs of cuDNN and cuBLASLt that have run. */
int64_t cuda_emu_work(void);

/* Copies to host memory that were asked for. */
int64_t cuda_emu_downloads(void);

void cuda_emu_seed(unsigned seed);

#ifdef __cplusplus
}
#endif

#endif
