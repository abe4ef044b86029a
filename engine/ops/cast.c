/* cast.c -- descriptions of cast and contiguous; see cast.h. */
#include "ops/cast.h"

static const sl_option options[] = {
    SL_OPT_DTYPE(sl_cast_opts, dtype, "\"f32\", \"bf16\", \"u8\" or \"i32\""),
    SL_OPT_END,
};

static sl_status infer_cast(const sl_call *c, void *opts, sl_shapes *s) {
  const int dtype = ((sl_cast_opts *)opts)->dtype;
  SL_REQUIRE(dtype >= 0, SL_EINVAL,
             "which dtype? \"f32\", \"bf16\", \"u8\" or \"i32\"");
  sl_spec_like(&s->out[0], c->in[0]);
  s->out[0].dtype = (sl_dtype)dtype;
  return SL_OK;
}

static sl_status infer_contiguous(const sl_call *c, void *opts, sl_shapes *s) {
  (void)opts;
  sl_spec_like(&s->out[0], c->in[0]);
  return SL_OK;
}

const sl_op sl_op_cast = {
    .name = "cast",
    .args = "x",
    .help = "The same values in another dtype. Floats are truncated to "
            "integers.",
    .example = "return sota.tensor{1.7, -2.5}:cast('i32')",
    .n_in = 1,
    .grad_in = 1,
    .strided_in = 1,
    .opts_size = sizeof(sl_cast_opts),
    .options = options,
    .infer = infer_cast,
};

const sl_op sl_op_contiguous = {
    .name = "contiguous",
    .args = "x",
    .help = "The same values, dense and in row-major order.",
    .example = "return sota.zeros(2, 3):permute(2, 1):contiguous()",
    .n_in = 1,
    .grad_in = 1,
    .strided_in = 1,
    .infer = infer_contiguous,
};
