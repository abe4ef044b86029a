/* test_fake_cudnn.c -- the fake cuDNN against the CPU's convolutions: the same
 * graphs of which plans.c asks the real one whether it can run them. */
#include <cuda_runtime_api.h>
#include <string.h>

#include "conv_graph.h"
#include "emu.h"
#include "ops/conv2d.h"
#include "support.h"

#define CU(call) ck_assert_int_eq((int)(call), (int)cudaSuccess)
#define DN(call) ck_assert_int_eq((int)(call), (int)CUDNN_STATUS_SUCCESS)

static const conv_sizes cases[] = {
    {2, 5, 6, 3, 4, 3, 3, 1, 1, 1}, {1, 7, 7, 4, 6, 3, 3, 2, 1, 2},
    {2, 4, 4, 8, 3, 1, 1, 1, 0, 1}, {1, 6, 5, 4, 4, 3, 3, 1, 1, 4},
    {1, 9, 8, 3, 2, 7, 7, 2, 3, 1},
};
enum { N_CASES = sizeof cases / sizeof *cases };

/* The CPU's x, weight, y and, for dy = seed, gradients. */
typedef struct expected {
  sl_tensor *t[4], *dx, *dw;
} expected;

static void expect(expected *e, const conv_sizes *s) {
  char opts[SL_OP_MAX_OPTS];
  sl_conv2d_opts *o = (sl_conv2d_opts *)(void *)opts;
  sl_op_defaults(sl_op_get(SL_OP_conv2d), opts);
  o->stride = (sl_ints){1, {s->stride}};
  o->padding = (sl_ints){1, {s->padding}};
  o->groups = s->groups;
  sl_tensor *x =
      t_random(1, -1, 1, 4, (int)s->n, (int)s->h, (int)s->w, (int)s->c);
  sl_tensor *w = t_random(2, -1, 1, 4, (int)s->o, (int)s->kh, (int)s->kw,
                          (int)(s->c / s->groups));
  ck_assert_int_eq(sl_require_grad(x, 1), SL_OK);
  ck_assert_int_eq(sl_require_grad(w, 1), SL_OK);
  sl_tensor *y = t_run(SL_OP_conv2d, opts, 2, x, w);
  sl_tensor *dy = t_random(3, -1, 1, 4, (int)y->shape[0], (int)y->shape[1],
                           (int)y->shape[2], (int)y->shape[3]);
  ck_assert_int_eq(sl_backward(y, dy), SL_OK);
  *e = (expected){{x, w, y, dy}, sl_grad(x), sl_grad(w)};
}

static void *upload(sl_tensor *t) {
  void *p;
  const size_t bytes = (size_t)sl_tensor_count(t) * sizeof(float);
  CU(cudaMalloc(&p, bytes));
  if (sl_data(t)) CU(cudaMemcpy(p, sl_data(t), bytes, cudaMemcpyHostToDevice));
  return p;
}

static void run(conv_plan *p, void *x, void *w, void *y) {
  cudnnHandle_t handle;
  cudnnBackendDescriptor_t pack;
  const int64_t ids[3] = {CONV_X, CONV_W, CONV_Y};
  void *at[3] = {x, w, y}, *workspace;
  DN(cudnnCreate(&handle));
  CU(cudaMalloc(&workspace, (size_t)p->workspace));
  DN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
                                  &pack));
  DN(cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS,
                              CUDNN_TYPE_INT64, 3, ids));
  DN(cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                              CUDNN_TYPE_VOID_PTR, 3, at));
  DN(cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE,
                              CUDNN_TYPE_VOID_PTR, 1, &workspace));
  DN(cudnnBackendFinalize(pack));
  DN(cudnnBackendExecute(handle, p->plan, pack));
  CU(cudaDeviceSynchronize());
  DN(cudnnBackendDestroyDescriptor(pack));
  DN(cudnnDestroy(handle));
  CU(cudaFree(workspace));
}

/* What was computed, against what the CPU says. */
static void compare(const void *device, sl_tensor *want) {
  const int64_t n = sl_tensor_count(want);
  sl_tensor *got = t_zeros(SL_F32, 1, (int)n);
  CU(cudaMemcpy(sl_data(got), device, (size_t)n * sizeof(float),
                cudaMemcpyDeviceToHost));
  t_close(got, sl_f32(want), n, 1e-4);
  sl_tensor_release(got);
}

START_TEST(convolutions) {
  const conv_sizes *s = &cases[_i];
  expected e;
  expect(&e, s);
  for (int kind = CONV_FORWARD; kind <= CONV_WGRAD; kind++) {
    conv_plan p;
    conv_plan_make(&p, (conv_kind)kind, s, CUDNN_DATA_FLOAT, NULL);
    ck_assert_msg(!p.error[0], "%s", p.error);
    void *x = upload(e.t[0]), *w = upload(e.t[1]), *y = upload(e.t[3]);
    void *const results[] = {y, x, w};
    sl_tensor *const want[] = {e.t[2], e.dx, e.dw};
    run(&p, x, w, y);
    compare(results[kind], want[kind]);
    conv_plan_free(&p);
    CU(cudaFree(x));
    CU(cudaFree(w));
    CU(cudaFree(y));
  }
  ck_assert_int_eq(cuda_emu_live(), 0);
  for (int i = 0; i < 4; i++)
    sl_tensor_release(e.t[i]);
}
END_TEST

/* Each call of the making of a plan may fail: an error, and nothing is left. */
START_TEST(failing_calls) {
  for (int n = 1; n < 1000; n++) {
    conv_plan p;
    cuda_emu_fail_at(n, 0);
    conv_plan_make(&p, CONV_FORWARD, &cases[0], CUDNN_DATA_FLOAT, NULL);
    conv_plan_free(&p);
    const int64_t left = cuda_emu_fail_at(0, 0);
    ck_assert_int_eq(cuda_emu_live(), 0);
    if (left > 0) return;
  }
  ck_abort_msg("more than a thousand calls");
}
END_TEST

START_TEST(what_is_refused) {
  conv_plan p;
  conv_sizes s = cases[0];
  s.c = 4;
  s.o = 3;
  s.groups = 4; /* 3 filters in 4 groups */
  conv_plan_make(&p, CONV_FORWARD, &s, CUDNN_DATA_FLOAT, NULL);
  ck_assert_ptr_nonnull(strstr(p.error, "x (2, 4, 5, 6), w (3, 1, 3, 3)"));
  conv_plan_free(&p);
  ck_assert_int_eq(cuda_emu_live(), 0);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("fake cuDNN", &tc);
  tcase_add_loop_test(tc, convolutions, 0, N_CASES);
  tcase_add_test(tc, failing_calls);
  tcase_add_test(tc, what_is_refused);
  return t_main(s);
}
