/* blas.c -- see blas.h.
 *
 * cuBLASLt thinks in columns: what is row-major c = a b for us is column-major
 * c^T = b^T a^T for it, so the factors change places and nothing is moved. The
 * way to compute each kind of product is asked for once and kept. */
#include "cuda/blas.h"

#include <cublasLt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cuda/cuda.h"

enum { MAX_WORKSPACE = 32 << 20 };

typedef struct way {
  struct way *next;
  sl_blas_product key;
  cublasLtMatmulAlgo_t algo;
  size_t workspace;
} way;

static struct {
  cublasLtHandle_t handle;
  way *ways;
  char version[32];
} blas;

static sl_status fail(cublasStatus_t s, const char *what) {
  return sl_fail(s == CUBLAS_STATUS_ALLOC_FAILED ? SL_ENOMEM : SL_EINTERNAL,
                 "cuBLASLt failed in %s: error %d", what, (int)s);
}

#define LT_TRY(expr, what)                                                     \
  do {                                                                         \
    const cublasStatus_t s_ = (expr);                                          \
    if (s_ != CUBLAS_STATUS_SUCCESS) return fail(s_, what);                    \
  } while (0)

sl_status sl_blas_open(void) {
  const size_t v = cublasLtGetVersion();
  snprintf(blas.version, sizeof blas.version, "%zu.%zu.%zu", v / 10000,
           v / 100 % 100, v % 100);
  LT_TRY(cublasLtCreate(&blas.handle), "opening");
  return SL_OK;
}

const char *sl_blas_version(void) {
  return blas.version;
}

/* --- descriptors ---------------------------------------------------------- */

typedef struct product {
  cublasLtMatmulDesc_t what;
  cublasLtMatrixLayout_t first, second, result; /* b, a, c */
} product;

