/* cross_entropy.c -- description of cross_entropy. */
#include "ops/cross_entropy.h"

#include <inttypes.h>

static const sl_option options[] = {
    SL_OPT_FLOAT(sl_cross_entropy_opts, label_smoothing, 0, 0, 1,
                 "share of each target that is spread over all classes"),
    SL_OPT_ENUM(sl_cross_entropy_opts, reduction, SL_REDUCTION_MEAN,
                sl_reduction_names, "mean, sum, or none: one loss per item"),
    SL_OPT_END,
};

static sl_status check_target(const sl_tensor *z, const sl_tensor *t) {
  const int classes = t->dtype == SL_I32 && t->rank == 1;
  const int soft = t->dtype == SL_F32 && t->rank == 2;
  SL_REQUIRE(classes || soft, SL_ESHAPE,
             "target must be class numbers, i32 (N), or probabilities, "
             "f32 (N, K), not %s",
             sl_shape_text(t));
  SL_REQUIRE(t->shape[0] == z->shape[0], SL_ESHAPE,
             "%" PRId64 " rows of logits but %" PRId64 " targets", z->shape[0],
             t->shape[0]);
  SL_REQUIRE(classes || t->shape[1] == z->shape[1], SL_ESHAPE,
             "logits of %" PRId64 " classes but targets of %" PRId64,
             z->shape[1], t->shape[1]);
  return SL_OK;
}

static sl_status check_weight(const sl_tensor *z, const sl_tensor *w) {
  SL_REQUIRE(w->dtype == SL_F32 && w->rank == 1 && w->shape[0] == z->shape[1],
             SL_ESHAPE, "class_weight must be f32 (%" PRId64 "), not %s",
             z->shape[1], sl_shape_text(w));
  return SL_OK;
}

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  const sl_cross_entropy_opts *o = opts;
  const sl_tensor *z = c->in[0];
  SL_REQUIRE(sl_dtype_is_float(z->dtype) && z->rank == 2, SL_ESHAPE,
             "logits must be f32 or bf16 (N, K), not %s", sl_shape_text(z));
  SL_REQUIRE(z->shape[1] > 0, SL_ESHAPE, "logits of no classes: %s",
             sl_shape_text(z));
  SL_REQUIRE(z->shape[0] > 0 || o->reduction != SL_REDUCTION_MEAN, SL_ESHAPE,
             "the mean loss of no items: logits are %s", sl_shape_text(z));
  SL_TRY(check_target(z, c->in[1]));
  if (c->in[2]) SL_TRY(check_weight(z, c->in[2]));
  s->out[0] = (sl_spec){.dtype = SL_F32};
  if (o->reduction == SL_REDUCTION_NONE) {
    s->out[0].rank = 1;
    s->out[0].shape[0] = z->shape[0];
  }
  return SL_OK;
}

const sl_op sl_op_cross_entropy = {
    .name = "cross_entropy",
    .args = "logits, target [, class_weight]",
    .help = "How far softmax(logits) is from the target: -log(p[target]). "
            "Targets are class numbers 1..K, or a row of probabilities for "
            "each item (mixup). Class weights enter only the term that is "
            "not smoothed, as in fastai.",
    .example = "return sota.cross_entropy(sota.zeros(1, 3), "
               "sota.tensor({2}, {dtype = 'i32'}), {label_smoothing = 0.1})",
    .n_in = 2,
    .n_optional = 1,
    .grad_in = 1,
    .opts_size = sizeof(sl_cross_entropy_opts),
    .options = options,
    .infer = infer,
};
