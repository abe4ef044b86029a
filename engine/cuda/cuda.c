/* cuda.c -- the CUDA backend: opening the device, and the table of functions.
 * A missing kernel is a link error that names it. */
#include "cuda/cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/plugin.h"
#include "cuda/blas.h"
#include "cuda/dnn.h"
#include "cuda/host.h"

#ifndef SL_CUDA_OLDEST
#define SL_CUDA_OLDEST 75 /* compute capability; CMake says what is built */
#endif

sl_cuda_device sl_cuda;

static char name[32];

/* --- errors --------------------------------------------------------------- */

sl_status sl_cuda_status(int error, const char *what) {
  const cudaError_t e = (cudaError_t)error;
  if (e == cudaSuccess) return SL_OK;
  (void)cudaGetLastError();
  if (e == cudaErrorMemoryAllocation)
    return sl_fail(SL_ENOMEM, "the GPU is out of memory");
  return sl_fail(SL_EINTERNAL, "the GPU failed: %s (%s, in %s)%s",
                 cudaGetErrorString(e), cudaGetErrorName(e), what,
                 sl_cuda.checks ? ""
                                : "; what failed may have been queued before: "
                                  "SOTA_CUDA_SYNC=1 finds it");
}

sl_status sl_cuda_launched(int error, const char *what) {
  if (error == cudaSuccess && sl_cuda.checks)
    error = (int)cudaStreamSynchronize(sl_cuda.stream);
  return sl_cuda_status(error, what);
}

/* --- opening -------------------------------------------------------------- */

static sl_status check_driver(int device) {
  int count = 0, driver = 0, runtime = 0;
  const cudaError_t e = cudaGetDeviceCount(&count);
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  SL_REQUIRE(driver != 0, SL_EIO, "no NVIDIA driver is installed");
  SL_REQUIRE(driver / 1000 >= runtime / 1000 &&
                 e != cudaErrorInsufficientDriver,
             SL_EIO,
             "the NVIDIA driver is too old: it is for CUDA %d.%d, and %d.%d "
             "is needed",
             driver / 1000, driver % 1000 / 10, runtime / 1000, 0);
  SL_REQUIRE(e != cudaErrorNoDevice && (e || count > 0), SL_EIO,
             "the NVIDIA driver sees no GPU");
  SL_REQUIRE(e == cudaSuccess, SL_EIO, "%s (%s)", cudaGetErrorString(e),
             cudaGetErrorName(e));
  SL_REQUIRE(device < count, SL_EINVAL, "there is no GPU %d: there %s %d",
             device, count == 1 ? "is" : "are", count);
  return SL_OK;
}

static sl_status check_gpu(int device) {
  int major = 0, minor = 0;
  CU_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor,
                                device));
  CU_TRY(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor,
                                device));
  sl_cuda.capability = 10 * major + minor;
  SL_REQUIRE(sl_cuda.capability >= SL_CUDA_OLDEST, SL_EIO,
             "the GPU is not supported: its compute capability is %d.%d, and "
             "this build is for %d.%d and newer",
             major, minor, SL_CUDA_OLDEST / 10, SL_CUDA_OLDEST % 10);
  return SL_OK;
}

static sl_status open_stream(int device) {
  CU_TRY(cudaSetDevice(device));
  CU_TRY(cudaStreamCreateWithFlags(&sl_cuda.stream, cudaStreamNonBlocking));
  const int e = cu_nothing(sl_cuda.stream);
  SL_REQUIRE(e != cudaErrorNoKernelImageForDevice, SL_EIO,
             "the GPU is not supported: this build has no code for compute "
             "capability %d.%d",
             sl_cuda.capability / 10, sl_cuda.capability % 10);
  return sl_cuda_status(e, "the first kernel");
}

static int is_set(const char *variable, int otherwise) {
  const char *v = getenv(variable);
  return v && *v ? strcmp(v, "0") != 0 : otherwise;
}

static sl_status open_device(int device) {
  SL_TRY(check_driver(device));
  SL_TRY(check_gpu(device));
  SL_TRY(open_stream(device));
  SL_TRY(sl_dnn_open());
  SL_TRY(sl_blas_open());
  return sl_cuda_transfer_open();
}

static void describe(char *out, size_t n) {
  struct cudaDeviceProp p;
  int driver = 0;
  if (cudaGetDeviceProperties(&p, sl_cuda.number) != cudaSuccess) {
    snprintf(out, n, "does not answer");
    return;
  }
  cudaDriverGetVersion(&driver);
  snprintf(out, n,
           "%s, compute capability %d.%d, %.1f GiB; driver for CUDA %d.%d, "
           "cuDNN %s, cuBLASLt %s",
           p.name, p.major, p.minor, (double)p.totalGlobalMem / (1 << 30),
           driver / 1000, driver % 1000 / 10, sl_dnn_version(),
           sl_blas_version());
}

/* Tensor cores know bf16 from compute capability 8.0 on. */
static sl_bf16_support bf16(void) {
  return sl_cuda.capability >= 80 ? SL_BF16_FAST : SL_BF16_NONE;
}

/* The environment may ask for it too. Plans are kept for either way (dnn.c). */
static void deterministic(int on) {
  sl_cuda.deterministic = on || is_set("SOTA_CUDA_DETERMINISTIC", 0);
}

/* -------------------------------------------------------------------------- */

#define SL_OP(name)        [SL_OP_##name] = {sl_cuda_##name, sl_cuda_##name##_grad},
#define SL_OP_NOGRAD(name) [SL_OP_##name] = {sl_cuda_##name, NULL},
#define SL_OP_VIEW(name)   [SL_OP_##name] = {NULL, NULL},
static const sl_kernels kernels[SL_OP_COUNT] = {
#include "ops/ops.def"
};

static const sl_backend backend = {
    .name = name,
    .alloc = sl_cuda_alloc,
    .free = sl_cuda_free,
    .trim = sl_cuda_trim,
    .used = sl_cuda_used,
    .peak = sl_cuda_peak,
    .room = sl_cuda_room,
    .describe = describe,
    .bf16 = bf16,
    .deterministic = deterministic,
    .zero = sl_cuda_zero,
    .upload = sl_cuda_upload,
    .download = sl_cuda_download,
    .synchronise = sl_cuda_synchronise,
    .copy = sl_cuda_copy,
    .materialise = sl_cuda_materialise,
    .update = sl_cuda_update,
    .grad_squares = sl_cuda_grad_squares,
    .average = sl_cuda_average,
    .kernels = kernels,
};

__attribute__((visibility("default"))) sl_plugin_open_function sl_plugin_open;

const sl_backend *sl_plugin_open(int abi, const struct sl_engine *engine,
                                 int device) {
  if (abi != SL_PLUGIN_ABI) return NULL;
  sl_cuda_engine = engine;
  sl_cuda = (sl_cuda_device){.number = device,
                             .checks = is_set("SOTA_CUDA_SYNC", 0),
                             .tf32 = is_set("SOTA_CUDA_TF32", 1)};
  deterministic(0);
  snprintf(name, sizeof name, SL_CUDA_NAME ":%d", device);
  return open_device(device) == SL_OK ? &backend : NULL;
}
