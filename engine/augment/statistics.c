/* statistics.c -- mean and deviation for Normalize, and back again. */
#include <math.h>

#include "augment/augment.h"
#include "augment/augment_internal.h"
#include "base/alloc.h"

int sl_augment_needs_statistics(const sl_augment *a) {
  return a->normalize >= 0 && !a->has_stats;
}

int sl_augment_statistics(const sl_augment *a, double mean[3], double std[3]) {
  for (int c = 0; c < 3 && a->has_stats; c++) {
    mean[c] = (double)a->stats[0][c];
    std[c] = (double)a->stats[1][c];
  }
  return a->has_stats;
}

/* --- measuring ------------------------------------------------------------ */

/* Two passes over n pixels, in double. */
static void measure(const float *x, int64_t n, double mean[3], double std[3]) {
  for (int c = 0; c < 3; c++) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
      sum += (double)x[3 * i + c];
    mean[c] = sum / (double)n;
    for (int64_t i = 0; i < n; i++) {
      const double d = (double)x[3 * i + c] - mean[c];
      squares += d * d;
    }
    std[c] = sqrt(squares / (double)(n - 1)) + 1e-7;
  }
}

/* The images as floats in host memory, to be freed by sl_free_data. */
static sl_status read_images(sl_tensor *x, float **out) {
  const int64_t n = sl_tensor_count(x);
  SL_REQUIRE(
      sl_dtype_is_float(x->dtype) && x->rank == 4 && x->shape[3] == 3 && n > 0,
      SL_ESHAPE, "images must be float (N, H, W, 3), not %s", sl_shape_text(x));
  float *host = sl_alloc_data((size_t)n * sizeof *host);
  SL_REQUIRE(host, SL_ENOMEM, "no memory to read images of %s",
             sl_shape_text(x));
  const sl_status status = sl_tensor_read(x, SL_F32, host, n);
  if (status != SL_OK)
    sl_free_data(host);
  else
    *out = host;
  return status;
}

sl_status sl_image_statistics(sl_tensor *x, double mean[3], double std[3]) {
  float *host;
  SL_TRY(read_images(x, &host));
  const int64_t n = sl_tensor_count(x) / 3;
  if (n > 1) measure(host, n, mean, std);
  sl_free_data(host);
  SL_REQUIRE(n > 1, SL_EINVAL, "one pixel has no standard deviation");
  return SL_OK;
}

sl_status sl_augment_measure(sl_augment *a, sl_tensor *x,
                             const sl_augment_batch *batch) {
  SL_REQUIRE(a->normalize >= 0, SL_EINVAL,
             "there is no Normalize to measure for");
  sl_tensor *seen = NULL;
  double mean[3], std[3];
  SL_TRY(sl_augment_run(a, x, batch, SL_F32, 0, &seen));
  const sl_status status = sl_image_statistics(seen, mean, std);
  sl_tensor_release(seen);
  SL_TRY(status);
  for (int c = 0; c < 3; c++) {
    a->stats[0][c] = (float)mean[c];
    a->stats[1][c] = (float)std[c];
  }
  a->has_stats = 1;
  return SL_OK;
}

/* --- decoding ------------------------------------------------------------- */

static uint8_t to_byte(float x, float mean, float std) {
  const float v = x * std + mean;
  return (uint8_t)(fminf(fmaxf(v, 0), 1) * 255 + 0.5f);
}

sl_status sl_augment_decode(const sl_augment *a, sl_tensor *x,
                            sl_tensor **out) {
  float *host;
  SL_TRY(read_images(x, &host));
  sl_status status = sl_tensor_new(out, &sl_cpu, SL_U8, 4, x->shape);
  for (int64_t i = 0; status == SL_OK && i < sl_tensor_count(x); i++)
    sl_u8(*out)[i] =
        a->has_stats ? to_byte(host[i], a->stats[0][i % 3], a->stats[1][i % 3])
                     : to_byte(host[i], 0, 1);
  sl_free_data(host);
  return status;
}
