/* test_cush.cpp -- the emulator itself: kernels, streams, events, graphs,
 * memory, failing calls. */
#include <check.h>
#include <cuda_runtime_api.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>

#include <vector>

#include "emu.h"
#include "kernels.h"

#define OK(call) ck_assert_int_eq((int)(call), (int)cudaSuccess)
enum { SEEDS = 8 };

template <class T> static T *device(const std::vector<T> &v) {
  void *p = nullptr;
  OK(cudaMalloc(&p, v.size() * sizeof(T)));
  OK(cudaMemcpy(p, v.data(), v.size() * sizeof(T), cudaMemcpyHostToDevice));
  return (T *)p;
}

template <class T> static std::vector<T> host(const T *p, size_t n) {
  std::vector<T> v(n);
  OK(cudaMemcpy(v.data(), p, n * sizeof(T), cudaMemcpyDeviceToHost));
  return v;
}

/* --- kernels ----------------------------------------------------------------
 */

START_TEST(sums) {
  cuda_emu_seed((unsigned)_i);
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  float *dx = device(x), *parts = device(std::vector<float>(3));
  OK(k_sum(dx, 10, parts, 3, nullptr));
  const std::vector<float> got = host(parts, 3);
  ck_assert_float_eq(got[0] + got[1] + got[2], 55);
  OK(cudaFree(dx));
  OK(cudaFree(parts));
}
END_TEST

START_TEST(bf16_is_rounded) {
  cuda_emu_seed((unsigned)_i);
  std::vector<float> x(24);
  for (size_t i = 0; i < x.size(); i++)
    x[i] = 1 + (float)i / 512; /* bf16 has 1/128 here */
  float *dx = device(x);
  uint16_t *dy = device(std::vector<uint16_t>(24));
  OK(k_scale(dx, 2, 24, dy, nullptr));
  const std::vector<uint16_t> y = host(dy, 24);
  ck_assert_uint_eq(y[0], 0x4000); /* 2 */
  ck_assert_uint_eq(y[2], 0x4000); /* a tie goes to the even one */
  ck_assert_uint_eq(y[3], 0x4001);
  ck_assert_uint_eq(y[6], 0x4002); /* this tie too */
  OK(cudaFree(dx));
  OK(cudaFree(dy));
}
END_TEST

START_TEST(dynamic_shared_memory) {
  cuda_emu_seed((unsigned)_i);
  std::vector<int> x(96);
  for (int i = 0; i < 96; i++)
    x[(size_t)i] = i;
  int *dx = device(x), *dy = device(std::vector<int>(96));
  OK(k_reverse(dx, dy, 2, 48, 48 * 4, nullptr));
  const std::vector<int> y = host(dy, 96);
  for (int i = 0; i < 96; i++)
    ck_assert_int_eq(y[(size_t)i], i / 48 * 48 + 47 - i % 48);
  OK(cudaFree(dx));
  OK(cudaFree(dy));
}
END_TEST

START_TEST(votes_and_atomics) {
  cuda_emu_seed((unsigned)_i);
  std::vector<float> x(1000);
  for (int i = 0; i < 1000; i++)
    x[(size_t)i] = (float)i;
  float *dx = device(x);
  unsigned *count = device(std::vector<unsigned>(1));
  OK(k_count(dx, 1000, 899.5f, count, nullptr));
  ck_assert_uint_eq(host(count, 1)[0], 100);
  OK(cudaFree(dx));
  OK(cudaFree(count));
}
END_TEST

START_TEST(launches_that_a_gpu_refuses) {
  int *x = device(std::vector<int>(8));
  ck_assert_int_eq(k_reverse(x, x, 1, 2048, 0, nullptr),
                   cudaErrorInvalidConfiguration);
  ck_assert_int_eq(k_reverse(x, x, 1, 8, 50000, nullptr),
                   cudaErrorInvalidConfiguration);
  ck_assert_int_eq(k_reverse(x, x, 0, 8, 32, nullptr),
                   cudaErrorInvalidConfiguration);
  ck_assert_int_eq(cudaGetLastError(), cudaErrorInvalidConfiguration);
  ck_assert_int_eq(cudaGetLastError(), cudaSuccess);
  OK(cudaFree(x));
}
END_TEST

