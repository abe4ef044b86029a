/* flip.c -- see flip.h. */
#include "ops/flip.h"

#include "ops/reduce.h"

static const sl_option options[] = {
    SL_OPT_NEED_DIMS(sl_flip_opts, dims, "dimensions to reverse"),
    SL_OPT_END,
};

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  sl_flip_opts *o = opts;
  SL_REQUIRE(o->dims.n > 0, SL_EINVAL, "dims is empty: nothing to reverse");
  SL_TRY(sl_reduce_dims(&o->dims, c->in[0]->rank));
  sl_spec_like(&s->out[0], c->in[0]);
  return SL_OK;
}

const sl_op sl_op_flip = {
    .name = "flip",
    .args = "x",
    .help = "x with the order of elements reversed along dims",
    .example = "return sota.flip(sota.tensor{1, 2, 3}, {dims = 1})",
    .n_in = 1,
    .grad_in = 1,
    .opts_size = sizeof(sl_flip_opts),
    .options = options,
    .infer = infer,
};
