/* device_faults.c -- another device when memory runs out and when calls of its
 * libraries fail: an error, nothing left behind, and the next run is right. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "device_run.h"
#include "ops/random.h"

/* --- memory ----------------------------------------------------------------
 */

void t_device_given_back(void) {
  t_no_leaks();
  ck_assert_int_eq(t_device->used(), 0);
}

START_TEST(memory_is_counted) {
  const int64_t n = 1000;
  sl_tensor *t = NULL;
  t_device->peak(1);
  ck_assert_int_eq(sl_tensor_zeros(&t, t_device, SL_F32, 1, &n), SL_OK);
  ck_assert_int_eq(t_device->used(), 4000);
  sl_tensor_release(t);
  ck_assert_int_eq(t_device->used(), 0);
  ck_assert_int_eq(t_device->peak(1), 4000);
  t_device->trim();
  ck_assert_int_gt(t_device->room(), 0);
}
END_TEST

START_TEST(too_large) {
  const int64_t n = (int64_t)1 << 42;
  sl_tensor *t = NULL;
  ck_assert_int_eq(sl_tensor_zeros(&t, t_device, SL_F32, 1, &n), SL_ENOMEM);
  ck_assert_msg(strstr(sl_error(), t_device->name), "%s", sl_error());
}
END_TEST

/* Where memory on the host runs out, nothing is left behind. */
START_TEST(host_memory_runs_out) {
  t_inputs c;
  t_inputs_make(&c, t_case_at(_i));
  for (int n = 1;; n++) {
    t_device_inputs v;
    sl_tensor *out[SL_OP_MAX_OUT] = {0};
    t_device_inputs_make(&v, &c, t_device, 0);
    t_device->trim();
    sl_alloc_fail_at(n);
    sl_backend_set_default(t_device);
    sl_status status = sl_op_run(c.id, v.in, c.n_in, c.opts, out);
    const int left = sl_alloc_fail_at(0);
    sl_backend_set_default(&sl_cpu);
    ck_assert_msg(status == SL_OK || status == SL_ENOMEM, "%s: %s",
                  sl_op_get(c.id)->name, sl_error());
    for (int i = 0; i < SL_OP_MAX_OUT; i++)
      sl_tensor_release(out[i]);
    t_device_inputs_free(&v);
    ck_assert_int_eq(t_device->used(), 0);
    if (left > 0) break;
  }
  t_inputs_free(&c);
}
END_TEST

/* --- faults of the device ---------------------------------------------------
 * The emulator (tests/cuda/emu.h) makes any call of CUDA's libraries fail. */

static int64_t (*fail_at)(int64_t n, int for_ever);
static int64_t (*downloads)(void);

static void find_emulator(void) {
  const char *path = getenv("SOTA_CUDA_PLUGIN");
  void *module = path ? dlopen(path, RTLD_NOW | RTLD_NOLOAD) : NULL;
  void *symbol = module ? dlsym(module, "cuda_emu_fail_at") : NULL;
  memcpy(&fail_at, &symbol, sizeof symbol);
  symbol = module ? dlsym(module, "cuda_emu_downloads") : NULL;
  memcpy(&downloads, &symbol, sizeof symbol);
}

/* Forward and backward bring nothing to the host, where alone the CPU could
 * compute it (the emulator keeps device memory closed to it). */
START_TEST(nothing_comes_back) {
  t_inputs c;
  t_device_inputs v;
  sl_tensor *out[SL_OP_MAX_OUT] = {0}, *seed = NULL;
  t_inputs_make(&c, t_case_at(_i));
  t_device_inputs_make(&v, &c, t_device, 0);
  sl_backend_set_default(t_device);
  const int64_t before = downloads();
  sl_status status = sl_op_run(c.id, v.in, c.n_in, c.opts, out);
  if (status == SL_OK && out[0]->node) {
    seed = t_seed_of(out[0], t_device);
    status = sl_backward(out[0], seed);
  }
  ck_assert_msg(status == SL_OK && downloads() == before,
                "%s: %lld copies to the host", sl_op_get(c.id)->name,
                (long long)(downloads() - before));
  sl_backend_set_default(&sl_cpu);
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    sl_tensor_release(out[i]);
  sl_tensor_release(seed);
  t_device_inputs_free(&v);
  t_inputs_free(&c);
}
END_TEST

