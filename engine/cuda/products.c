/* products.c -- linear and matmul, by cuBLASLt (blas.h).
 *
 * Factors have one type: bf16 if the first of them is and the GPU knows it,
 * else f32; the other one is converted. Sums are f32. */
#include "cuda/blas.h"
#include "cuda/cuda.h"
#include "ops/linear.h"
#include "ops/matmul.h"

static sl_dtype type_for(const sl_tensor *x) {
  return x->dtype == SL_BF16 && sl_cuda.capability >= 80 ? SL_BF16 : SL_F32;
}

sl_status sl_cuda_as(sl_tensor **out, sl_tensor *t, sl_dtype d) {
  if (t->dtype != d) return sl_tensor_copy(out, t, t->backend, d);
  *out = sl_tensor_retain(t);
  return SL_OK;
}

/* f32 memory for a result that becomes t: t's own, or a new tensor's. */
static sl_status sums_for(sl_tensor **out, sl_tensor *t) {
  if (t->dtype != SL_F32)
    return sl_tensor_new(out, t->backend, SL_F32, t->rank, t->shape);
  *out = sl_tensor_retain(t);
  return SL_OK;
}

static sl_status multiply(const sl_blas_product *p, const void *a,
                          const void *b, void *c) {
  const size_t bytes = (size_t)(p->m * p->n * p->batches) * sizeof(float);
  if (bytes == 0) return SL_OK;
  if (p->k == 0) /* the sum of no products */
    return p->add ? SL_OK : sl_cuda_zero(c, bytes);
  return sl_blas_run(p, a, b, c);
}

/* --- linear ----------------------------------------------------------------
 */

typedef struct sizes {
  int64_t rows, in, out;
  sl_dtype type;
} sizes;

static sizes sizes_of(const sl_call *c) {
  const sl_tensor *x = c->in[0], *w = c->in[1];
  sizes s = {1, w->shape[1], w->shape[0], type_for(x)};
  for (int d = 0; d < x->rank - 1; d++)
    s.rows *= x->shape[d];
  return s;
}

static sl_blas_product product_of(const sizes *s, int64_t m, int64_t n,
                                  int64_t k, int a_t, int b_t, int add) {
  return (sl_blas_product){.m = m,
                           .n = n,
                           .k = k,
                           .batches = 1,
                           .a_t = a_t,
                           .b_t = b_t,
                           .add = add,
                           .type = (int32_t)s->type,
                           .c_type = SL_F32};
}

/* to (+)= the product of a and b, each of the product's type first. */
static sl_status product_to(sl_tensor *to, int add, sl_blas_product p,
                            sl_tensor *a, sl_tensor *b) {
  const sl_dtype type = (sl_dtype)p.type;
  sl_tensor *x = NULL, *y = NULL, *sums = NULL;
  sl_status status = sl_cuda_as(&x, a, type);
  if (status == SL_OK) status = sl_cuda_as(&y, b, type);
  if (status == SL_OK) status = sums_for(&sums, to);
  if (status == SL_OK) {
    p.add = add && sums == to;
    status = multiply(&p, sl_data(x), sl_data(y), sl_data(sums));
  }
  if (status == SL_OK && sums != to) status = sl_cuda_copy(to, sums, add);
  sl_tensor_release(x);
  sl_tensor_release(y);
  sl_tensor_release(sums);
  return status;
}

/* With a bias the sums stay f32 until it is added. */
static sl_status biased(const sl_call *c, const sizes *s,
                        const sl_blas_product *p) {
  sl_tensor *y = c->out[0], *bias = c->in[2], *sums = NULL;
  SL_TRY(sums_for(&sums, y));
  sl_status status = product_to(sums, 0, *p, c->in[0], c->in[1]);
  if (status == SL_OK)
    status = sl_cuda_launched(cu_add_bias(sl_data(sums), SL_F32, sl_data(bias),
                                          (int)bias->dtype, s->rows, s->out,
                                          sl_cuda.stream),
                              "cu_add_bias");
  if (status == SL_OK && sums != y) status = sl_cuda_copy(y, sums, 0);
  sl_tensor_release(sums);
  return status;
}

sl_status sl_cuda_linear(const sl_call *c) {
  const sizes s = sizes_of(c);
  const sl_blas_product p = product_of(&s, s.rows, s.out, s.in, 0, 1, 0);
  if (c->in[2]) return biased(c, &s, &p);
  return product_to(c->out[0], 0, p, c->in[0], c->in[1]);
}

sl_status sl_cuda_linear_grad(const sl_call *c) {
  const sizes s = sizes_of(c);
  sl_tensor *dy = c->dout[0];
  if (c->din[0])
    SL_TRY(product_to(c->din[0], c->add[0],
                      product_of(&s, s.rows, s.in, s.out, 0, 0, 0), dy,
                      c->in[1]));
  if (c->din[1])
    SL_TRY(product_to(c->din[1], c->add[1],
                      product_of(&s, s.out, s.in, s.rows, 1, 0, 0), dy,
                      c->in[0]));
  if (!c->din[2]) return SL_OK;
  return sl_cuda_sum_rows(sl_data(dy), dy->dtype, s.rows, s.out, c->din[2],
                          c->add[2]);
}

/* --- matmul ----------------------------------------------------------------
 */

/* A list of products: which matrices batch number i is made of. */
typedef struct job {
  const sl_matmul_plan *plan;
  const int64_t *a_step, *b_step, *c_step; /* of its three matrices */
  sl_blas_product p;                       /* of one batch */
} job;

