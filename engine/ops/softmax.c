/* softmax.c -- descriptions of softmax and log_softmax. */
#include "ops/softmax.h"

static const sl_option options[] = {
    SL_OPT_DIM(sl_softmax_opts, dim, -1, "the dimension of the classes"),
    SL_OPT_END,
};

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  sl_softmax_opts *o = opts;
  const sl_tensor *x = c->in[0];
  int dim = 0;
  SL_REQUIRE(sl_dtype_is_float(x->dtype), SL_ESHAPE,
             "x must be f32 or bf16, not %s", sl_shape_text(x));
  SL_TRY(sl_dim(o->dim, x->rank, &dim));
  o->dim = dim;
  sl_spec_like(&s->out[0], x);
  return SL_OK;
}

const sl_op sl_op_softmax = {
    .name = "softmax",
    .args = "x",
    .help = "Scores to probabilities: exp(x) / sum(exp(x)) along a dimension.",
    .example = "return sota.softmax(sota.tensor{{1, 2, 3}}, {dim = -1})",
    .n_in = 1,
    .grad_in = 1,
    .needs_out = 1,
    .opts_size = sizeof(sl_softmax_opts),
    .options = options,
    .infer = infer,
};

const sl_op sl_op_log_softmax = {
    .name = "log_softmax",
    .args = "x",
    .help = "The logarithm of softmax(x), exact where softmax would be 0.",
    .example = "return sota.log_softmax(sota.tensor{{1, 2, 3}}, {dim = -1})",
    .n_in = 1,
    .grad_in = 1,
    .needs_out = 1,
    .opts_size = sizeof(sl_softmax_opts),
    .options = options,
    .infer = infer,
};
