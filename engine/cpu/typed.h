/* typed.h -- sixteen elements of an f32 or bf16 array as floats.
 *
 * The type is a constant argument, as the activation of act.h is: kernels are
 * compiled once for each (SL_TYPE_EACH), so that no loop asks which one it
 * is. */
#ifndef SL_CPU_TYPED_H
#define SL_CPU_TYPED_H

#include "cpu/simd.h"
#include "tensor/dtype.h"

typedef uint16_t sl_h16 __attribute__((vector_size(32)));
typedef uint16_t sl_h32 __attribute__((vector_size(64)));
typedef uint32_t sl_v16u __attribute__((vector_size(64)));

/* v = h as the upper halves of floats. (A shuffle: of a conversion compilers
 * make two halves.) */
SL_INLINE void sl_widen_bf16(sl_v16 *v, const sl_h16 *h) {
  const sl_h16 zero = {0};
  const sl_h32 w = __builtin_shufflevector(
      *h, zero, 16, 0, 16, 1, 16, 2, 16, 3, 16, 4, 16, 5, 16, 6, 16, 7, 16, 8,
      16, 9, 16, 10, 16, 11, 16, 12, 16, 13, 16, 14, 16, 15);
  memcpy(v, &w, sizeof *v);
}

/* n of the lanes from element `at` of p on; the others are 0. */
SL_INLINE void sl_get(sl_v16 *v, sl_dtype type, const void *p, int64_t at,
                      int n) {
  if (type == SL_F32) {
    sl_load(v, (const float *)p + at, n);
    return;
  }
  sl_h16 h = {0};
  memcpy(&h, (const sl_bf16 *)p + at, (size_t)n * sizeof(sl_bf16));
  sl_widen_bf16(v, &h);
}

/* The lanes rounded to bf16, as sl_bf16_from_f32 does it. */
SL_INLINE void sl_round_bf16(sl_h16 *h, const sl_v16 *v) {
  sl_v16u u;
  memcpy(&u, v, sizeof u);
  const sl_v16u nan = (sl_v16u)((u & 0x7fffffffu) > 0x7f800000u);
  const sl_v16u rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16;
  *h = __builtin_convertvector((nan & (u >> 16 | 0x40)) | (~nan & rounded),
                               sl_h16);
}

SL_INLINE void sl_put(sl_dtype type, void *p, int64_t at, const sl_v16 *v,
                      int n) {
  if (type == SL_F32) {
    sl_store((float *)p + at, v, n);
    return;
  }
  sl_h16 h;
  sl_round_bf16(&h, v);
  memcpy((sl_bf16 *)p + at, &h, (size_t)n * sizeof(sl_bf16));
}

/* p[at..] = v, or += v. */
SL_INLINE void sl_put_or_add(sl_dtype type, void *p, int64_t at, sl_v16 *v,
                             int add, int n) {
  if (add) {
    sl_v16 old;
    sl_get(&old, type, p, at, n);
    *v += old;
  }
  sl_put(type, p, at, v, n);
}

/* Runs CALL(type) with the type as a constant. */
#define SL_TYPE_EACH(type, CALL)                                               \
  if ((type) == SL_BF16)                                                       \
    CALL(SL_BF16);                                                             \
  else                                                                         \
    CALL(SL_F32)

/* n elements further on; NULL stays. */
static inline const void *sl_ahead(sl_dtype type, const void *p, int64_t n) {
  return p ? (const char *)p + n * (int64_t)sl_dtype_size(type) : NULL;
}

static inline void *sl_ahead_to(sl_dtype type, void *p, int64_t n) {
  return p ? (char *)p + n * (int64_t)sl_dtype_size(type) : NULL;
}

#endif
