/* matmul.c -- the kernels of ops/matmul.h.
 *
 * With many small matrices each worker takes some of them; else the matrices
 * are taken one by one, and the workers share each product. Where a gradient
 * is summed over matrices they always come one by one, in order. */
#include "ops/matmul.h"

#include <stdatomic.h>
#include <string.h>

#include "base/threads.h"
#include "cpu/cpu.h"
#include "cpu/floats.h"
#include "cpu/gemm.h"

typedef struct job job;
typedef sl_status product(const job *j, int64_t a, int64_t b, int64_t y,
                          int first);
struct job {
  const sl_matmul_plan *plan;
  const float *a, *b, *dy;
  float *to;           /* y, da or db */
  float beta;          /* of `to` */
  const int64_t *step; /* of `to` where it may be broadcast; NULL: y */
  product *f;
  atomic_int status;
};

static sl_status forward(const job *j, int64_t a, int64_t b, int64_t y,
                         int first) {
  const sl_matmul_plan *p = j->plan;
  (void)first;
  return sl_cpu_gemm(0, 0, p->m, p->n, p->k, j->a + a, p->k, j->b + b, p->n, 0,
                     j->to + y, p->n);
}

static sl_status grad_of_a(const job *j, int64_t a, int64_t b, int64_t y,
                           int first) {
  const sl_matmul_plan *p = j->plan;
  return sl_cpu_gemm(0, 1, p->m, p->k, p->n, j->dy + y, p->n, j->b + b, p->n,
                     first ? j->beta : 1, j->to + a, p->k);
}

static sl_status grad_of_b(const job *j, int64_t a, int64_t b, int64_t y,
                           int first) {
  const sl_matmul_plan *p = j->plan;
  return sl_cpu_gemm(1, 0, p->k, p->n, p->m, j->a + a, p->k, j->dy + y, p->n,
                     first ? j->beta : 1, j->to + b, p->n);
}

/* Product i: where its matrices lie, and whether it is the first to write the
 * matrix that it writes. */
static sl_status one(const job *j, int64_t i) {
  const sl_matmul_plan *p = j->plan;
  int64_t a = 0, b = 0, rest = i;
  int first = 1;
  for (int d = p->rank - 1; d >= 0; d--) {
    const int64_t at = rest % p->batch[d];
    rest /= p->batch[d];
    a += at * p->a_step[d];
    b += at * p->b_step[d];
    if (j->step && j->step[d] == 0 && at > 0) first = 0;
  }
  return j->f(j, a, b, i * p->m * p->n, first);
}

static void work(void *context, int worker, int n_workers) {
  job *j = context;
  int64_t begin, end;
  sl_share(j->plan->batches, 1, worker, n_workers, &begin, &end);
  for (int64_t i = begin; i < end; i++) {
    const sl_status status = one(j, i);
    if (status != SL_OK) atomic_store(&j->status, (int)status);
  }
}

static int is_summed(const job *j) {
  for (int d = 0; j->step && d < j->plan->rank; d++)
    if (j->step[d] == 0 && j->plan->batch[d] > 1) return 1;
  return 0;
}

static sl_status all(job *j) {
  if (j->plan->batches >= sl_pool_size() && !is_summed(j))
    sl_parallel(work, j);
  else
    work(j, 0, 1);
  const sl_status status = (sl_status)atomic_load(&j->status);
  SL_REQUIRE(status == SL_OK, status, "oneDNN refuses a matrix product");
  return SL_OK;
}

sl_status sl_cpu_matmul(const sl_call *c) {
  sl_matmul_plan plan;
  sl_spec out;
  SL_TRY(sl_matmul_plan_make(&plan, c->in[0], c->in[1], &out));
  sl_floats a = {0}, b = {0}, y = {0};
  sl_status status = sl_floats_read(&a, c->in[0]);
  if (status == SL_OK) status = sl_floats_read(&b, c->in[1]);
  if (status == SL_OK) status = sl_floats_write(&y, c->out[0], 0);
  if (status == SL_OK) {
    job j = {.plan = &plan, .a = a.p, .b = b.p, .to = y.p, .f = forward};
    status = all(&j);
  }
  if (status == SL_OK) sl_floats_commit(&y, c->out[0], 0);
  sl_floats_close(&a);
  sl_floats_close(&b);
  sl_floats_close(&y);
  return status;
}

/* The gradient of input i, from the other input and dy. */
static sl_status grad(const sl_call *c, const sl_matmul_plan *plan, int i,
                      const float *dy) {
  sl_floats other = {0}, to = {0};
  sl_status status = sl_floats_read(&other, c->in[1 - i]);
  if (status == SL_OK) status = sl_floats_write(&to, c->din[i], c->add[i]);
  if (status == SL_OK) {
    job j = {.plan = plan,
             .a = other.p,
             .b = other.p,
             .dy = dy,
             .to = to.p,
             .beta = to.beta,
             .step = i == 0 ? plan->a_step : plan->b_step,
             .f = i == 0 ? grad_of_a : grad_of_b};
    if (plan->batches == 0 && to.beta == 0) /* the sum of no products */
      memset(to.p, 0, (size_t)sl_tensor_count(c->din[i]) * sizeof *to.p);
    status = all(&j);
  }
  if (status == SL_OK) sl_floats_commit(&to, c->din[i], c->add[i]);
  sl_floats_close(&other);
  sl_floats_close(&to);
  return status;
}

sl_status sl_cpu_matmul_grad(const sl_call *c) {
  sl_matmul_plan plan;
  sl_spec out;
  SL_TRY(sl_matmul_plan_make(&plan, c->in[0], c->in[1], &out));
  sl_floats dy = {0};
  sl_status status = sl_floats_read(&dy, c->dout[0]);
  for (int i = 0; i < 2 && status == SL_OK; i++)
    if (c->din[i]) status = grad(c, &plan, i, dy.p);
  sl_floats_close(&dy);
  return status;
}
