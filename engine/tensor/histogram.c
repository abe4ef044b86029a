/* histogram.c -- see histogram.h. */
#include "tensor/histogram.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

static void count_all(const float *v, int64_t n_values, double low, double high,
                      int64_t n, int64_t *counts) {
  const double scale = (double)n / (high - low);
  for (int64_t i = 0; i < n_values; i++) {
    const double x = (double)v[i];
    if (!(x >= low && x <= high)) continue;
    const int64_t part = (int64_t)((x - low) * scale);
    counts[part < n ? part : n - 1]++;
  }
}

sl_status sl_tensor_histogram(sl_tensor *t, double low, double high, int64_t n,
                              int64_t *counts) {
  assert(n > 0 && low < high);
  const int64_t n_values = sl_tensor_count(t);
  memset(counts, 0, (size_t)n * sizeof *counts);
  if (n_values == 0) return SL_OK;
  float *v = sl_alloc_data((size_t)n_values * sizeof *v);
  SL_REQUIRE(v, SL_ENOMEM, "not enough memory to count %lld values",
             (long long)n_values);
  const sl_status status = sl_tensor_read(t, SL_F32, v, n_values);
  if (status == SL_OK) count_all(v, n_values, low, high, n, counts);
  sl_free_data(v);
  return status;
}