/* Forward and backward with the n-th call failing; 0: there was no n-th. What
 * succeeds all the same (memory was asked for again) must be right. */
static int run_failing(const t_inputs *c, int64_t n, const t_results *want) {
  t_results got = {0};
  t_device_inputs v;
  sl_tensor *out[SL_OP_MAX_OUT] = {0}, *seed = NULL;
  sl_seed(7);
  t_device_inputs_make(&v, c, t_device, 0);
  sl_backend_set_default(t_device);
  fail_at(n, 0);
  sl_status status = sl_op_run(c->id, v.in, c->n_in, c->opts, out);
  if (status == SL_OK && out[0]->node) {
    const int64_t left = fail_at(0, 0); /* the seed is the test's own */
    seed = t_seed_of(out[0], t_device);
    fail_at(left, 0);
    status = sl_backward(out[0], seed);
  }
  if (status == SL_OK) status = t_device->synchronise();
  const int64_t left = fail_at(0, 0);
  sl_backend_set_default(&sl_cpu);
  ck_assert_msg(status == SL_OK || strlen(sl_error()) > 10, "%s, call %lld: %s",
                sl_op_get(c->id)->name, (long long)n, sl_error());
  if (status == SL_OK) {
    t_collect(&got, &v, out);
    t_compare_all(sl_op_get(c->id)->name, want, &got, 2e-5);
    t_results_free(&got);
  }
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    sl_tensor_release(out[i]);
  sl_tensor_release(seed);
  t_device_inputs_free(&v);
  return left == 0;
}

/* Nothing is left behind, and the next run is right. */
START_TEST(every_call_fails) {
  t_inputs c;
  t_results want;
  t_inputs_make(&c, t_case_at(_i));
  ck_assert_int_eq(t_run_on(&sl_cpu, &c, 0, 1, &want), SL_OK);
  t_device->trim(); /* so that memory must be asked for */
  for (int64_t n = 1; run_failing(&c, n, &want); n++) {
    ck_assert_int_eq(t_device->used(), 0);
    ck_assert_int_lt(n, 2000);
  }
  t_results_free(&want);
  t_inputs_free(&c);
  t_same(t_case_at(_i), 0, 1, 2e-5);
}
END_TEST

/* An upload of which any call fails says so, and spoils none that follows. */
START_TEST(every_upload_fails) {
  enum { N = 9 << 20 };
  const int64_t n = _i ? N : 1000;
  uint8_t *v = sl_alloc((size_t)n, 1), *back = sl_alloc((size_t)n, 1);
  for (int64_t k = 1, left = 0; left == 0; k++) {
    sl_tensor *a = NULL, *b = NULL;
    memset(v, (int)(k & 0xff), (size_t)n);
    fail_at(k, 0);
    const sl_status status = sl_tensor_from(&a, t_device, SL_U8, 1, &n, v);
    left = fail_at(0, 0);
    ck_assert_msg(status == SL_OK || strlen(sl_error()) > 10, "%s", sl_error());
    memset(v, (int)((k + 1) & 0xff), (size_t)n);
    ck_assert_int_eq(sl_tensor_from(&b, t_device, SL_U8, 1, &n, v), SL_OK);
    ck_assert_int_eq(sl_tensor_read(b, SL_U8, back, n), SL_OK);
    ck_assert_int_eq(memcmp(v, back, (size_t)n), 0);
    if (a) ck_assert_int_eq(sl_tensor_read(a, SL_U8, back, n), SL_OK);
    ck_assert(!a || back[n / 2] == (uint8_t)k);
    sl_tensor_release(a);
    sl_tensor_release(b);
    ck_assert_int_lt(k, 100);
  }
  sl_free(v);
  sl_free(back);
}
END_TEST

TCase *t_device_failures(int n) {
  TCase *tc = tcase_create("failures");
  find_emulator();
  tcase_add_test(tc, memory_is_counted);
  tcase_add_test(tc, too_large);
  tcase_add_loop_test(tc, host_memory_runs_out, 0, n);
  if (downloads) tcase_add_loop_test(tc, nothing_comes_back, 0, n);
  if (fail_at) tcase_add_loop_test(tc, every_call_fails, 0, n);
  if (fail_at) tcase_add_loop_test(tc, every_upload_fails, 0, 2);
  return tc;
}
