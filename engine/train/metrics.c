/* metrics.c -- see metrics.h. Predictions are few: they are read to the host
 * and counted there, on any backend. */
#include "train/metrics.h"

#include <math.h>

#include "base/alloc.h"

/* A host copy of t's elements; free with sl_free_data. */
static sl_status fetch(sl_tensor *t, sl_dtype as, void **out) {
  const int64_t n = sl_tensor_count(t);
  void *host = sl_alloc_data((size_t)n * sl_dtype_size(as) + 1);
  SL_REQUIRE(host, SL_ENOMEM, "out of memory for a metric of %lld numbers",
             (long long)n);
  const sl_status status = sl_tensor_read(t, as, host, n);
  if (status == SL_OK) {
    *out = host;
  } else {
    sl_free_data(host);
  }
  return status;
}

/* --- top k -----------------------------------------------------------------
 */

static int larger(float a, int64_t i, float b, int64_t j) {
  if (isnan(a) || isnan(b)) return isnan(a) && (!isnan(b) || i < j);
  return a > b || (a >= b && i < j);
}

/* How many of the row's K scores are larger than that of class t (from 0). */
static int64_t rank_of(const float *row, int64_t k, int64_t t) {
  int64_t rank = 0;
  for (int64_t j = 0; j < k; j++)
    rank += larger(row[j], j, row[t], t);
  return rank;
}

static int64_t largest(const float *row, int64_t k) {
  int64_t best = 0;
  for (int64_t j = 1; j < k; j++)
    if (larger(row[j], j, row[best], best)) best = j;
  return best;
}

static sl_status count_classes(const float *z, int64_t n, int64_t classes,
                               sl_tensor *targ, int64_t k, int64_t *hits) {
  void *host = NULL;
  SL_TRY(fetch(targ, SL_I32, &host));
  const int32_t *y = host;
  sl_status status = SL_OK;
  for (int64_t i = 0; i < n && status == SL_OK; i++, z += classes) {
    if (y[i] < 1 || y[i] > classes) {
      status = sl_fail(SL_EINVAL, "class %d of row %lld is not in 1..%lld",
                       (int)y[i], (long long)i + 1, (long long)classes);
    } else {
      *hits += rank_of(z, classes, y[i] - 1) < k;
    }
  }
  sl_free_data(host);
  return status;
}

static sl_status count_soft(const float *z, int64_t n, int64_t classes,
                            sl_tensor *targ, int64_t k, int64_t *hits) {
  void *host = NULL;
  SL_TRY(fetch(targ, SL_F32, &host));
  const float *y = host;
  for (int64_t i = 0; i < n; i++, z += classes, y += classes)
    *hits += rank_of(z, classes, largest(y, classes)) < k;
  sl_free_data(host);
  return SL_OK;
}

sl_status sl_count_top_k(sl_tensor *pred, sl_tensor *targ, int64_t k,
                         int64_t *hits, int64_t *n) {
  SL_REQUIRE(pred->rank == 2 && sl_dtype_is_float(pred->dtype), SL_ESHAPE,
             "predictions must be float (N, K), not %s", sl_shape_text(pred));
  const int soft =
      sl_tensor_same_shape(pred, targ) && sl_dtype_is_float(targ->dtype);
  const int classes = targ->rank == 1 && targ->dtype == SL_I32 &&
                      targ->shape[0] == pred->shape[0];
  SL_REQUIRE(soft || classes, SL_ESHAPE,
             "targets must be i32 (N) or float (N, K) for predictions %s, "
             "not %s",
             sl_shape_text(pred), sl_shape_text(targ));
  SL_REQUIRE(k >= 1, SL_EINVAL, "the k of a top-k accuracy is %lld",
             (long long)k);
  void *z = NULL;
  SL_TRY(fetch(pred, SL_F32, &z));
  *hits = 0;
  *n = pred->shape[0];
  const sl_status status = (classes ? count_classes : count_soft)(
      z, *n, pred->shape[1], targ, k, hits);
  sl_free_data(z);
  return status;
}

/* --- many labels per item ---------------------------------------------------
 */

sl_status sl_count_multi(sl_tensor *pred, sl_tensor *targ, double thresh,
                         int sigmoid, int64_t *hits, int64_t *n) {
  SL_REQUIRE(sl_tensor_same_shape(pred, targ), SL_ESHAPE,
             "predictions %s and targets %s differ in shape",
             sl_shape_text(pred), sl_shape_text(targ));
  void *z = NULL, *y = NULL;
  SL_TRY(fetch(pred, SL_F32, &z));
  const sl_status status = fetch(targ, SL_F32, &y);
  *hits = 0;
  *n = sl_tensor_count(pred);
  for (int64_t i = 0; status == SL_OK && i < *n; i++) {
    const float x = ((const float *)z)[i];
    const float p = sigmoid ? 1 / (1 + expf(-x)) : x;
    *hits += ((double)p > thresh) == (((const float *)y)[i] > 0.5f);
  }
  sl_free_data(y);
  sl_free_data(z);
  return status;
}
