/* compare.c -- the descriptions of compare.def. */
#include "ops/op.h"

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  (void)opts;
  s->out[0].dtype = SL_U8;
  return sl_broadcast(c->in[0], c->in[1], &s->out[0]);
}

#define SL_COMPARE(op, value, text)                                            \
  const sl_op sl_op_##op = {                                                   \
      .name = #op,                                                             \
      .args = "a, b",                                                          \
      .help = text " (u8); a and b broadcast",                                 \
      .example =                                                               \
          "return sota." #op "(sota.tensor{1, 2, 3}, sota.tensor{3, 2, 1})",   \
      .n_in = 2,                                                               \
      .strided_in = 3,                                                         \
      .infer = infer,                                                          \
  };
#include "ops/compare.def"
