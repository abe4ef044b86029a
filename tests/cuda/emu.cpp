/* emu.cpp -- settings, counting and failing of calls, errors. */
#include "emu.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mutex>

#include "emu_internal.h"

namespace {

std::recursive_mutex lock;
int64_t calls, live, work, downloads, fail_left;
bool fail_for_ever, failing;
const char *failed_name = "";
thread_local cudaError_t last_error;
emu_settings settings;
bool known;
unsigned random_state;

int number(const char *name, int otherwise) {
  const char *v = getenv(name);
  return v && *v ? atoi(v) : otherwise;
}

void read_settings(void) {
  known = true;
  settings = {(unsigned)number("CUDA_EMU_SEED", 0),
              number("CUDA_EMU_DEVICES", 1),
              number("CUDA_EMU_CC", 80),
              number("CUDA_EMU_DRIVER", 13000),
              number("CUDA_EMU_CUDNN", 1),
              number("CUDA_EMU_CUBLASLT", 1),
              (int64_t)number("CUDA_EMU_MEMORY", 16384) << 20};
  random_state = settings.seed * 2654435761u + 1;
  const char *fail = getenv("CUDA_EMU_FAIL");
  if (!fail) return;
  char *end;
  fail_left = strtol(fail, &end, 10);
  fail_for_ever = *end == '+';
}

} // namespace

const emu_settings *emu_get_settings(void) {
  if (!known) read_settings();
  return &settings;
}

int emu_thread_order(void) {
  return (int)emu_get_settings()->seed;
}

unsigned emu_random(void) {
  emu_get_settings();
  random_state = random_state * 1664525u + 1013904223u;
  return random_state >> 10;
}

void emu_die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("fake cuda: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  abort();
}

emu_call::emu_call(const char *name) : failed_(false) {
  lock.lock();
  emu_get_settings();
  calls++;
  if (fail_left > 0 && --fail_left == 0) failed_ = true;
  if (failing) failed_ = true;
  if (!failed_) return;
  failing = fail_for_ever;
  failed_name = name;
}

emu_call::~emu_call() {
  lock.unlock();
}

cudaError_t emu_call::error(cudaError_t e) const {
  if (failed_ && e == cudaSuccess) e = cudaErrorUnknown;
  if (e != cudaSuccess) last_error = e;
  return e;
}

void emu_count_live(int more) {
  live += more;
}

void emu_count_work(void) {
  work++;
}

void emu_count_download(void) {
  downloads++;
}

bool emu_skips(const char *name) {
  static const char *const skip = getenv("CUDA_EMU_SKIP");
  static int64_t n;
  const size_t length = strlen(name);
  if (!skip || strncmp(skip, name, length) != 0) return false;
  n++;
  if (skip[length] == 0) return true;
  return n % 2 == (strcmp(skip + length, "/odd") == 0);
}

extern "C" {

int64_t cuda_emu_calls(void) {
  return calls;
}

int64_t cuda_emu_fail_at(int64_t n, int for_ever) {
  std::lock_guard<std::recursive_mutex> hold(lock);
  const int64_t left = fail_left;
  emu_get_settings();
  fail_left = n;
  fail_for_ever = n > 0 && for_ever;
  failing = false;
  return left;
}

const char *cuda_emu_failed(void) {
  return failed_name;
}

int64_t cuda_emu_live(void) {
  return live;
}

int64_t cuda_emu_work(void) {
  return work;
}

int64_t cuda_emu_downloads(void) {
  return downloads;
}

void cuda_emu_seed(unsigned seed) {
  emu_get_settings();
  settings.seed = seed;
  random_state = seed * 2654435761u + 1;
}

cudaError_t cudaGetLastError(void) {
  const cudaError_t e = last_error;
  last_error = cudaSuccess;
  return e;
}

cudaError_t cudaPeekAtLastError(void) {
  return last_error;
}

#define EMU_ERRORS(X)                                                          \
  X(cudaSuccess, "no error")                                                   \
  X(cudaErrorInvalidValue, "invalid argument")                                 \
  X(cudaErrorMemoryAllocation, "out of memory")                                \
  X(cudaErrorInvalidConfiguration, "invalid configuration argument")           \
  X(cudaErrorInsufficientDriver,                                               \
    "CUDA driver version is insufficient for CUDA runtime version")            \
  X(cudaErrorNoDevice, "no CUDA-capable device is detected")                   \
  X(cudaErrorInvalidDevice, "invalid device ordinal")                          \
  X(cudaErrorInvalidResourceHandle, "invalid resource handle")                 \
  X(cudaErrorNotReady, "device not ready")                                     \
  X(cudaErrorLaunchFailure, "unspecified launch failure")                      \
  X(cudaErrorStreamCaptureUnsupported,                                         \
    "operation not permitted when stream is capturing")                        \
  X(cudaErrorStreamCaptureInvalidated,                                         \
    "operation failed due to a previous error during capture")                 \
  X(cudaErrorStreamCaptureUnmatched,                                           \
    "capture was not initiated in this stream")                                \
  X(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work")      \
  X(cudaErrorStreamCaptureIsolation,                                           \
    "dependency created on uncaptured work in another stream")                 \
  X(cudaErrorStreamCaptureImplicit,                                            \
    "operation would make the legacy stream depend on a capturing blocking "   \
    "stream")                                                                  \
  X(cudaErrorCapturedEvent, "operation not permitted on an event last "        \
                            "recorded in a capturing stream")                  \
  X(cudaErrorUnknown, "unknown error")

const char *cudaGetErrorString(cudaError_t e) {
#define X(code, text)                                                          \
  if (e == code) return text;
  EMU_ERRORS(X)
#undef X
  return "unrecognized error code";
}

const char *cudaGetErrorName(cudaError_t e) {
#define X(code, text)                                                          \
  if (e == code) return #code;
  EMU_ERRORS(X)
#undef X
  return "unrecognized error code";
}

} // extern "C"
