/* binary.c -- descriptions of the element-wise functions of two inputs. */
#include "ops/op.h"

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  (void)opts;
  for (int i = 0; i < 2; i++)
    SL_REQUIRE(c->in[i]->dtype == SL_F32, SL_ESHAPE, "wants f32, not %s",
               sl_shape_text(c->in[i]));
  SL_TRY(sl_broadcast(c->in[0], c->in[1], &s->out[0]));
  s->out[0].dtype = SL_F32;
  return SL_OK;
}

#define SL_BINARY(name_, value, slope_a, slope_b, help_)                       \
  const sl_op sl_op_##name_ = {.name = #name_,                                 \
                               .args = "a, b",                                 \
                               .help = help_                                   \
                               ", element by element; shapes broadcast.",      \
                               .example = "return sota." #name_ "(x, 2)",      \
                               .n_in = 2,                                      \
                               .grad_in = 3,                                   \
                               .strided_in = 3,                                \
                               .infer = infer};
#include "ops/binary.def"
