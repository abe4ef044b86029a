/* rows.cu -- kernels that work along one dimension: softmax, running sums,
 * sorting. A line is n elements, `step` apart; a warp takes a line. */
#include "cuda/device.h"

CU_DEVICE int64_t line_at(const cu_lines &l, int64_t line, int64_t n) {
  return line / l.step * n * l.step + line % l.step;
}

/* For each line of this warp; lane: of the warp. */
#define EACH_LINE(line, l)                                                     \
  const int lane = (int)(threadIdx.x % CU_WARP);                               \
  for (int64_t line =                                                          \
           (blockIdx.x * (int64_t)CU_THREADS + threadIdx.x) / CU_WARP;         \
       line < (l).outer * (l).step;                                            \
       line += (int64_t)gridDim.x * (CU_THREADS / CU_WARP))

static unsigned line_blocks(const cu_lines &l) {
  return cu_blocks(l.outer * l.step, CU_THREADS / CU_WARP);
}

static int is_empty(const cu_lines &l) {
  return l.outer * l.n * l.step == 0;
}

/* --- softmax -------------------------------------------------------------- */

CU_KERNEL(CU_THREADS)
softmax(cu_row_kind kind, cu_lines l, int dtype, const void *x, void *y) {
  EACH_LINE(line, l) {
    const int64_t first = line_at(l, line, l.n);
    float top = cu_load(x, dtype, first);
    for (int64_t i = lane; i < l.n; i += CU_WARP) {
      const float v = cu_load(x, dtype, first + i * l.step);
      top = v > top ? v : top;
    }
    top = cu_warp_max(top);
    double sum = 0;
    for (int64_t i = lane; i < l.n; i += CU_WARP)
      sum += (double)expf(cu_load(x, dtype, first + i * l.step) - top);
    sum = cu_warp_sum(sum);
    const float scale = (float)(1 / sum), shift = (float)log(sum);
    for (int64_t i = lane; i < l.n; i += CU_WARP) {
      const int64_t at = first + i * l.step;
      const float v = cu_load(x, dtype, at) - top;
      cu_store(y, dtype, at, kind == CU_SOFTMAX ? expf(v) * scale : v - shift);
    }
  }
}

extern "C" int cu_softmax(cu_row_kind k, cu_lines l, int dtype, const void *x,
                          void *y, cudaStream_t s) {
  if (is_empty(l)) return cudaSuccess;
  return CU_LAUNCH(softmax, line_blocks(l), CU_THREADS, 0, s, k, l, dtype, x,
                   y);
}

CU_KERNEL(CU_THREADS)
softmax_grad(cu_row_kind kind, cu_lines l, int dtype, const void *y,
             const void *dy, void *dx, int add) {
  EACH_LINE(line, l) {
    const int64_t first = line_at(l, line, l.n);
    double sum = 0;
    for (int64_t i = lane; i < l.n; i += CU_WARP) {
      const int64_t at = first + i * l.step;
      const double d = (double)cu_load(dy, dtype, at);
      sum += kind == CU_SOFTMAX ? d * (double)cu_load(y, dtype, at) : d;
    }
    const float total = (float)cu_warp_sum(sum);
    for (int64_t i = lane; i < l.n; i += CU_WARP) {
      const int64_t at = first + i * l.step;
      const float d = cu_load(dy, dtype, at), v = cu_load(y, dtype, at);
      cu_store(dx, dtype, at,
               kind == CU_SOFTMAX ? v * (d - total) : d - expf(v) * total, add);
    }
  }
}

extern "C" int cu_softmax_grad(cu_row_kind k, cu_lines l, int dtype,
                               const void *y, const void *dy, void *dx, int add,
                               cudaStream_t s) {
  if (is_empty(l)) return cudaSuccess;
  return CU_LAUNCH(softmax_grad, line_blocks(l), CU_THREADS, 0, s, k, l, dtype,
                   y, dy, dx, add);
}

/* --- running sums --------------------------------------------------------- */

/* 32 elements at a time: sums inside the warp, then what came before. */
CU_KERNEL(CU_THREADS)
cumsum(cu_lines l, int from_dtype, const void *from, int to_dtype, void *to,
       int backwards, int add) {
  EACH_LINE(line, l) {
    const int64_t first = line_at(l, line, l.n);
    double before = 0;
    for (int64_t i = 0; i < l.n; i += CU_WARP) {
      const int64_t k = i + lane, place = backwards ? l.n - 1 - k : k;
      const int64_t at = first + place * l.step;
      double v = k < l.n ? cu_load_f64(from, from_dtype, at) : 0;
      for (int o = 1; o < CU_WARP; o *= 2) {
        const double left = __shfl_up_sync(CU_ALL, v, o);
        if (lane >= o) v += left;
      }
      v += before;
      before = __shfl_sync(CU_ALL, v, CU_WARP - 1);
      if (k < l.n)
        cu_store_f64(to, to_dtype, at,
                     add ? cu_load_f64(to, to_dtype, at) + v : v);
    }
  }
}

