/* gemm.c -- see gemm.h.
 *
 * oneDNN's sgemm, single-threaded, on a block of rows (or columns, whichever
 * are more) of C for each worker of our pool: 70-115 GFLOP/s on one Zen 5 core
 * at the sizes of a classifier's last layers, where a loop for the baseline
 * instruction set gets 10-30. */
#include "cpu/gemm.h"

#include <inttypes.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdatomic.h>
#include <string.h>

#include "base/threads.h"
#include "cpu/dnnl.h"

typedef struct job {
  int trans_a, trans_b;
  int64_t m, n, k;
  const float *a, *b;
  float *c;
  int64_t lda, ldb, ldc;
  float beta;
  atomic_int failed; /* a dnnl_status_t */
} job;

/* The part of C with rows i.. and columns j.., m by n. */
static void part(job *g, int64_t i, int64_t j, int64_t m, int64_t n) {
  const float *a = g->a + (g->trans_a ? i : i * g->lda);
  const float *b = g->b + (g->trans_b ? j * g->ldb : j);
  float *c = g->c + i * g->ldc + j;
  const dnnl_status_t status =
      dnnl_sgemm(g->trans_a ? 'T' : 'N', g->trans_b ? 'T' : 'N', m, n, g->k, 1,
                 a, g->lda, b, g->ldb, g->beta, c, g->ldc);
  if (status != dnnl_success) atomic_store(&g->failed, (int)status);
}

static void work(void *context, int worker, int n_workers) {
  enum { GRAIN = 16 }; /* a cache line of C */
  job *g = context;
  int64_t begin, end;
  const int was = sl_dnnl_enter();
  if (g->m >= g->n) {
    sl_share(g->m, GRAIN, worker, n_workers, &begin, &end);
    if (begin < end) part(g, begin, 0, end - begin, g->n);
  } else {
    sl_share(g->n, GRAIN, worker, n_workers, &begin, &end);
    if (begin < end) part(g, 0, begin, g->m, end - begin);
  }
  sl_dnnl_leave(was);
}

/* The sum of no products. */
static void empty_sums(const job *g) {
  if (g->beta != 0) return;
  for (int64_t i = 0; i < g->m; i++)
    memset(g->c + i * g->ldc, 0, (size_t)g->n * sizeof *g->c);
}

sl_status sl_cpu_gemm(int trans_a, int trans_b, int64_t m, int64_t n, int64_t k,
                      const float *a, int64_t lda, const float *b, int64_t ldb,
                      float beta, float *c, int64_t ldc) {
  enum { WORTH_WAKING = 1 << 18 }; /* multiplications: about 5 us of them */
  job g = {trans_a, trans_b, m, n, k, a, b, c, lda, ldb, ldc, beta, 0};
  if (m == 0 || n == 0) return SL_OK;
  if (k == 0)
    empty_sums(&g);
  else if (m * n * k < WORTH_WAKING)
    work(&g, 0, 1);
  else
    sl_parallel(work, &g);
  const int failed = atomic_load(&g.failed);
  SL_REQUIRE(failed == 0, SL_EINTERNAL,
             "oneDNN refuses a matrix product of (%" PRId64 ", %" PRId64
             ") and (%" PRId64 ", %" PRId64 "): status %d",
             m, k, k, n, failed);
  return SL_OK;
}
