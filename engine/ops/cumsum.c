/* cumsum.c -- y[i] = x[1] + ... + x[i] along a dimension, summed in double. */
#include "ops/along.h"

static const sl_option options[] = {
    SL_OPT_DIM(sl_along_opts, dim, -1, "dimension to sum along"),
    SL_OPT_END,
};

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  const sl_tensor *x = c->in[0];
  sl_along_opts *o = opts;
  int d;
  SL_REQUIRE(x->rank > 0, SL_ESHAPE, "a single number has no dimension");
  SL_TRY(sl_dim(o->dim, x->rank, &d));
  o->dim = d;
  sl_spec_like(&s->out[0], x);
  if (!sl_dtype_is_float(x->dtype)) s->out[0].dtype = SL_I32;
  return SL_OK;
}

const sl_op sl_op_cumsum = {
    .name = "cumsum",
    .args = "x",
    .help = "running sum along dim",
    .example = "return sota.cumsum(sota.tensor{1, 2, 3})",
    .n_in = 1,
    .grad_in = 1,
    .opts_size = sizeof(sl_along_opts),
    .options = options,
    .infer = infer,
};