extern "C" int cu_cumsum(cu_lines l, int from_dtype, const void *from,
                         int to_dtype, void *to, int backwards, int add,
                         cudaStream_t s) {
  if (is_empty(l)) return cudaSuccess;
  return CU_LAUNCH(cumsum, line_blocks(l), CU_THREADS, 0, s, l, from_dtype,
                   from, to_dtype, to, backwards, add);
}

/* --- sorting --------------------------------------------------------------
 * A bitonic network over keys that are never equal (cpu/sort.c): an element's
 * order above, its position below. Lines are padded with the largest key. */

CU_DEVICE uint32_t float_key(float v) {
  uint32_t bits = __float_as_uint(v);
  if (v != v) return UINT32_MAX;
  if (v == 0) bits = 0; /* -0 too */
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

CU_KERNEL(CU_THREADS)
sort_keys(cu_lines l, int dtype, const void *x, int descending, uint64_t *keys,
          int64_t padded) {
  CU_EACH(t, l.outer * l.step * padded) {
    const int64_t line = t / padded, i = t % padded;
    const int64_t at = line_at(l, line, l.n) + i * l.step;
    uint64_t key = UINT64_MAX;
    if (i < l.n) {
      const uint32_t order =
          dtype == SL_I32 ? (uint32_t)((const int32_t *)x)[at] ^ 0x80000000u
                          : float_key(cu_load(x, dtype, at));
      key = (uint64_t)(descending ? ~order : order) << 32 | (uint32_t)i;
    }
    keys[t] = key;
  }
}

/* One step: pairs `gap` apart, in runs of `run` that go up and down. */
CU_KERNEL(CU_THREADS)
sort_step(int64_t pairs, int64_t padded, int64_t run, int64_t gap,
          uint64_t *keys) {
  CU_EACH(t, pairs) {
    const int64_t line = t / (padded / 2), k = t % (padded / 2);
    const int64_t i = k / gap * 2 * gap + k % gap;
    uint64_t *a = keys + line * padded + i, *b = a + gap;
    const int up = (i & run) == 0;
    if ((*a > *b) == up) {
      const uint64_t keep = *a;
      *a = *b;
      *b = keep;
    }
  }
}

CU_KERNEL(CU_THREADS)
sort_take(cu_lines l, int dtype, const void *x, int64_t k, const uint64_t *keys,
          int64_t padded, void *values, int32_t *places, int32_t *also) {
  CU_EACH(t, l.outer * l.step * k) {
    const int64_t line = t / k, i = t % k;
    const int64_t place = (uint32_t)keys[line * padded + i];
    const int64_t to = line_at(l, line, k) + i * l.step;
    if (values)
      cu_store_f64(
          values, dtype, to,
          cu_load_f64(x, dtype, line_at(l, line, l.n) + place * l.step));
    if (places) places[to] = (int32_t)place + 1;
    if (also) also[to] = (int32_t)place + 1;
  }
}

extern "C" int cu_sort(cu_lines l, int dtype, const void *x, int descending,
                       int64_t k, uint64_t *keys, int64_t padded, void *values,
                       int32_t *places, int32_t *also, cudaStream_t s) {
  const int64_t lines = l.outer * l.step, pairs = lines * padded / 2;
  if (is_empty(l) || k == 0) return cudaSuccess;
  int e = CU_LAUNCH(sort_keys, cu_blocks(lines * padded), CU_THREADS, 0, s, l,
                    dtype, x, descending, keys, padded);
  for (int64_t run = 2; run <= padded && !e; run *= 2)
    for (int64_t gap = run / 2; gap > 0 && !e; gap /= 2)
      e = CU_LAUNCH(sort_step, cu_blocks(pairs), CU_THREADS, 0, s, pairs,
                    padded, run, gap, keys);
  if (e) return e;
  return CU_LAUNCH(sort_take, cu_blocks(lines * k), CU_THREADS, 0, s, l, dtype,
                   x, k, (const uint64_t *)keys, padded, values, places, also);
}

/* Places of a line are distinct. */
CU_KERNEL(CU_THREADS)
sort_grad(cu_lines l, int64_t k, int dtype, void *dx, const void *dy,
          const int32_t *place) {
  CU_EACH(t, l.outer * l.step * k) {
    const int64_t line = t / k, i = t % k;
    const int64_t at = line_at(l, line, k) + i * l.step;
    cu_store(dx, dtype, line_at(l, line, l.n) + (place[at] - 1) * l.step,
             cu_load(dy, dtype, at), 1);
  }
}

extern "C" int cu_sort_grad(cu_lines l, int64_t k, int dtype, void *dx,
                            const void *dy, const int32_t *place,
                            cudaStream_t s) {
  if (is_empty(l) || k == 0) return cudaSuccess;
  return CU_LAUNCH(sort_grad, cu_blocks(l.outer * l.step * k), CU_THREADS, 0, s,
                   l, k, dtype, dx, dy, place);
}
