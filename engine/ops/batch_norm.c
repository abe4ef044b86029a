/* batch_norm.c -- see batch_norm.h. */
#include "ops/batch_norm.h"

#include <inttypes.h>

static const sl_option options[] = {
    SL_OPT_FLOAT(sl_norm_opts, eps, 1e-5, 0, 1, "added to the variance"),
    SL_OPT_FLOAT(sl_norm_opts, momentum, 0.1, 0, 1,
                 "weight of this batch in the running statistics"),
    SL_OPT_BOOL(sl_norm_opts, training, 0,
                "normalise by this batch and update the running statistics"),
    SL_OPT_ENUM(sl_norm_opts, act, SL_ACT_NONE, sl_act_names,
                "activation of the result"),
    SL_OPT_END,
};

static const char *const names[] = {"gamma", "beta", "running_mean",
                                    "running_var"};

sl_status sl_norm_check(const sl_call *c, int first, int64_t channels,
                        int64_t values, int training) {
  for (int i = 0; i < 4; i++) {
    const sl_tensor *t = c->in[first + i];
    SL_REQUIRE(t->dtype == SL_F32 && t->rank == 1 && t->shape[0] == channels,
               SL_ESHAPE, "%s must be f32 (%" PRId64 "), not %s", names[i],
               channels, sl_shape_text(t));
  }
  SL_REQUIRE(values > 0, SL_ESHAPE, "x is empty");
  SL_REQUIRE(!training || values > 1, SL_ESHAPE,
             "training needs more than one value per channel to normalise by; "
             "here N*H*W is 1 (use larger batches, or eval mode)");
  return SL_OK;
}

sl_status sl_norm_check_residual(const sl_call *c, int i, const sl_spec *out) {
  const sl_tensor *t = c->in[i];
  if (!t) return SL_OK;
  int same = t->dtype == out->dtype && t->rank == out->rank;
  for (int k = 0; same && k < t->rank; k++)
    same = t->shape[k] == out->shape[k];
  const sl_tensor want = {.dtype = out->dtype,
                          .rank = out->rank,
                          .shape = {out->shape[0], out->shape[1], out->shape[2],
                                    out->shape[3], out->shape[4],
                                    out->shape[5]}};
  SL_REQUIRE(same, SL_ESHAPE, "residual is %s but the result %s",
             sl_shape_text(t), sl_shape_text(&want));
  return SL_OK;
}

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  const sl_norm_opts *o = opts;
  const sl_tensor *x = c->in[0];
  SL_REQUIRE(
      sl_dtype_is_float(x->dtype) && x->rank >= 2, SL_ESHAPE,
      "x must be f32 or bf16 with channels last, of two dimensions or more, "
      "not %s",
      sl_shape_text(x));
  const int64_t channels = x->shape[x->rank - 1];
  SL_REQUIRE(channels > 0, SL_ESHAPE, "x has no channels: %s",
             sl_shape_text(x));
  SL_TRY(sl_norm_check(c, 1, channels, sl_tensor_count(x) / channels,
                       o->training));
  sl_spec_like(&s->out[0], x);
  SL_TRY(sl_norm_check_residual(c, 5, &s->out[0]));
  s->n_saved = 2; /* mean and 1 / sqrt(var + eps) */
  s->saved[0] = s->saved[1] = (sl_spec){SL_F32, 1, {channels}};
  return SL_OK;
}

const sl_op sl_op_batch_norm = {
    .name = "batch_norm",
    .args = "x, gamma, beta, running_mean, running_var [, residual]",
    .help = "act((x - mean) / sqrt(var + eps) * gamma + beta + residual), for "
            "x (.., C): by the batch in training, else by the running "
            "statistics. Training updates those in place.",
    .example = "return sota.batch_norm(sota.ones(2, 4), sota.ones(4), "
               "sota.zeros(4), sota.zeros(4), sota.ones(4))",
    .n_in = 5,
    .n_optional = 1,
    .grad_in = 1 | 2 | 4 | 1u << 5,
    .written_in = 1 << 3 | 1 << 4,
    .opts_size = sizeof(sl_norm_opts),
    .options = options,
    .infer = infer,
};
