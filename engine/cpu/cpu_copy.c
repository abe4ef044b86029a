/* cpu_copy.c -- dst = src or dst += src, any strides, any dtypes. */
#include <math.h>
#include <string.h>

#include "cpu/bf16.h"
#include "cpu/cpu.h"

/* Both sides with their common dimensions: adjacent ones that are dense on
 * both sides are merged, so that the inner loop is long. */
typedef struct walk {
  int rank;
  int64_t shape[SL_MAX_RANK], dst[SL_MAX_RANK], src[SL_MAX_RANK];
} walk;

static walk plan(const sl_tensor *dst, const sl_tensor *src) {
  walk w = {0};
  for (int i = 0; i < dst->rank; i++) {
    if (dst->shape[i] == 1) continue;
    const int last = w.rank - 1;
    if (last >= 0 && w.dst[last] == dst->shape[i] * dst->stride[i] &&
        w.src[last] == dst->shape[i] * src->stride[i]) {
      w.shape[last] *= dst->shape[i];
      w.dst[last] = dst->stride[i];
      w.src[last] = src->stride[i];
      continue;
    }
    w.shape[w.rank] = dst->shape[i];
    w.dst[w.rank] = dst->stride[i];
    w.src[w.rank++] = src->stride[i];
  }
  if (w.rank == 0) w = (walk){1, {1}, {1}, {1}};
  return w;
}

/* Values go through double: exact for every dtype we have. */
static double load(sl_dtype d, const void *p, int64_t i) {
  switch (d) {
  case SL_F32:
    return (double)((const float *)p)[i];
  case SL_BF16:
    return (double)sl_bf16_to_f32(((const sl_bf16 *)p)[i]);
  case SL_U8:
    return ((const uint8_t *)p)[i];
  case SL_I32:
    return ((const int32_t *)p)[i];
  }
  return 0;
}

/* Floats become integers by truncation, kept within the integer's range; NaN
 * becomes 0. */
static double whole(double v, double lo, double hi) {
  return isnan(v) ? 0 : fmin(fmax(trunc(v), lo), hi);
}

static void store(sl_dtype d, void *p, int64_t i, double v) {
  switch (d) {
  case SL_F32:
    ((float *)p)[i] = (float)v;
    break;
  case SL_BF16:
    ((sl_bf16 *)p)[i] = sl_bf16_from_f32((float)v);
    break;
  case SL_U8:
    ((uint8_t *)p)[i] = (uint8_t)whole(v, 0, 255);
    break;
  case SL_I32:
    ((int32_t *)p)[i] = (int32_t)whole(v, INT32_MIN, INT32_MAX);
    break;
  }
}

typedef struct job {
  sl_dtype to, from;
  int add;
  walk w;
  char *dst;
  const char *src;
} job;

static void line_f32(const job *j, float *restrict d, const float *restrict s,
                     int64_t n) {
  const int64_t a = j->w.dst[j->w.rank - 1], b = j->w.src[j->w.rank - 1];
  if (a == 1 && b == 1 && j->add)
    for (int64_t i = 0; i < n; i++)
      d[i] += s[i];
  else if (a == 1 && b == 1)
    memcpy(d, s, (size_t)n * sizeof *d);
  else if (j->add)
    for (int64_t i = 0; i < n; i++)
      d[i * a] += s[i * b];
  else
    for (int64_t i = 0; i < n; i++)
      d[i * a] = s[i * b];
}

/* Dense lines between f32 and bf16, or of bf16 to be added. */
static void line_bf16(const job *j, char *d, const char *s, int64_t n) {
  enum { BLOCK = 512 };
  float block[BLOCK];
  for (int64_t i = 0; i < n; i += BLOCK) {
    const int64_t m = n - i < BLOCK ? n - i : BLOCK;
    const float *v = (const float *)(const void *)s + i;
    if (j->from == SL_BF16) {
      sl_bf16_widen(block, (const sl_bf16 *)(const void *)s + i, m);
      v = block;
    }
    if (j->to == SL_F32) {
      float *to = (float *)(void *)d + i;
      for (int64_t k = 0; k < m; k++)
        to[k] = j->add ? to[k] + v[k] : v[k];
    } else if (j->add) {
      sl_bf16_add((sl_bf16 *)(void *)d + i, v, m);
    } else {
      sl_bf16_round((sl_bf16 *)(void *)d + i, v, m);
    }
  }
}

static void line(const job *j, int64_t dst, int64_t src, int64_t n) {
  const int64_t a = j->w.dst[j->w.rank - 1], b = j->w.src[j->w.rank - 1];
  const size_t ds = sl_dtype_size(j->to), ss = sl_dtype_size(j->from);
  char *d = j->dst + dst * (int64_t)ds;
  const char *s = j->src + src * (int64_t)ss;
  if (j->to == SL_F32 && j->from == SL_F32) {
    line_f32(j, (float *)d, (const float *)s, n);
  } else if (j->to == j->from && !j->add && a == 1 && b == 1) {
    memcpy(d, s, (size_t)n * ds);
  } else if (sl_dtype_is_float(j->to) && sl_dtype_is_float(j->from) && a == 1 &&
             b == 1) {
    line_bf16(j, d, s, n);
  } else {
    for (int64_t i = 0; i < n; i++) {
      const double was = j->add ? load(j->to, d, i * a) : 0;
      store(j->to, d, i * a, was + load(j->from, s, i * b));
    }
  }
}

/* Elements begin..end-1 of the row-major order, line by line. */
static void run(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  const int last = j->w.rank - 1;
  const int64_t length = j->w.shape[last];
  while (begin < end) {
    int64_t rest = begin / length, dst = 0, src = 0;
    const int64_t at = begin % length;
    for (int i = last - 1; i >= 0; i--) {
      dst += rest % j->w.shape[i] * j->w.dst[i];
      src += rest % j->w.shape[i] * j->w.src[i];
      rest /= j->w.shape[i];
    }
    const int64_t n = length - at < end - begin ? length - at : end - begin;
    line(j, dst + at * j->w.dst[last], src + at * j->w.src[last], n);
    begin += n;
  }
}

sl_status sl_cpu_copy(sl_tensor *dst, const sl_tensor *src, int add) {
  job j = {.to = dst->dtype,
           .from = src->dtype,
           .add = add,
           .w = plan(dst, src),
           .dst = sl_data(dst),
           .src = sl_data(src)};
  /* Where dst is broadcast several sources meet in one place: no splitting. */
  int overlaps = 0;
  for (int i = 0; i < j.w.rank; i++)
    overlaps |= j.w.dst[i] == 0;
  const int64_t n = sl_tensor_count(dst);
  if (overlaps && n > 0)
    run(&j, 0, n);
  else
    sl_cpu_ranges(n, run, &j);
  return SL_OK;
}
