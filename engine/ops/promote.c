/* promote.c -- see promote.h. */
#include "ops/promote.h"

sl_dtype sl_float_of(sl_dtype d) {
  return sl_dtype_is_float(d) ? d : SL_F32;
}

sl_dtype sl_promote(const sl_tensor *a, const sl_tensor *b) {
  const int fa = sl_dtype_is_float(a->dtype), fb = sl_dtype_is_float(b->dtype);
  if (!fa && !fb) return SL_I32;
  if (fa != fb) return fa ? a->dtype : b->dtype;
  if ((a->rank == 0) != (b->rank == 0)) return a->rank ? a->dtype : b->dtype;
  return a->dtype == b->dtype ? a->dtype : SL_F32;
}
