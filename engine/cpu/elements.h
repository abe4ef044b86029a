/* elements.h -- runs of elements of any dtype and step, a block at a time.
 *
 * Kernels compute on dense blocks of float, double or int32_t that stay in the
 * first-level cache; these functions bring the elements there and back.
 * Positions count from the tensor's first element, in elements. */
#ifndef SL_CPU_ELEMENTS_H
#define SL_CPU_ELEMENTS_H

#include "tensor/tensor.h"

enum { SL_BLOCK = 256 };

/* n <= SL_BLOCK elements from `at` on, `step` apart. The result is buf, or the
 * tensor's own memory when that is already what was asked for. */
const float *sl_load_f32(const sl_tensor *t, int64_t at, int64_t step, int n,
                         float *buf);
const int32_t *sl_load_i32(const sl_tensor *t, int64_t at, int64_t step, int n,
                           int32_t *buf);
const double *sl_load_f64(const sl_tensor *t, int64_t at, int64_t step, int n,
                          double *buf);

/* The way back: t's elements = v, or += v with `add`. To whole-number dtypes
 * fractions are cut off. */
void sl_store_f32(sl_tensor *t, int64_t at, int64_t step, int n, const float *v,
                  int add);
void sl_store_i32(sl_tensor *t, int64_t at, int64_t step, int n,
                  const int32_t *v);

/* One element. */
double sl_element(const sl_tensor *t, int64_t at);
void sl_set_element(sl_tensor *t, int64_t at, double v);
void sl_add_element(sl_tensor *t, int64_t at, double v);

/* True where v can be used as the destination of a dense f32 result. */
static inline int sl_is_dense_f32(const sl_tensor *t, int64_t step) {
  return t->dtype == SL_F32 && step == 1;
}

#endif
