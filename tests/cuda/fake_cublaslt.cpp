/* fake_cublaslt.cpp -- matrix products of cuBLASLt: D = alpha op(A) op(B) +
 * beta C, batched, with transposes, either order, and a bias. */
#include <cublasLt.h>
#include <cuda_bf16.h>
#include <string.h>

#include <vector>

#include "emu_internal.h"

struct cublasLtContext {
  int device;
};

namespace {

struct layout {
  cudaDataType_t type;
  uint64_t rows, cols;
  int64_t ld, batch_stride;
  int32_t order, batches;
};

struct description {
  cublasComputeType_t compute;
  int32_t transposed[2]; /* A, B: cublasOperation_t */
  uint32_t epilogue;
  const void *bias;
  int32_t bias_type; /* -1: as D */
};

struct preference {
  uint64_t workspace;
};

/* The library's opaque structs are larger than ours. */
static_assert(sizeof(layout) <= sizeof(cublasLtMatrixLayoutOpaque_t), "");
static_assert(sizeof(description) <= sizeof(cublasLtMatmulDescOpaque_t), "");

const size_t WORKSPACE = 1024;

size_t size_of(cudaDataType_t t) {
  return t == CUDA_R_32F ? 4 : t == CUDA_R_16BF ? 2 : 0;
}

float load(cudaDataType_t t, const void *p, int64_t i) {
  return t == CUDA_R_32F ? ((const float *)p)[i]
                         : __bfloat162float(((const __nv_bfloat16 *)p)[i]);
}

void store(cudaDataType_t t, void *p, int64_t i, float v) {
  if (t == CUDA_R_32F)
    ((float *)p)[i] = v;
  else
    ((__nv_bfloat16 *)p)[i] = __float2bfloat16_rn(v);
}

int64_t place(const layout &l, int64_t batch, int64_t row, int64_t col) {
  const int64_t at =
      l.order == CUBLASLT_ORDER_ROW ? row * l.ld + col : col * l.ld + row;
  return batch * l.batch_stride + at;
}

/* Bytes from the first element to past the last. */
size_t extent(const layout &l) {
  if (l.rows == 0 || l.cols == 0 || l.batches == 0) return 0;
  return (size_t)(place(l, l.batches - 1, (int64_t)l.rows - 1,
                        (int64_t)l.cols - 1) +
                  1) *
         size_of(l.type);
}

struct product {
  description d;
  layout a, b, c, out;
  float alpha, beta;
  const void *pa, *pb, *pc;
  void *pd;
};

float element(const layout &l, const void *p, int32_t transposed, int64_t n,
              int64_t i, int64_t k) {
  const bool t = transposed != CUBLAS_OP_N;
  return load(l.type, p, t ? place(l, n, k, i) : place(l, n, i, k));
}

double epilogue(const product &p, double v, int64_t row) {
  const bool bias = p.d.epilogue & CUBLASLT_EPILOGUE_BIAS;
  const cudaDataType_t type =
      p.d.bias_type < 0 ? p.out.type : (cudaDataType_t)p.d.bias_type;
  if (bias) v += (double)load(type, p.d.bias, row);
  if ((p.d.epilogue & CUBLASLT_EPILOGUE_RELU) && !(v > 0)) v = 0;
  return v;
}

void run(const product &p) {
  const int64_t K =
      (int64_t)(p.d.transposed[0] == CUBLAS_OP_N ? p.a.cols : p.a.rows);
  for (int64_t n = 0; n < p.out.batches; n++)
    for (int64_t i = 0; i < (int64_t)p.out.rows; i++)
      for (int64_t j = 0; j < (int64_t)p.out.cols; j++) {
        double sum = 0;
        for (int64_t k = 0; k < K; k++)
          sum += (double)element(p.a, p.pa, p.d.transposed[0], n, i, k) *
                 (double)element(p.b, p.pb, p.d.transposed[1], n, k, j);
        sum *= (double)p.alpha;
        if (p.beta != 0)
          sum += (double)p.beta *
                 (double)load(p.c.type, p.pc, place(p.c, n, i, j));
        store(p.out.type, p.pd, place(p.out, n, i, j),
              (float)epilogue(p, sum, i));
      }
}

bool shapes_fit(const product &p) {
  const bool ta = p.d.transposed[0] != CUBLAS_OP_N,
             tb = p.d.transposed[1] != CUBLAS_OP_N;
  const uint64_t m = ta ? p.a.cols : p.a.rows, k = ta ? p.a.rows : p.a.cols;
  const uint64_t kb = tb ? p.b.cols : p.b.rows, n = tb ? p.b.rows : p.b.cols;
  return k == kb && m == p.out.rows && n == p.out.cols &&
         p.a.batches == p.out.batches && p.b.batches == p.out.batches &&
         p.c.rows == p.out.rows && p.c.cols == p.out.cols;
}

bool types_fit(const product &p) {
  const uint32_t known = CUBLASLT_EPILOGUE_RELU | CUBLASLT_EPILOGUE_BIAS |
                         CUBLASLT_EPILOGUE_DEFAULT;
  const bool f32 = p.d.compute == CUBLAS_COMPUTE_32F ||
                   p.d.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  return f32 && size_of(p.a.type) && p.a.type == p.b.type &&
         p.c.type == p.out.type && size_of(p.out.type) &&
         !(p.a.type == CUDA_R_32F && p.out.type == CUDA_R_16BF) &&
         !(p.d.epilogue & ~known);
}

bool ld_fits(const layout &l) {
  return l.ld >= (int64_t)(l.order == CUBLASLT_ORDER_ROW ? l.cols : l.rows);
}

cublasStatus_t check(const product &p) {
  if (!shapes_fit(p) || !ld_fits(p.a) || !ld_fits(p.b) || !ld_fits(p.c) ||
      !ld_fits(p.out))
    return CUBLAS_STATUS_INVALID_VALUE;
  return types_fit(p) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

template <class T> cublasStatus_t set(T *field, const void *v, size_t n) {
  if (n != sizeof *field) return CUBLAS_STATUS_INVALID_VALUE;
  memcpy(field, v, n);
  return CUBLAS_STATUS_SUCCESS;
}

#define LT_ENTER                                                               \
  emu_call call(__func__);                                                     \
  do {                                                                         \
    if (call.failed()) return CUBLAS_STATUS_INTERNAL_ERROR;                    \
  } while (0)

template <class T> T *as(const void *p) {
  return (T *)const_cast<void *>(p);
}

} // namespace

extern "C" {

size_t cublasLtGetVersion(void) {
  return CUBLAS_VERSION;
}

const char *cublasLtGetStatusString(cublasStatus_t s) {
  return s == CUBLAS_STATUS_SUCCESS           ? "CUBLAS_STATUS_SUCCESS"
         : s == CUBLAS_STATUS_NOT_INITIALIZED ? "CUBLAS_STATUS_NOT_INITIALIZED"
         : s == CUBLAS_STATUS_INVALID_VALUE   ? "CUBLAS_STATUS_INVALID_VALUE"
         : s == CUBLAS_STATUS_NOT_SUPPORTED   ? "CUBLAS_STATUS_NOT_SUPPORTED"
         : s == CUBLAS_STATUS_EXECUTION_FAILED
             ? "CUBLAS_STATUS_EXECUTION_FAILED"
             : "CUBLAS_STATUS_INTERNAL_ERROR";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *h) {
  LT_ENTER;
  if (!emu_get_settings()->cublaslt) return CUBLAS_STATUS_NOT_INITIALIZED;
  *h = new cublasLtContext{emu_device()};
  emu_count_live(1);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t h) {
  emu_call call(__func__);
  if (!h) return CUBLAS_STATUS_INVALID_VALUE;
  delete h;
  emu_count_live(-1);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t d, size_t,
                                               cublasComputeType_t compute,
                                               cudaDataType_t scale) {
  LT_ENTER;
  if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  *as<description>(d) = {compute,
                         {CUBLAS_OP_N, CUBLAS_OP_N},
                         CUBLASLT_EPILOGUE_DEFAULT,
                         nullptr,
                         -1};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *d,
                                        cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  LT_ENTER;
  if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  *d = new cublasLtMatmulDescOpaque_t;
  *as<description>(*d) = {compute,
                          {CUBLAS_OP_N, CUBLAS_OP_N},
                          CUBLASLT_EPILOGUE_DEFAULT,
                          nullptr,
                          -1};
  emu_count_live(1);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d) {
  emu_call call(__func__);
  delete d;
  emu_count_live(-1);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t a,
                                              const void *v, size_t n) {
  LT_ENTER;
  description *d = as<description>(desc);
  switch ((int)a) {
  case CUBLASLT_MATMUL_DESC_TRANSA:
    return set(&d->transposed[0], v, n);
  case CUBLASLT_MATMUL_DESC_TRANSB:
    return set(&d->transposed[1], v, n);
  case CUBLASLT_MATMUL_DESC_EPILOGUE:
    return set(&d->epilogue, v, n);
  case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
    return set(&d->bias, v, n);
  case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
    return set(&d->bias_type, v, n);
  default:
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *l,
                                          cudaDataType type, uint64_t rows,
                                          uint64_t cols, int64_t ld) {
  LT_ENTER;
  *l = new cublasLtMatrixLayoutOpaque_t;
  *as<layout>(*l) = {type, rows, cols, ld, 0, CUBLASLT_ORDER_COL, 1};
  emu_count_live(1);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l) {
  emu_call call(__func__);
  delete l;
  emu_count_live(-1);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout_,
                                 cublasLtMatrixLayoutAttribute_t a,
                                 const void *v, size_t n) {
  LT_ENTER;
  layout *l = as<layout>(layout_);
  switch ((int)a) {
  case CUBLASLT_MATRIX_LAYOUT_ORDER:
    return set(&l->order, v, n);
  case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
    return set(&l->batches, v, n);
  case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
    return set(&l->batch_stride, v, n);
  default:
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *p) {
  LT_ENTER;
  *p = new cublasLtMatmulPreferenceOpaque_t;
  as<preference>(*p)->workspace = 0;
  emu_count_live(1);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p) {
  emu_call call(__func__);
  delete p;
  emu_count_live(-1);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                     cublasLtMatmulPreferenceAttributes_t a,
                                     const void *v, size_t n) {
  LT_ENTER;
  if (a != CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
    return CUBLAS_STATUS_SUCCESS; /* alignments and such: only advice */
  return set(&as<preference>(p)->workspace, v, n);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t h, cublasLtMatmulDesc_t d, cublasLtMatrixLayout_t a,
    cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
    cublasLtMatrixLayout_t out, cublasLtMatmulPreference_t p, int wanted,
    cublasLtMatmulHeuristicResult_t *results, int *got) {
  LT_ENTER;
  *got = 0;
  if (!h || wanted < 1) return CUBLAS_STATUS_INVALID_VALUE;
  const product trial = {*as<description>(d),
                         *as<layout>(a),
                         *as<layout>(b),
                         *as<layout>(c),
                         *as<layout>(out),
                         1,
                         0,
                         nullptr,
                         nullptr,
                         nullptr,
                         nullptr};
  const cublasStatus_t status = check(trial);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  memset(&results[0], 0, sizeof results[0]);
  results[0].workspaceSize =
      p && as<preference>(p)->workspace >= WORKSPACE ? WORKSPACE : 0;
  results[0].state = CUBLAS_STATUS_SUCCESS;
  results[0].algo.data[0] = results[0].workspaceSize;
  *got = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t h, cublasLtMatmulDesc_t d,
                              const void *alpha, const void *a,
                              cublasLtMatrixLayout_t la, const void *b,
                              cublasLtMatrixLayout_t lb, const void *beta,
                              const void *c, cublasLtMatrixLayout_t lc,
                              void *out, cublasLtMatrixLayout_t ld,
                              const cublasLtMatmulAlgo_t *algo, void *workspace,
                              size_t workspace_size, cudaStream_t stream) {
  LT_ENTER;
  if (!h) return CUBLAS_STATUS_NOT_INITIALIZED;
  const product p = {*as<description>(d),
                     *as<layout>(la),
                     *as<layout>(lb),
                     *as<layout>(lc),
                     *as<layout>(ld),
                     *(const float *)alpha,
                     *(const float *)beta,
                     a,
                     b,
                     c,
                     out};
  const cublasStatus_t status = check(p);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  const size_t needed = algo ? (size_t)algo->data[0] : 0;
  if (!emu_is_device(a, extent(p.a)) || !emu_is_device(b, extent(p.b)) ||
      !emu_is_device(out, extent(p.out)) ||
      (p.beta != 0 && !emu_is_device(c, extent(p.c))) ||
      workspace_size < needed ||
      (needed && !emu_is_device(workspace, workspace_size)))
    return CUBLAS_STATUS_INVALID_VALUE;
  const cudaError_t e = emu_enqueue(stream, "cublaslt", [=] {
    if (workspace_size) memset(workspace, 0xff, workspace_size);
    run(p);
    emu_count_work();
  });
  return e ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS;
}

} // extern "C"