/* --- streams ----------------------------------------------------------------
 */

/* A copy on one stream, a kernel on another. Returns whether the sum is right.
 */
static int two_streams(int wait) {
  cudaStream_t a, b;
  cudaEvent_t e;
  void *p;
  OK(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
  OK(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
  OK(cudaEventCreateWithFlags(&e, cudaEventDisableTiming));
  OK(cudaMallocHost(&p, 4 * sizeof(float)));
  float *pinned = (float *)p;
  for (int i = 0; i < 4; i++)
    pinned[i] = 1;
  float *x = device(std::vector<float>(4)),
        *sum = device(std::vector<float>(1));
  OK(cudaMemcpyAsync(x, pinned, 16, cudaMemcpyHostToDevice, a));
  OK(cudaEventRecord(e, a));
  if (wait) OK(cudaStreamWaitEvent(b, e, 0));
  OK(k_sum(x, 4, sum, 1, b));
  OK(cudaStreamSynchronize(b));
  const float got = host(sum, 1)[0];
  OK(cudaStreamDestroy(a));
  OK(cudaStreamDestroy(b));
  OK(cudaEventDestroy(e));
  OK(cudaFreeHost(pinned));
  OK(cudaFree(x));
  OK(cudaFree(sum));
  return got == 4;
}

START_TEST(events_order_streams) {
  for (unsigned seed = 0; seed < SEEDS; seed++) {
    cuda_emu_seed(seed);
    ck_assert(two_streams(1));
  }
}
END_TEST

/* A test of the test: without the wait, some schedule gives a wrong sum. */
START_TEST(a_missing_wait_is_seen) {
  int wrong = 0;
  for (unsigned seed = 0; seed < SEEDS; seed++) {
    cuda_emu_seed(seed);
    wrong += !two_streams(0);
  }
  ck_assert_int_gt(wrong, 0);
}
END_TEST

/* The same for a pinned buffer that is written again before it was read. */
START_TEST(early_reuse_of_a_pinned_buffer_is_seen) {
  cudaStream_t s;
  void *p;
  OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  OK(cudaMallocHost(&p, sizeof(int)));
  volatile int *pinned = (volatile int *)p;
  int *x = device(std::vector<int>(1));
  *pinned = 1;
  OK(cudaMemcpyAsync(x, p, 4, cudaMemcpyHostToDevice, s));
  *pinned = 2;
  OK(cudaStreamSynchronize(s));
  ck_assert_int_eq(host(x, 1)[0], 2);
  /* From pageable memory the bytes are taken at the call. */
  int pageable = 3;
  OK(cudaMemcpyAsync(x, &pageable, 4, cudaMemcpyHostToDevice, s));
  pageable = 4;
  OK(cudaStreamSynchronize(s));
  ck_assert_int_eq(host(x, 1)[0], 3);
  OK(cudaStreamDestroy(s));
  OK(cudaFreeHost(p));
  OK(cudaFree(x));
}
END_TEST

START_TEST(the_legacy_stream_waits_for_blocking_ones) {
  for (unsigned seed = 0; seed < SEEDS; seed++) {
    cuda_emu_seed(seed);
    cudaStream_t s;
    OK(cudaStreamCreate(&s));
    int *x = device(std::vector<int>(1, 5));
    OK(cudaMemsetAsync(x, 0, 4, s));
    ck_assert_int_eq(host(x, 1)[0], 0);
    OK(cudaStreamDestroy(s));
    OK(cudaFree(x));
  }
}
END_TEST

/* --- graphs -----------------------------------------------------------------
 */

/* s: sum of x; forked: sum of y; joined again: both. */
static void capture_fork(cudaStream_t s, cudaStream_t t, float *x, float *out,
                         int join) {
  cudaEvent_t fork, back;
  OK(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
  OK(cudaEventCreateWithFlags(&back, cudaEventDisableTiming));
  OK(k_sum(x, 4, x + 4, 1, s));
  OK(cudaEventRecord(fork, s));
  OK(cudaStreamWaitEvent(t, fork, 0));
  OK(k_sum(x, 5, out, 1, t)); /* 4 + their sum */
  OK(k_sum(x + 4, 1, out + 1, 1, s));
  OK(cudaEventRecord(back, t));
  if (join) {
    OK(cudaStreamWaitEvent(s, back, 0));
    OK(k_sum(out, 2, out + 2, 1, s));
  }
  ck_assert_int_eq(cudaEventQuery(back), cudaErrorCapturedEvent);
  OK(cudaEventDestroy(fork));
  OK(cudaEventDestroy(back));
}

START_TEST(captured_streams_fork_and_join) {
  for (unsigned seed = 0; seed < SEEDS; seed++) {
    cuda_emu_seed(seed);
    cudaStream_t s, t;
    cudaGraph_t g;
    cudaGraphExec_t x;
    OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
    OK(cudaStreamCreateWithFlags(&t, cudaStreamNonBlocking));
    float *v = device(std::vector<float>{1, 2, 3, 4, 0}),
          *out = device(std::vector<float>(3));
    OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
    capture_fork(s, t, v, out, 1);
    OK(cudaStreamEndCapture(s, &g));
    OK(cudaGraphInstantiate(&x, g, 0));
    ck_assert_float_eq(host(out, 3)[2], 0); /* nothing has run yet */
    for (int i = 0; i < 3; i++)
      OK(cudaGraphLaunch(x, s));
    OK(cudaStreamSynchronize(s));
    ck_assert_float_eq(host(out, 3)[2], 30);
    OK(cudaGraphExecDestroy(x));
    OK(cudaGraphDestroy(g));
    OK(cudaStreamDestroy(s));
    OK(cudaStreamDestroy(t));
    OK(cudaFree(v));
    OK(cudaFree(out));
  }
}
END_TEST

static cudaError_t end(cudaStream_t s) {
  cudaGraph_t g = nullptr;
  const cudaError_t e = cudaStreamEndCapture(s, &g);
  if (g) OK(cudaGraphDestroy(g));
  return e;
}

START_TEST(what_a_capture_forbids) {
  cudaStream_t s, t;
  void *p;
  OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  OK(cudaStreamCreateWithFlags(&t, cudaStreamNonBlocking));
  float *v = device(std::vector<float>(5)),
        *out = device(std::vector<float>(3));
  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  ck_assert_int_eq(cudaMalloc(&p, 4), cudaErrorStreamCaptureUnsupported);
  ck_assert_int_eq(end(s), cudaErrorStreamCaptureInvalidated);
  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  ck_assert_int_eq(cudaStreamSynchronize(s), cudaErrorStreamCaptureUnsupported);
  ck_assert_int_eq(end(s), cudaErrorStreamCaptureInvalidated);
  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  capture_fork(s, t, v, out, 0);
  ck_assert_int_eq(end(s), cudaErrorStreamCaptureUnjoined);
  OK(cudaStreamDestroy(s));
  OK(cudaStreamDestroy(t));
  OK(cudaFree(v));
  OK(cudaFree(out));
}
END_TEST

/* --- memory and failures ----------------------------------------------------
 */

START_TEST(new_memory_is_poisoned) {
  void *p;
  OK(cudaMalloc(&p, 4));
  ck_assert(isnan(host((float *)p, 1)[0]));
  OK(cudaFree(p));
}
END_TEST

/* These die: each in a process of its own. */
START_TEST(host_touches_device_memory) {
  void *p;
  OK(cudaMalloc(&p, 4));
  *(volatile int *)p = 1;
}
END_TEST

START_TEST(kernel_reads_freed_memory) {
  void *p;
  int *y = device(std::vector<int>(8));
  OK(cudaMallocHost(&p, 32));
  OK(k_reverse((int *)p, y, 1, 8, 32, nullptr));
  OK(cudaFreeHost(p));
  OK(cudaDeviceSynchronize());
}
END_TEST

START_TEST(kernel_leaves_its_buffer) {
  int *x = device(std::vector<int>(64)); /* 256 bytes: up to the page's end */
  OK(k_reverse(x, x, 2, 64, 256, nullptr));
  OK(cudaDeviceSynchronize());
}
END_TEST

START_TEST(calls_fail_when_told) {
  void *p = nullptr;
  cuda_emu_fail_at(2, 0);
  OK(cudaMalloc(&p, 4));
  ck_assert_int_eq(cudaFree(p), cudaErrorUnknown); /* frees all the same */
  ck_assert_str_eq(cuda_emu_failed(), "cudaFree");
  OK(cudaMalloc(&p, 4));
  OK(cudaFree(p));
  cuda_emu_fail_at(1, 1);
  ck_assert_int_eq(cudaMalloc(&p, 4), cudaErrorMemoryAllocation);
  ck_assert_int_eq(cudaMalloc(&p, 4), cudaErrorMemoryAllocation);
  cuda_emu_fail_at(0, 0);
  ck_assert_int_eq(cuda_emu_live(), 0);
}
END_TEST

START_TEST(memory_is_limited) {
  void *p;
  size_t free_bytes, total;
  OK(cudaMemGetInfo(&free_bytes, &total));
  ck_assert_int_eq(cudaMalloc(&p, total + 1), cudaErrorMemoryAllocation);
  ck_assert_int_eq(cuda_emu_bytes(), 0);
}
END_TEST

static void nothing_left(void) {
  cuda_emu_fail_at(0, 0);
  ck_assert_int_eq(cuda_emu_live(), 0);
}

int main(void) {
  Suite *s = suite_create("cush");
  TCase *tc = tcase_create("emulator"), *dies = tcase_create("dies");
  tcase_add_checked_fixture(tc, nullptr, nothing_left);
  tcase_add_loop_test(tc, sums, 0, SEEDS);
  tcase_add_loop_test(tc, bf16_is_rounded, 0, SEEDS);
  tcase_add_loop_test(tc, dynamic_shared_memory, 0, SEEDS);
  tcase_add_loop_test(tc, votes_and_atomics, 0, SEEDS);
  tcase_add_test(tc, launches_that_a_gpu_refuses);
  tcase_add_test(tc, events_order_streams);
  tcase_add_test(tc, a_missing_wait_is_seen);
  tcase_add_test(tc, early_reuse_of_a_pinned_buffer_is_seen);
  tcase_add_test(tc, the_legacy_stream_waits_for_blocking_ones);
  tcase_add_test(tc, captured_streams_fork_and_join);
  tcase_add_test(tc, what_a_capture_forbids);
  tcase_add_test(tc, new_memory_is_poisoned);
  tcase_add_test(tc, calls_fail_when_told);
  tcase_add_test(tc, memory_is_limited);
  suite_add_tcase(s, tc);
  SRunner *r = srunner_create(s);
  if (srunner_fork_status(r) == CK_FORK) { /* CK_FORK=no: they would end us */
    tcase_add_test_raise_signal(dies, host_touches_device_memory, SIGABRT);
    tcase_add_test_raise_signal(dies, kernel_reads_freed_memory, SIGABRT);
    tcase_add_test_raise_signal(dies, kernel_leaves_its_buffer, SIGABRT);
    suite_add_tcase(s, dies);
  }
  srunner_run_all(r, CK_NORMAL);
  const int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
