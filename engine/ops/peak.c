/* peak.c -- see peak.h. */
#include "ops/peak.h"

#include "base/log.h"
#include "ops/op.h"
#include "ops/tape.h"

static const double patience = 0.25; /* seconds for one measurement */
enum { TRIES = 3 };                  /* at least */

typedef sl_status task(sl_tensor *const *t);

static sl_status run(sl_op_id id, sl_tensor *const *t) {
  sl_tensor *out = NULL;
  SL_TRY(sl_op_run(id, t, 2, NULL, &out));
  sl_tensor_release(out);
  return SL_OK;
}

static sl_status multiply(sl_tensor *const *t) {
  return run(SL_OP_matmul, t);
}

static sl_status convolve(sl_tensor *const *t) {
  return run(SL_OP_conv2d, t);
}

static sl_status copy(sl_tensor *const *t) {
  return t[0]->backend->copy(t[0], t[1], 0);
}

/* The shortest run; one before does not count, it touches the memory. */
static sl_status shortest(task *f, sl_tensor *const *t, double *seconds) {
  const sl_backend *b = t[0]->backend;
  SL_TRY(f(t));
  SL_TRY(b->synchronise());
  const double end = sl_clock() + patience;
  *seconds = patience;
  for (int i = 0; i < TRIES || sl_clock() < end; i++) {
    const double began = sl_clock();
    SL_TRY(f(t));
    SL_TRY(b->synchronise());
    const double spent = sl_clock() - began;
    if (i == 0 || spent < *seconds) *seconds = spent;
  }
  return SL_OK;
}

/* f over two tensors of zeros, the second always f32 where there are weights.
 */
static sl_status measure(task *f, const sl_backend *b, const sl_spec *first,
                         const sl_spec *second, double *seconds) {
  sl_tensor *t[2] = {NULL, NULL};
  sl_status status =
      sl_tensor_zeros(&t[0], b, first->dtype, first->rank, first->shape);
  if (status == SL_OK)
    status =
        sl_tensor_zeros(&t[1], b, second->dtype, second->rank, second->shape);
  if (status == SL_OK) status = shortest(f, t, seconds);
  sl_tensor_release(t[0]);
  sl_tensor_release(t[1]);
  return status;
}

/* FLOP/s of the faster way to multiply. The pixels of an image are the rows of
 * one matrix, the weights (which stay f32) the other. */
static sl_status measure_gemm(sl_dtype dtype, const sl_backend *b,
                              double *peak) {
  enum { N = SL_PEAK_SIDE, SIDE = 32 };
  const sl_spec square = {dtype, 2, {N, N}};
  const sl_spec image = {dtype, 4, {1, SIDE, N / SIDE, N}};
  const sl_spec weights = {SL_F32, 4, {N, 1, 1, N}};
  double by_matmul = 0, by_conv = 0;
  SL_TRY(measure(multiply, b, &square, &square, &by_matmul));
  SL_TRY(measure(convolve, b, &image, &weights, &by_conv));
  *peak = 2.0 * N * N * N / (by_conv < by_matmul ? by_conv : by_matmul);
  return SL_OK;
}

static sl_status measure_all(sl_peak *p, const sl_backend *b, int with_bf16) {
  const sl_spec line = {SL_F32, 1, {SL_PEAK_COPY / (int64_t)sizeof(float)}};
  double seconds = 0;
  SL_TRY(measure_gemm(SL_F32, b, &p->gemm[SL_F32]));
  if (with_bf16 && b->bf16() != SL_BF16_NONE)
    SL_TRY(measure_gemm(SL_BF16, b, &p->gemm[SL_BF16]));
  SL_TRY(measure(copy, b, &line, &line, &seconds));
  p->copy = 2.0 * SL_PEAK_COPY / seconds;
  return SL_OK;
}

sl_status sl_peak_measure(sl_peak *p, const sl_backend *b, int with_bf16) {
  *p = (sl_peak){0};
  const int recording = sl_tape_enable(0);
  const sl_status status = measure_all(p, b, with_bf16);
  sl_tape_enable(recording);
  return status;
}

double sl_peak_limit(const sl_peak *p, sl_dtype dtype, double flops,
                     double bytes) {
  const double gemm = p->gemm[dtype == SL_BF16 ? SL_BF16 : SL_F32];
  if ((flops > 0 && gemm <= 0) || p->copy <= 0) return 0;
  const double computing = flops > 0 ? flops / gemm : 0;
  const double moving = bytes / p->copy;
  return computing > moving ? computing : moving;
}