static cudaDataType_t type_of(int type) {
  return type == SL_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/* A row-major matrix (rows, cols) as columns of `cols`. */
static sl_status layout(cublasLtMatrixLayout_t *l, int type, int64_t rows,
                        int64_t cols, int64_t batches, int64_t step) {
  const int32_t count = (int32_t)batches;
  LT_TRY(cublasLtMatrixLayoutCreate(l, type_of(type), (uint64_t)cols,
                                    (uint64_t)rows, cols > 0 ? cols : 1),
         "a layout");
  if (batches == 1) return SL_OK;
  LT_TRY(cublasLtMatrixLayoutSetAttribute(
             *l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count),
         "a layout");
  LT_TRY(
      cublasLtMatrixLayoutSetAttribute(
          *l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof step),
      "a layout");
  return SL_OK;
}

static sl_status describe(product *d, const sl_blas_product *p) {
  const cublasOperation_t a = p->a_t ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t b = p->b_t ? CUBLAS_OP_T : CUBLAS_OP_N;
  const int tf32 = sl_cuda.tf32 && p->type == SL_F32;
  LT_TRY(cublasLtMatmulDescCreate(
             &d->what, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
             CUDA_R_32F),
         "a product");
  LT_TRY(cublasLtMatmulDescSetAttribute(d->what, CUBLASLT_MATMUL_DESC_TRANSA,
                                        &b, sizeof b),
         "a product");
  LT_TRY(cublasLtMatmulDescSetAttribute(d->what, CUBLASLT_MATMUL_DESC_TRANSB,
                                        &a, sizeof a),
         "a product");
  SL_TRY(layout(&d->first, p->type, p->b_t ? p->n : p->k, p->b_t ? p->k : p->n,
                p->batches, p->b_step));
  SL_TRY(layout(&d->second, p->type, p->a_t ? p->k : p->m, p->a_t ? p->m : p->k,
                p->batches, p->a_step));
  return layout(&d->result, p->c_type, p->m, p->n, p->batches, p->c_step);
}

static void drop(product *d) {
  if (d->what) cublasLtMatmulDescDestroy(d->what);
  if (d->first) cublasLtMatrixLayoutDestroy(d->first);
  if (d->second) cublasLtMatrixLayoutDestroy(d->second);
  if (d->result) cublasLtMatrixLayoutDestroy(d->result);
}

/* --- the way to compute it -------------------------------------------------
 */

static sl_status prefer(cublasLtMatmulPreference_t want,
                        cublasLtMatmulPreferenceAttributes_t name,
                        uint32_t value) {
  LT_TRY(cublasLtMatmulPreferenceSetAttribute(want, name, &value, sizeof value),
         "a preference");
  return SL_OK;
}

static sl_status ask(way *w, const product *d,
                     cublasLtMatmulPreference_t want) {
  const uint64_t most = MAX_WORKSPACE;
  cublasLtMatmulHeuristicResult_t result;
  int found = 0;
  LT_TRY(
      cublasLtMatmulPreferenceSetAttribute(
          want, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most),
      "a preference");
  SL_TRY(prefer(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                (uint32_t)w->key.b_align));
  SL_TRY(prefer(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                (uint32_t)w->key.a_align));
  SL_TRY(prefer(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                (uint32_t)w->key.c_align));
  SL_TRY(prefer(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
                (uint32_t)w->key.c_align));
  LT_TRY(cublasLtMatmulAlgoGetHeuristic(blas.handle, d->what, d->first,
                                        d->second, d->result, d->result, want,
                                        1, &result, &found),
         "looking for a way");
  SL_REQUIRE(found > 0, SL_EINTERNAL, "cuBLASLt has no way for this product");
  w->algo = result.algo;
  w->workspace = result.workspaceSize;
  return SL_OK;
}

static sl_status find_way(way *w, const product *d) {
  cublasLtMatmulPreference_t want = NULL;
  LT_TRY(cublasLtMatmulPreferenceCreate(&want), "a preference");
  const sl_status status = ask(w, d, want);
  cublasLtMatmulPreferenceDestroy(want);
  return status;
}

static sl_status way_for(const sl_blas_product *key, const product *d,
                         way **out) {
  for (way *w = blas.ways; w; w = w->next)
    if (memcmp(&w->key, key, sizeof *key) == 0) {
      *out = w;
      return SL_OK;
    }
  way *w = sl_alloc(1, sizeof *w);
  SL_REQUIRE(w, SL_ENOMEM, "no memory for a product's plan");
  w->key = *key;
  const sl_status status = find_way(w, d);
  if (status != SL_OK) {
    sl_free(w);
    return status;
  }
  w->next = blas.ways;
  blas.ways = *out = w;
  return SL_OK;
}

/* --- running ---------------------------------------------------------------
 */

static int32_t alignment(const void *p) {
  const uintptr_t at = (uintptr_t)p;
  int32_t bytes = 256;
  while (at % (uintptr_t)bytes)
    bytes /= 2;
  return bytes;
}

static sl_status run(const sl_blas_product *p, const product *d, const void *a,
                     const void *b, void *c) {
  const float one = 1, beta = p->add ? 1 : 0;
  way *w = NULL;
  sl_cuda_scratch workspace = {0};
  SL_TRY(way_for(p, d, &w));
  if (w->workspace > 0) SL_TRY(sl_cuda_scratch_get(&workspace, w->workspace));
  const cublasStatus_t s =
      cublasLtMatmul(blas.handle, d->what, &one, b, d->first, a, d->second,
                     &beta, c, d->result, c, d->result, &w->algo, workspace.p,
                     w->workspace, sl_cuda.stream);
  sl_cuda_scratch_drop(&workspace);
  if (s != CUBLAS_STATUS_SUCCESS) return fail(s, "a product");
  return sl_cuda_launched(cudaSuccess, "a product");
}

sl_status sl_blas_run(const sl_blas_product *given, const void *a,
                      const void *b, void *c) {
  sl_blas_product p = *given;
  product d = {0};
  p.a_align = alignment(a);
  p.b_align = alignment(b);
  p.c_align = alignment(c);
  sl_status status = describe(&d, &p);
  if (status == SL_OK) status = run(&p, &d, a, b, c);
  drop(&d);
  return status;
}
