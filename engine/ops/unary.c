/* unary.c -- descriptions of the element-wise functions of one input. */
#include "ops/op.h"
#include "ops/promote.h"

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  (void)opts;
  sl_spec_like(&s->out[0], c->in[0]);
  s->out[0].dtype = sl_float_of(c->in[0]->dtype);
  return SL_OK;
}

/* Whole numbers stay whole. */
static sl_status infer_whole(const sl_call *c, void *opts, sl_shapes *s) {
  SL_TRY(infer(c, opts, s));
  if (!sl_dtype_is_float(c->in[0]->dtype)) s->out[0].dtype = SL_I32;
  return SL_OK;
}

#define DESCRIBE(name_, help_, infer_)                                         \
  const sl_op sl_op_##name_ = {.name = #name_,                                 \
                               .args = "x",                                    \
                               .help = help_ ", element by element.",          \
                               .example = "return sota." #name_ "(x)",         \
                               .n_in = 1,                                      \
                               .grad_in = 1,                                   \
                               .strided_in = 1,                                \
                               .infer = infer_};
#define SL_UNARY(name, value, slope, help)     DESCRIBE(name, help, infer)
#define SL_UNARY_INT(name, value, slope, help) DESCRIBE(name, help, infer_whole)
#include "ops/unary.def"
