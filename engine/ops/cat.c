/* cat.c -- joining tensors: cat along a dimension they have, stack along a new
 * one. The gradient is cut up again. */
#include "ops/along.h"

static sl_status joined_dtype(const sl_call *c, sl_dtype *out) {
  SL_REQUIRE(c->n_in > 0, SL_EINVAL, "the list of tensors is empty");
  *out = c->in[0]->dtype;
  for (int i = 1; i < c->n_in; i++)
    SL_REQUIRE(c->in[i]->dtype == *out, SL_ESHAPE,
               "tensor %d is %s but the first is %s: cast() one of them", i + 1,
               sl_shape_text(c->in[i]), sl_shape_text(c->in[0]));
  return SL_OK;
}

static sl_status infer_cat(const sl_call *c, void *opts, sl_shapes *s) {
  sl_along_opts *o = opts;
  sl_spec *out = &s->out[0];
  int along;
  SL_TRY(joined_dtype(c, &out->dtype));
  const sl_tensor *first = c->in[0];
  SL_REQUIRE(first->rank > 0, SL_ESHAPE,
             "single numbers have no dimension to join along; use stack");
  SL_TRY(sl_dim(o->dim, first->rank, &along));
  o->dim = along;
  sl_spec_like(out, first);
  for (int i = 1; i < c->n_in; i++) {
    const sl_tensor *t = c->in[i];
    int fits = t->rank == first->rank;
    for (int d = 0; fits && d < t->rank; d++)
      fits = d == along || t->shape[d] == first->shape[d];
    SL_REQUIRE(fits, SL_ESHAPE,
               "tensor %d, %s, does not fit the first, %s, in all dimensions "
               "but %d",
               i + 1, sl_shape_text(t), sl_shape_text(first), along + 1);
    out->shape[along] += t->shape[along];
  }
  return SL_OK;
}

static sl_status infer_stack(const sl_call *c, void *opts, sl_shapes *s) {
  sl_along_opts *o = opts;
  sl_spec *out = &s->out[0];
  int along;
  SL_TRY(joined_dtype(c, &out->dtype));
  const sl_tensor *first = c->in[0];
  SL_REQUIRE(first->rank < SL_MAX_RANK, SL_ESHAPE,
             "%s has %d dimensions already, and no tensor has more",
             sl_shape_text(first), first->rank);
  SL_TRY(sl_dim(o->dim, first->rank + 1, &along));
  o->dim = along;
  for (int i = 1; i < c->n_in; i++)
    SL_REQUIRE(sl_tensor_same_shape(c->in[i], first), SL_ESHAPE,
               "tensor %d, %s, has not the shape of the first, %s", i + 1,
               sl_shape_text(c->in[i]), sl_shape_text(first));
  out->rank = first->rank + 1;
  for (int d = 0; d < out->rank; d++)
    out->shape[d] = d == along ? c->n_in : first->shape[d > along ? d - 1 : d];
  return SL_OK;
}

static const sl_option options[] = {
    SL_OPT_DIM(sl_along_opts, dim, 0, "dimension to join along"),
    SL_OPT_END,
};

#define JOIN(op, text)                                                         \
  const sl_op sl_op_##op = {                                                   \
      .name = #op,                                                             \
      .args = "tensors",                                                       \
      .help = text,                                                            \
      .example =                                                               \
          "return sota." #op "({sota.tensor{1, 2}, sota.tensor{3, 4}})",       \
      .n_in = 1,                                                               \
      .variadic = 1,                                                           \
      .grad_in = 1,                                                            \
      .strided_in = 1,                                                         \
      .opts_size = sizeof(sl_along_opts),                                      \
      .options = options,                                                      \
      .infer = infer_##op,                                                     \
  };

JOIN(cat, "the tensors of a list joined along a dimension")
JOIN(stack, "the tensors of a list, all of one shape, along a new dimension")
