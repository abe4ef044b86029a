/* matmul.c -- description of matmul, and the plan that its kernels follow. */
#include "ops/matmul.h"

#include <inttypes.h>
#include <string.h>

static int leading(const sl_tensor *t) {
  return t->rank > 2 ? t->rank - 2 : 0;
}

/* Size of leading dimension d of `rank`, aligned at the right. */
static int64_t leading_size(const sl_tensor *t, int d, int rank) {
  const int own = d - (rank - leading(t));
  return own < 0 ? 1 : t->shape[own];
}

static sl_status check(const sl_tensor *a, const sl_tensor *b) {
  SL_REQUIRE(sl_dtype_is_float(a->dtype) && a->rank >= 1, SL_ESHAPE,
             "a must be f32 or bf16 (.., M, K), not %s", sl_shape_text(a));
  SL_REQUIRE(sl_dtype_is_float(b->dtype) && b->rank >= 1, SL_ESHAPE,
             "b must be f32 or bf16 (.., K, N), not %s", sl_shape_text(b));
  return SL_OK;
}

/* Steps of t's matrices, of `size` elements, in the plan's batch. */
static void steps(const sl_matmul_plan *p, const sl_tensor *t, int64_t size,
                  int64_t *step) {
  for (int d = p->rank - 1; d >= 0; d--) {
    const int64_t n = leading_size(t, d, p->rank);
    step[d] = n == 1 ? 0 : size;
    size *= n;
  }
}

static sl_status broadcast(sl_matmul_plan *p, const sl_tensor *a,
                           const sl_tensor *b) {
  p->rank = leading(a) > leading(b) ? leading(a) : leading(b);
  p->batches = 1;
  for (int d = 0; d < p->rank; d++) {
    const int64_t x = leading_size(a, d, p->rank);
    const int64_t y = leading_size(b, d, p->rank);
    SL_REQUIRE(x == y || x == 1 || y == 1, SL_ESHAPE,
               "%s and %s do not broadcast: %" PRId64 " ~= %" PRId64
               " matrices",
               sl_shape_text(a), sl_shape_text(b), x, y);
    p->batch[d] = x == 1 ? y : x;
    p->batches *= p->batch[d];
  }
  steps(p, a, p->m * p->k, p->a_step);
  steps(p, b, p->k * p->n, p->b_step);
  return SL_OK;
}

static void shape_of(const sl_matmul_plan *p, const sl_tensor *a,
                     const sl_tensor *b, sl_spec *out) {
  out->dtype = a->dtype;
  out->rank = p->rank;
  memcpy(out->shape, p->batch, sizeof p->batch);
  if (a->rank > 1) out->shape[out->rank++] = p->m;
  if (b->rank > 1) out->shape[out->rank++] = p->n;
}

/* Many matrices times the same one are one product of a taller matrix. */
static void fold(sl_matmul_plan *p, const sl_tensor *a, const sl_tensor *b) {
  for (int d = 0; d < leading(b); d++)
    if (b->shape[d] != 1) return;
  if (a->rank < 2) return;
  p->m *= p->batches;
  p->batches = 1;
  p->rank = 0;
}

sl_status sl_matmul_plan_make(sl_matmul_plan *p, const sl_tensor *a,
                              const sl_tensor *b, sl_spec *out) {
  *p = (sl_matmul_plan){0};
  SL_TRY(check(a, b));
  p->m = a->rank > 1 ? a->shape[a->rank - 2] : 1;
  p->k = a->shape[a->rank - 1];
  p->n = b->rank > 1 ? b->shape[b->rank - 1] : 1;
  const int64_t rows = b->shape[b->rank > 1 ? b->rank - 2 : 0];
  SL_REQUIRE(p->k == rows, SL_ESHAPE,
             "%s times %s: rows of %" PRId64
             " elements but columns of %" PRId64,
             sl_shape_text(a), sl_shape_text(b), p->k, rows);
  SL_TRY(broadcast(p, a, b));
  shape_of(p, a, b, out);
  fold(p, a, b);
  return SL_OK;
}

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  (void)opts;
  sl_matmul_plan plan;
  return sl_matmul_plan_make(&plan, c->in[0], c->in[1], &s->out[0]);
}

const sl_op sl_op_matmul = {
    .name = "matmul",
    .args = "a, b",
    .help = "Matrix product of the last two dimensions; leading dimensions "
            "broadcast. Vectors count as one row (a) or one column (b).",
    .example = "return sota.matmul(sota.zeros(2, 3), sota.zeros(3, 4))",
    .n_in = 2,
    .grad_in = 3,
    .infer = infer,
};
