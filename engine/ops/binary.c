/* binary.c -- descriptions of the element-wise functions of two inputs. */
#include "ops/op.h"
#include "ops/promote.h"

/* Whole numbers stay whole. */
static sl_status infer_whole(const sl_call *c, void *opts, sl_shapes *s) {
  (void)opts;
  SL_TRY(sl_broadcast(c->in[0], c->in[1], &s->out[0]));
  s->out[0].dtype = sl_promote(c->in[0], c->in[1]);
  return SL_OK;
}

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  SL_TRY(infer_whole(c, opts, s));
  s->out[0].dtype = sl_float_of(s->out[0].dtype);
  return SL_OK;
}

#define DESCRIBE(name_, help_, infer_)                                         \
  const sl_op sl_op_##name_ = {.name = #name_,                                 \
                               .args = "a, b",                                 \
                               .help = help_                                   \
                               ", element by element; shapes broadcast.",      \
                               .example = "return sota." #name_ "(x, 2)",      \
                               .n_in = 2,                                      \
                               .grad_in = 3,                                   \
                               .strided_in = 3,                                \
                               .infer = infer_};
#define SL_BINARY(name, value, da, db, help) DESCRIBE(name, help, infer)
#define SL_BINARY_INT(name, value, da, db, help)                               \
  DESCRIBE(name, help, infer_whole)
#include "ops/binary.def"
