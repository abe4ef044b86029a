/* unary.c -- descriptions of the element-wise functions of one input. */
#include "ops/op.h"

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  (void)opts;
  SL_REQUIRE(c->in[0]->dtype == SL_F32, SL_ESHAPE, "wants f32, not %s",
             sl_shape_text(c->in[0]));
  sl_spec_like(&s->out[0], c->in[0]);
  return SL_OK;
}

#define SL_UNARY(name_, value, slope, help_)                                   \
  const sl_op sl_op_##name_ = {.name = #name_,                                 \
                               .args = "x",                                    \
                               .help = help_ ", element by element.",          \
                               .example = "return sota." #name_ "(x)",         \
                               .n_in = 1,                                      \
                               .grad_in = 1,                                   \
                               .needs_out = 1,                                 \
                               .infer = infer};
#include "ops/unary.def"
