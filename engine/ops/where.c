/* where.c -- out = condition ~= 0 ? a : b. The gradient goes to the one that
 * was chosen. */
#include "ops/op.h"
#include "ops/promote.h"

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  (void)opts;
  const sl_tensor *cond = c->in[0], *a = c->in[1], *b = c->in[2];
  SL_REQUIRE(!sl_dtype_is_float(cond->dtype), SL_ESHAPE,
             "the condition must be u8 or i32 (compare something), not %s",
             sl_shape_text(cond));
  sl_spec both = {0};
  SL_TRY(sl_broadcast(a, b, &both));
  sl_tensor shape = {.rank = both.rank};
  for (int d = 0; d < both.rank; d++)
    shape.shape[d] = both.shape[d];
  shape.dtype = s->out[0].dtype = sl_promote(a, b);
  return sl_broadcast(cond, &shape, &s->out[0]);
}

const sl_op sl_op_where = {
    .name = "where",
    .args = "condition, a, b",
    .help = "a where the condition is not 0, b elsewhere; all broadcast",
    .example = "return sota.where(sota.tensor({1, 0}, {dtype = 'u8'}), "
               "sota.tensor{1, 2}, sota.tensor{3, 4})",
    .n_in = 3,
    .grad_in = 6,
    .strided_in = 7,
    .infer = infer,
};