/* Whether the matrices of all batches are one step apart; that step. */
static int is_regular(const sl_matmul_plan *q, const int64_t *step,
                      int64_t *each) {
  *each = q->rank > 0 ? step[q->rank - 1] : 0;
  for (int d = q->rank - 2; d >= 0; d--)
    if (step[d] != step[d + 1] * q->batch[d + 1]) return 0;
  return 1;
}

static int64_t place(const sl_matmul_plan *q, const int64_t *step, int64_t i) {
  int64_t at = 0;
  for (int d = q->rank - 1; d >= 0; d--) {
    at += i % q->batch[d] * step[d];
    i /= q->batch[d];
  }
  return at;
}

static const void *ahead(const void *p, sl_dtype type, int64_t n) {
  return (const char *)p + (size_t)n * sl_dtype_size(type);
}

/* All batches; add: to what is in c already. Where c is broadcast, batches are
 * added to it one after the other. */
static sl_status run_batches(const job *j, const void *a, const void *b,
                             float *c) {
  const sl_matmul_plan *q = j->plan;
  const sl_dtype type = (sl_dtype)j->p.type;
  sl_blas_product p = j->p;
  if (is_regular(q, j->a_step, &p.a_step) &&
      is_regular(q, j->b_step, &p.b_step) &&
      is_regular(q, j->c_step, &p.c_step) &&
      (q->batches == 1 || p.c_step != 0)) {
    p.batches = q->batches;
    return multiply(&p, a, b, c);
  }
  p.batches = 1;
  for (int64_t i = 0; i < q->batches; i++)
    SL_TRY(multiply(&p, ahead(a, type, place(q, j->a_step, i)),
                    ahead(b, type, place(q, j->b_step, i)),
                    c + place(q, j->c_step, i)));
  return SL_OK;
}

static int repeats(const sl_matmul_plan *q, const int64_t *step) {
  for (int d = 0; d < q->rank; d++)
    if (step[d] == 0 && q->batch[d] != 1) return 1;
  return q->batches == 0;
}

/* to (+)= the batches. Sums over batches begin at zero. */
static sl_status batches_to(sl_tensor *to, int add, job j, sl_tensor *a,
                            sl_tensor *b) {
  const sl_dtype type = (sl_dtype)j.p.type;
  sl_tensor *x = NULL, *y = NULL, *sums = NULL;
  sl_status status = sl_cuda_as(&x, a, type);
  if (status == SL_OK) status = sl_cuda_as(&y, b, type);
  if (status == SL_OK) status = sums_for(&sums, to);
  if (status == SL_OK) {
    j.p.add = add && sums == to;
    if (!j.p.add && repeats(j.plan, j.c_step)) {
      status = sl_cuda_zero(sl_data(sums), sl_tensor_bytes(sums));
      j.p.add = 1;
    }
  }
  if (status == SL_OK)
    status = run_batches(&j, sl_data(x), sl_data(y), sl_f32(sums));
  if (status == SL_OK && sums != to) status = sl_cuda_copy(to, sums, add);
  sl_tensor_release(x);
  sl_tensor_release(y);
  sl_tensor_release(sums);
  return status;
}

/* Steps of the results: dense. */
static void result_steps(const sl_matmul_plan *q, int64_t *step) {
  int64_t all = q->m * q->n;
  for (int d = q->rank - 1; d >= 0; d--) {
    step[d] = all;
    all *= q->batch[d];
  }
}

static sl_blas_product one_of(sl_dtype type, int64_t m, int64_t n, int64_t k,
                              int a_t, int b_t) {
  return (sl_blas_product){.m = m,
                           .n = n,
                           .k = k,
                           .a_t = a_t,
                           .b_t = b_t,
                           .type = (int32_t)type,
                           .c_type = SL_F32};
}

sl_status sl_cuda_matmul(const sl_call *c) {
  sl_matmul_plan q;
  sl_spec out;
  int64_t steps[SL_MAX_RANK] = {0};
  SL_TRY(sl_matmul_plan_make(&q, c->in[0], c->in[1], &out));
  result_steps(&q, steps);
  const job j = {&q, q.a_step, q.b_step, steps,
                 one_of(type_for(c->in[0]), q.m, q.n, q.k, 0, 0)};
  return batches_to(c->out[0], 0, j, c->in[0], c->in[1]);
}

/* da = dy b^T, db = a^T dy. */
sl_status sl_cuda_matmul_grad(const sl_call *c) {
  sl_matmul_plan q;
  sl_spec out;
  int64_t steps[SL_MAX_RANK] = {0};
  SL_TRY(sl_matmul_plan_make(&q, c->in[0], c->in[1], &out));
  result_steps(&q, steps);
  const sl_dtype type = type_for(c->in[0]);
  if (c->din[0]) {
    const job j = {&q, steps, q.b_step, q.a_step,
                   one_of(type, q.m, q.k, q.n, 0, 1)};
    SL_TRY(batches_to(c->din[0], c->add[0], j, c->dout[0], c->in[1]));
  }
  if (!c->din[1]) return SL_OK;
  const job j = {&q, q.a_step, steps, q.b_step,
                 one_of(type, q.k, q.n, q.m, 1, 0)};
  return batches_to(c->din[1], c->add[1], j, c->in[0], c->dout[0]);
}
