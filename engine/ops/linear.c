/* linear.c -- description of linear. */
#include "ops/linear.h"

#include <inttypes.h>

static sl_status check_bias(const sl_tensor *w, const sl_tensor *b) {
  SL_REQUIRE(sl_dtype_is_float(b->dtype) && b->rank == 1 &&
                 b->shape[0] == w->shape[0],
             SL_ESHAPE, "bias must be f32 or bf16 (%" PRId64 "), not %s",
             w->shape[0], sl_shape_text(b));
  return SL_OK;
}

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  (void)opts;
  const sl_tensor *x = c->in[0], *w = c->in[1], *b = c->in[2];
  SL_REQUIRE(sl_dtype_is_float(x->dtype) && x->rank >= 1, SL_ESHAPE,
             "x must be f32 or bf16 (.., I), not %s", sl_shape_text(x));
  SL_REQUIRE(sl_dtype_is_float(w->dtype) && w->rank == 2, SL_ESHAPE,
             "weight must be f32 or bf16 (O, I), not %s", sl_shape_text(w));
  SL_REQUIRE(
      x->shape[x->rank - 1] == w->shape[1], SL_ESHAPE,
      "x has %" PRId64 " features but weight is for %" PRId64 ": %s and %s",
      x->shape[x->rank - 1], w->shape[1], sl_shape_text(x), sl_shape_text(w));
  if (b) SL_TRY(check_bias(w, b));
  sl_spec_like(&s->out[0], x);
  s->out[0].shape[x->rank - 1] = w->shape[0];
  return SL_OK;
}

const sl_op sl_op_linear = {
    .name = "linear",
    .args = "x, weight [, bias]",
    .help = "x * transposed weight + bias along the last dimension: weight is "
            "(outputs, inputs).",
    .example = "return sota.linear(sota.zeros(2, 3), sota.zeros(4, 3))",
    .n_in = 2,
    .n_optional = 1,
    .grad_in = 7,
    .infer = infer,
};
