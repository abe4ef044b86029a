/* index.cu -- picking elements by number. Numbers count from 1 and are checked
 * by a kernel of their own; what is out of range is read as the nearest that is
 * not, and reported. Gradients look for who picked them: no two threads write
 * one element, and sums have one order. */
#include "cuda/device.h"

CU_KERNEL(CU_THREADS)
check_index(const int32_t *index, int64_t count, int64_t limit,
            cu_fault *fault) {
  CU_EACH(i, count)
  if (index[i] < 1 || index[i] > limit) cu_report(fault, i, index[i], limit);
}

extern "C" int cu_check_index(const int32_t *index, int64_t count,
                              int64_t limit, cu_fault *fault, cudaStream_t s) {
  if (count == 0) return cudaSuccess;
  return CU_LAUNCH(check_index, cu_blocks(count), CU_THREADS, 0, s, index,
                   count, limit, fault);
}

/* 0-based, inside of n. */
CU_DEVICE int64_t inside(int32_t v, int64_t n) {
  const int64_t i = (int64_t)v - 1;
  return i < 0 ? 0 : i < n ? i : n - 1;
}

/* --- index_select --------------------------------------------------------- */

CU_KERNEL(CU_THREADS)
index_select(cu_lines x, int size, const void *from, const int32_t *index,
             int64_t picked, void *to) {
  CU_EACH(t, x.outer * picked * x.step) {
    const int64_t in = t % x.step, i = t / x.step % picked;
    const int64_t outer = t / x.step / picked;
    const int64_t row = outer * x.n + inside(index[i], x.n);
    cu_move(to, t, from, row * x.step + in, size);
  }
}

extern "C" int cu_index_select(cu_lines x, int size, const void *from,
                               const int32_t *index, int64_t picked, void *to,
                               cudaStream_t s) {
  const int64_t n = x.outer * picked * x.step;
  if (n == 0 || x.n == 0) return cudaSuccess;
  return CU_LAUNCH(index_select, cu_blocks(n), CU_THREADS, 0, s, x, size, from,
                   index, picked, to);
}

CU_KERNEL(CU_THREADS)
index_select_grad(cu_lines x, int dtype, void *dx, const int32_t *index,
                  int64_t picked, const void *dy, int add) {
  CU_EACH(t, x.outer * x.n * x.step) {
    const int64_t in = t % x.step, row = t / x.step % x.n;
    const int64_t outer = t / x.step / x.n;
    float sum = add ? cu_load(dx, dtype, t) : 0;
    for (int64_t i = 0; i < picked; i++)
      if (index[i] == row + 1)
        sum += cu_load(dy, dtype, (outer * picked + i) * x.step + in);
    cu_store(dx, dtype, t, sum);
  }
}

extern "C" int cu_index_select_grad(cu_lines x, int dtype, void *dx,
                                    const int32_t *index, int64_t picked,
                                    const void *dy, int add, cudaStream_t s) {
  const int64_t n = x.outer * x.n * x.step;
  if (n == 0) return cudaSuccess;
  return CU_LAUNCH(index_select_grad, cu_blocks(n), CU_THREADS, 0, s, x, dtype,
                   dx, index, picked, dy, add);
}

/* --- gather --------------------------------------------------------------- */

CU_KERNEL(CU_THREADS)
gather(cu_lines x, int size, const void *from, const int32_t *index, int64_t n,
       void *to) {
  CU_EACH(t, x.outer * n * x.step) {
    const int64_t in = t % x.step, outer = t / x.step / n;
    const int64_t row = outer * x.n + inside(index[t], x.n);
    cu_move(to, t, from, row * x.step + in, size);
  }
}

extern "C" int cu_gather(cu_lines x, int size, const void *from,
                         const int32_t *index, int64_t n, void *to,
                         cudaStream_t s) {
  const int64_t all = x.outer * n * x.step;
  if (all == 0 || x.n == 0) return cudaSuccess;
  return CU_LAUNCH(gather, cu_blocks(all), CU_THREADS, 0, s, x, size, from,
                   index, n, to);
}

CU_KERNEL(CU_THREADS)
gather_grad(cu_lines x, int dtype, void *dx, const int32_t *index, int64_t n,
            const void *dy, int add) {
  CU_EACH(t, x.outer * x.n * x.step) {
    const int64_t in = t % x.step, row = t / x.step % x.n;
    const int64_t first = t / x.step / x.n * n * x.step + in;
    float sum = add ? cu_load(dx, dtype, t) : 0;
    for (int64_t i = 0; i < n; i++)
      if (index[first + i * x.step] == row + 1)
        sum += cu_load(dy, dtype, first + i * x.step);
    cu_store(dx, dtype, t, sum);
  }
}

extern "C" int cu_gather_grad(cu_lines x, int dtype, void *dx,
                              const int32_t *index, int64_t n, const void *dy,
                              int add, cudaStream_t s) {
  const int64_t all = x.outer * x.n * x.step;
  if (all == 0) return cudaSuccess;
  return CU_LAUNCH(gather_grad, cu_blocks(all), CU_THREADS, 0, s, x, dtype, dx,
                   index, n, dy, add);
}

/* --- one_hot -------------------------------------------------------------- */

CU_KERNEL(CU_THREADS)
one_hot(const int32_t *index, int64_t count, int64_t classes, float *y) {
  CU_EACH(t, count * classes) {
    y[t] = index[t / classes] == t % classes + 1 ? 1.0f : 0.0f;
  }
}

extern "C" int cu_one_hot(const int32_t *index, int64_t count, int64_t classes,
                          float *y, cudaStream_t s) {
  if (count * classes == 0) return cudaSuccess;
  return CU_LAUNCH(one_hot, cu_blocks(count * classes), CU_THREADS, 0, s, index,
                   count, classes, y);
}
