/* pool.cu -- pooling: a thread for each element of the result, neighbours along
 * the channels. Backward, each input looks through the windows that see it: no
 * two threads write one element. */
#include "cuda/device.h"

/* An element of images (n, h, w, c). */
typedef struct place {
  int64_t n, h, w, c;
} place;

CU_DEVICE place place_of(int64_t i, int64_t h, int64_t w, int64_t c) {
  place p;
  p.c = i % c;
  p.w = i / c % w;
  p.h = i / c / w % h;
  p.n = i / c / w / h;
  return p;
}

CU_DEVICE int64_t element(const place &p, int64_t h, int64_t w, int64_t c,
                          int64_t at_h, int64_t at_w) {
  return ((p.n * h + at_h) * w + at_w) * c + p.c;
}

/* Of equal values the first stays. NaN beats all, also an earlier NaN. */
CU_DEVICE int wins(float v, float best) {
  return v > best || v != v;
}

CU_KERNEL(CU_THREADS)
max_pool(cu_pool p, const void *x, void *y, uint8_t *places) {
  CU_EACH(i, p.n * p.h.out * p.w.out * p.c) {
    const place o = place_of(i, p.h.out, p.w.out, p.c);
    int64_t top, bottom, left, right;
    sl_axis_window(&p.h, o.h, &top, &bottom);
    sl_axis_window(&p.w, o.w, &left, &right);
    const int64_t h0 = o.h * p.h.stride - p.h.pad;
    const int64_t w0 = o.w * p.w.stride - p.w.pad;
    float best = 0;
    int at = -1;
    for (int64_t h = top; h < bottom; h++)
      for (int64_t w = left; w < right; w++) {
        const float v =
            cu_load(x, p.dtype, element(o, p.h.in, p.w.in, p.c, h, w));
        if (at >= 0 && !wins(v, best)) continue;
        best = v;
        at = (int)((h - h0) * p.w.kernel + w - w0);
      }
    cu_store(y, p.dtype, i, best);
    if (places) places[i] = (uint8_t)at;
  }
}

extern "C" int cu_max_pool(const cu_pool *p, const void *x, void *y,
                           uint8_t *places, cudaStream_t s) {
  const int64_t n = p->n * p->h.out * p->w.out * p->c;
  if (n == 0) return cudaSuccess;
  return CU_LAUNCH(max_pool, cu_blocks(n), CU_THREADS, 0, s, *p, x, y, places);
}

CU_KERNEL(CU_THREADS)
max_pool_grad(cu_pool p, const void *dy, const uint8_t *places, void *dx,
              int add) {
  CU_EACH(i, p.n * p.h.in * p.w.in * p.c) {
    const place o = place_of(i, p.h.in, p.w.in, p.c);
    int64_t top, bottom, left, right;
    sl_axis_seen_by(&p.h, o.h, &top, &bottom);
    sl_axis_seen_by(&p.w, o.w, &left, &right);
    float sum = 0;
    for (int64_t h = top; h < bottom; h++)
      for (int64_t w = left; w < right; w++) {
        const int64_t at = element(o, p.h.out, p.w.out, p.c, h, w);
        const int64_t kh = o.h - (h * p.h.stride - p.h.pad);
        const int64_t kw = o.w - (w * p.w.stride - p.w.pad);
        if (places[at] == kh * p.w.kernel + kw) sum += cu_load(dy, p.dtype, at);
      }
    cu_store(dx, p.dtype, i, sum, add);
  }
}

extern "C" int cu_max_pool_grad(const cu_pool *p, const void *dy,
                                const uint8_t *places, void *dx, int add,
                                cudaStream_t s) {
  const int64_t n = p->n * p->h.in * p->w.in * p->c;
  if (n == 0) return cudaSuccess;
  return CU_LAUNCH(max_pool_grad, cu_blocks(n), CU_THREADS, 0, s, *p, dy,
                   places, dx, add);
}

