/* dtype.h -- element types. */
#ifndef SL_TENSOR_DTYPE_H
#define SL_TENSOR_DTYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum sl_dtype { SL_F32, SL_BF16, SL_U8, SL_I32 } sl_dtype;
enum { SL_DTYPE_COUNT = 4 };

size_t sl_dtype_size(sl_dtype d);      /* bytes of an element */
const char *sl_dtype_name(sl_dtype d); /* "f32" */
int sl_dtype_find(const char *name);   /* -1: no such type */
int sl_dtype_is_float(sl_dtype d);

/* bf16 is the upper half of an f32; rounding is to nearest even. */
typedef uint16_t sl_bf16;

static inline float sl_bf16_to_f32(sl_bf16 h) {
  const uint32_t bits = (uint32_t)h << 16;
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

static inline sl_bf16 sl_bf16_from_f32(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) /* NaN stays NaN, and quiet */
    return (sl_bf16)(bits >> 16 | 0x40);
  return (sl_bf16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
