/* dropout.c -- description of dropout. */
#include "ops/dropout.h"

static const sl_option options[] = {
    SL_OPT_FLOAT(sl_dropout_opts, p, 0.5, 0, 1, "share that is set to zero"),
    SL_OPT_BOOL(sl_dropout_opts, training, 1, "false: the result is x"),
    SL_OPT_END,
};

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  sl_dropout_opts *o = opts;
  const sl_tensor *x = c->in[0];
  SL_REQUIRE(sl_dtype_is_float(x->dtype), SL_ESHAPE,
             "x must be f32 or bf16, not %s", sl_shape_text(x));
  if (!o->training) o->p = 0;
  if (o->p > 0) o->at = sl_random_next();
  sl_spec_like(&s->out[0], x);
  return SL_OK;
}

const sl_op sl_op_dropout = {
    .name = "dropout",
    .args = "x",
    .help = "Sets a random share p of the elements to zero and divides the "
            "others by 1 - p.",
    .example = "return sota.dropout(sota.ones(2, 3), {p = 0.25})",
    .n_in = 1,
    .grad_in = 1,
    .opts_size = sizeof(sl_dropout_opts),
    .options = options,
    .infer = infer,
};