CU_KERNEL(CU_THREADS) avg_pool(cu_pool p, const void *x, void *y) {
  CU_EACH(i, p.n * p.h.out * p.w.out * p.c) {
    const place o = place_of(i, p.h.out, p.w.out, p.c);
    int64_t top, bottom, left, right;
    sl_axis_window(&p.h, o.h, &top, &bottom);
    sl_axis_window(&p.w, o.w, &left, &right);
    float sum = 0;
    for (int64_t h = top; h < bottom; h++)
      for (int64_t w = left; w < right; w++)
        sum += cu_load(x, p.dtype, element(o, p.h.in, p.w.in, p.c, h, w));
    const int64_t divisor =
        sl_axis_divisor(&p.h, o.h) * sl_axis_divisor(&p.w, o.w);
    cu_store(y, p.dtype, i, sum * (1 / (float)divisor));
  }
}

extern "C" int cu_avg_pool(const cu_pool *p, const void *x, void *y,
                           cudaStream_t s) {
  const int64_t n = p->n * p->h.out * p->w.out * p->c;
  if (n == 0) return cudaSuccess;
  return CU_LAUNCH(avg_pool, cu_blocks(n), CU_THREADS, 0, s, *p, x, y);
}

CU_KERNEL(CU_THREADS)
avg_pool_grad(cu_pool p, const void *dy, void *dx, int add) {
  CU_EACH(i, p.n * p.h.in * p.w.in * p.c) {
    const place o = place_of(i, p.h.in, p.w.in, p.c);
    int64_t top, bottom, left, right;
    sl_axis_seen_by(&p.h, o.h, &top, &bottom);
    sl_axis_seen_by(&p.w, o.w, &left, &right);
    float sum = 0;
    for (int64_t h = top; h < bottom; h++)
      for (int64_t w = left; w < right; w++) {
        const int64_t divisor =
            sl_axis_divisor(&p.h, h) * sl_axis_divisor(&p.w, w);
        sum += cu_load(dy, p.dtype, element(o, p.h.out, p.w.out, p.c, h, w)) *
               (1 / (float)divisor);
      }
    cu_store(dx, p.dtype, i, sum, add);
  }
}

extern "C" int cu_avg_pool_grad(const cu_pool *p, const void *dy, void *dx,
                                int add, cudaStream_t s) {
  const int64_t n = p->n * p->h.in * p->w.in * p->c;
  if (n == 0) return cudaSuccess;
  return CU_LAUNCH(avg_pool_grad, cu_blocks(n), CU_THREADS, 0, s, *p, dy, dx,
                   add);
}

/* --- global maximum ------------------------------------------------------- */

CU_KERNEL(CU_THREADS)
global_max(int64_t n, int64_t pixels, int64_t c, int dtype, const void *x,
           void *y, int32_t *places) {
  CU_EACH(i, n * c) {
    const int64_t first = i / c * pixels * c + i % c;
    float best = cu_load(x, dtype, first);
    int32_t at = 0;
    for (int64_t p = 1; p < pixels; p++) {
      const float v = cu_load(x, dtype, first + p * c);
      if (!wins(v, best)) continue;
      best = v;
      at = (int32_t)p;
    }
    cu_store(y, dtype, i, best);
    if (places) places[i] = at;
  }
}

extern "C" int cu_global_max(int64_t n, int64_t pixels, int64_t c, int dtype,
                             const void *x, void *y, int32_t *places,
                             cudaStream_t s) {
  if (n * c == 0) return cudaSuccess;
  return CU_LAUNCH(global_max, cu_blocks(n * c), CU_THREADS, 0, s, n, pixels, c,
                   dtype, x, y, places);
}

CU_KERNEL(CU_THREADS)
global_max_grad(int64_t n, int64_t pixels, int64_t c, int dtype, const void *dy,
                const int32_t *places, void *dx, int add) {
  CU_EACH(i, n * pixels * c) {
    const int64_t at = i / c / pixels * c + i % c, p = i / c % pixels;
    cu_store(dx, dtype, i, places[at] == p ? cu_load(dy, dtype, at) : 0.0f,
             add);
  }
}

extern "C" int cu_global_max_grad(int64_t n, int64_t pixels, int64_t c,
                                  int dtype, const void *dy,
                                  const int32_t *places, void *dx, int add,
                                  cudaStream_t s) {
  if (n * pixels * c == 0) return cudaSuccess;
  return CU_LAUNCH(global_max_grad, cu_blocks(n * pixels * c), CU_THREADS, 0, s,
                   n, pixels, c, dtype, dy, places, dx, add);
}
