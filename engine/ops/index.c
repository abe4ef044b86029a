/* index.c -- see index.h. */
#include "ops/index.h"

static sl_status check(const sl_call *c, sl_along_opts *o, int *dim) {
  const sl_tensor *x = c->in[0], *index = c->in[1];
  SL_REQUIRE(index->dtype == SL_I32, SL_ESHAPE,
             "index must be i32 numbers from 1, not %s", sl_shape_text(index));
  SL_REQUIRE(x->rank > 0, SL_ESHAPE, "a single number cannot be indexed");
  SL_TRY(sl_dim(o->dim, x->rank, dim));
  o->dim = *dim;
  return SL_OK;
}

static sl_status infer_gather(const sl_call *c, void *opts, sl_shapes *s) {
  const sl_tensor *x = c->in[0], *index = c->in[1];
  int dim;
  SL_TRY(check(c, opts, &dim));
  int fits = index->rank == x->rank;
  for (int d = 0; fits && d < x->rank; d++)
    fits = d == dim || index->shape[d] == x->shape[d];
  SL_REQUIRE(fits, SL_ESHAPE,
             "index, %s, must have the shape of x, %s, but in dimension %d",
             sl_shape_text(index), sl_shape_text(x), dim + 1);
  sl_spec_like(&s->out[0], index);
  s->out[0].dtype = x->dtype;
  return SL_OK;
}

static sl_status infer_index_select(const sl_call *c, void *opts,
                                    sl_shapes *s) {
  const sl_tensor *x = c->in[0], *index = c->in[1];
  int dim;
  SL_TRY(check(c, opts, &dim));
  SL_REQUIRE(index->rank == 1, SL_ESHAPE, "index must have rank 1, not %s",
             sl_shape_text(index));
  sl_spec_like(&s->out[0], x);
  s->out[0].shape[dim] = index->shape[0];
  return SL_OK;
}

static sl_status infer_one_hot(const sl_call *c, void *opts, sl_shapes *s) {
  const sl_tensor *index = c->in[0];
  SL_REQUIRE(index->dtype == SL_I32, SL_ESHAPE,
             "class numbers must be i32, from 1, not %s", sl_shape_text(index));
  SL_REQUIRE(index->rank < SL_MAX_RANK, SL_ESHAPE,
             "%s has %d dimensions already, and no tensor has more",
             sl_shape_text(index), index->rank);
  sl_spec_like(&s->out[0], index);
  s->out[0].dtype = SL_F32;
  s->out[0].shape[s->out[0].rank++] = ((sl_one_hot_opts *)opts)->classes;
  return SL_OK;
}

static const sl_option options[] = {
    SL_OPT_DIM(sl_along_opts, dim, 0, "dimension of x that is indexed"),
    SL_OPT_END,
};

const sl_op sl_op_gather = {
    .name = "gather",
    .args = "x, index",
    .help = "for each place the element of x that index names along dim",
    .example = "return sota.gather(sota.tensor{{1, 2}, {3, 4}}, "
               "sota.tensor({{2}, {1}}, {dtype = 'i32'}), {dim = 2})",
    .n_in = 2,
    .grad_in = 1,
    .opts_size = sizeof(sl_along_opts),
    .options = options,
    .infer = infer_gather,
};

const sl_op sl_op_index_select = {
    .name = "index_select",
    .args = "x, index",
    .help = "the slices of x that a list of numbers names along dim",
    .example = "return sota.index_select(sota.tensor{{1, 2}, {3, 4}}, "
               "sota.tensor({2, 2, 1}, {dtype = 'i32'}))",
    .n_in = 2,
    .grad_in = 1,
    .opts_size = sizeof(sl_along_opts),
    .options = options,
    .infer = infer_index_select,
};

static const sl_option one_hot_options[] = {
    SL_OPT_NEED_INT(sl_one_hot_opts, classes, 1, 2147483647.0,
                    "how many classes there are"),
    SL_OPT_END,
};

const sl_op sl_op_one_hot = {
    .name = "one_hot",
    .args = "index",
    .help = "a last dimension with 1 at the class that index names, else 0",
    .example = "return sota.one_hot(sota.tensor({2, 1}, {dtype = 'i32'}), "
               "{classes = 3})",
    .n_in = 1,
    .opts_size = sizeof(sl_one_hot_opts),
    .options = one_hot_options,
    .infer = infer_one_hot,
};
