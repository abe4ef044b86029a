/* dtype.c -- see dtype.h. */
#include "tensor/dtype.h"

static const struct {
  const char *name;
  size_t size;
  int is_float;
} types[SL_DTYPE_COUNT] = {
    [SL_F32] = {"f32", 4, 1},
    [SL_BF16] = {"bf16", 2, 1},
    [SL_U8] = {"u8", 1, 0},
    [SL_I32] = {"i32", 4, 0},
};

size_t sl_dtype_size(sl_dtype d) {
  return types[d].size;
}

const char *sl_dtype_name(sl_dtype d) {
  return types[d].name;
}

int sl_dtype_find(const char *name) {
  for (int d = 0; d < SL_DTYPE_COUNT; d++)
    if (strcmp(name, types[d].name) == 0) return d;
  return -1;
}

int sl_dtype_is_float(sl_dtype d) {
  return types[d].is_float;
}
