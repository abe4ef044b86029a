/* bce_with_logits.c -- description of bce_with_logits. */
#include "ops/bce_with_logits.h"

#include <inttypes.h>

static const sl_option options[] = {
    SL_OPT_ENUM(sl_bce_with_logits_opts, reduction, SL_REDUCTION_MEAN,
                sl_reduction_names, "mean, sum, or none: one loss per element"),
    SL_OPT_END,
};

static sl_status check_weight(const sl_tensor *z, const sl_tensor *p) {
  const int64_t k = z->rank ? z->shape[z->rank - 1] : 1;
  SL_REQUIRE(p->dtype == SL_F32 && p->rank == 1 && p->shape[0] == k, SL_ESHAPE,
             "pos_weight must be f32 (%" PRId64 "), one for each class, not %s",
             k, sl_shape_text(p));
  return SL_OK;
}

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  const int reduction = ((sl_bce_with_logits_opts *)opts)->reduction;
  const sl_tensor *z = c->in[0], *y = c->in[1];
  SL_REQUIRE(sl_dtype_is_float(z->dtype), SL_ESHAPE,
             "logits must be f32 or bf16, not %s", sl_shape_text(z));
  SL_REQUIRE(y->dtype == SL_F32 && sl_tensor_same_shape(z, y), SL_ESHAPE,
             "targets must be f32 and shaped as the logits: %s for %s",
             sl_shape_text(y), sl_shape_text(z));
  if (c->in[2]) SL_TRY(check_weight(z, c->in[2]));
  SL_REQUIRE(sl_tensor_count(z) > 0 || reduction != SL_REDUCTION_MEAN,
             SL_ESHAPE, "the mean loss of no elements: logits are %s",
             sl_shape_text(z));
  if (reduction == SL_REDUCTION_NONE) sl_spec_like(&s->out[0], z);
  s->out[0].dtype = SL_F32;
  return SL_OK;
}

const sl_op sl_op_bce_with_logits = {
    .name = "bce_with_logits",
    .args = "logits, targets [, pos_weight]",
    .help = "Binary cross-entropy of sigmoid(logits), for several labels per "
            "item. Targets are 0, 1, or between; pos_weight counts the "
            "positives of each class that many times.",
    .example = "return sota.bce_with_logits(sota.zeros(1, 2), "
               "sota.tensor{{1, 0}})",
    .n_in = 2,
    .n_optional = 1,
    .grad_in = 1,
    .opts_size = sizeof(sl_bce_with_logits_opts),
    .options = options,
    .infer = infer,
};
