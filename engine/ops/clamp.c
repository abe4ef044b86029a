/* clamp.c -- see clamp.h. */
#include "ops/clamp.h"

#include <math.h>

static const sl_option options[] = {
    SL_OPT_FLOAT(sl_clamp_opts, min, -HUGE_VAL, -HUGE_VAL, HUGE_VAL,
                 "smaller elements become this"),
    SL_OPT_FLOAT(sl_clamp_opts, max, HUGE_VAL, -HUGE_VAL, HUGE_VAL,
                 "larger elements become this"),
    SL_OPT_END,
};

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  const sl_clamp_opts *o = opts;
  SL_REQUIRE(o->min <= o->max, SL_EINVAL, "min is %g, above max, %g", o->min,
             o->max);
  sl_spec_like(&s->out[0], c->in[0]);
  return SL_OK;
}

const sl_op sl_op_clamp = {
    .name = "clamp",
    .args = "x",
    .help = "x, but not below min and not above max; keeps the dtype",
    .example = "return sota.clamp(sota.tensor{-1, 0.5, 2}, {min = 0, max = 1})",
    .n_in = 1,
    .grad_in = 1,
    .strided_in = 1,
    .opts_size = sizeof(sl_clamp_opts),
    .options = options,
    .infer = infer,
};
