/* extremum.c -- see extremum.h. */
#include "ops/extremum.h"

sl_reduce_opts sl_extremum_as_reduce(const sl_extremum_opts *o) {
  return (sl_reduce_opts){.dims = o->dim, .keepdim = o->keepdim};
}

static sl_status shape(const sl_call *c, sl_extremum_opts *o, sl_spec *out) {
  const sl_tensor *x = c->in[0];
  SL_TRY(sl_reduce_dims(&o->dim, x->rank));
  SL_REQUIRE(sl_reduce_count(x, &o->dim) > 0, SL_ESHAPE,
             "%s has no elements to choose from", sl_shape_text(x));
  const sl_reduce_opts r = sl_extremum_as_reduce(o);
  sl_reduce_shape(x, &r, out);
  return SL_OK;
}

/* The second result is there when one dimension was asked for. */
static sl_status infer_value(const sl_call *c, void *opts, sl_shapes *s) {
  sl_extremum_opts *o = opts;
  const int one = o->dim.n == 1;
  SL_TRY(shape(c, o, &s->out[0]));
  s->saved[0] = s->out[1] = s->out[0];
  s->out[0].dtype = c->in[0]->dtype;
  s->saved[0].dtype = s->out[1].dtype = SL_I32;
  s->n_saved = 1;
  if (!one) s->out[1].rank = SL_NOT_MADE;
  return SL_OK;
}

static sl_status infer_place(const sl_call *c, void *opts, sl_shapes *s) {
  SL_REQUIRE(((sl_extremum_opts *)opts)->dim.n <= 1, SL_EINVAL,
             "dim must be one dimension");
  s->out[0].dtype = SL_I32;
  return shape(c, opts, &s->out[0]);
}

/* clang-format off */
#define KEEPDIM SL_OPT_BOOL(sl_extremum_opts, keepdim, 0, "keep it, with size 1")
/* clang-format on */

static const sl_option value_options[] = {
    SL_OPT_DIMS(sl_extremum_opts, dim,
                "dimension, or list of them, to look along; all unless given"),
    KEEPDIM,
    SL_OPT_END,
};

static const sl_option place_options[] = {
    SL_OPT_DIMS(sl_extremum_opts, dim,
                "dimension to look along; all unless given"),
    KEEPDIM,
    SL_OPT_END,
};

#define EXTREMUM(op, text, outputs, grad, table, rule)                         \
  const sl_op sl_op_##op = {                                                   \
      .name = #op,                                                             \
      .args = "x",                                                             \
      .help = text,                                                            \
      .example =                                                               \
          "return sota." #op "(sota.tensor{{1, 5}, {3, 4}}, {dim = 2})",       \
      .n_in = 1,                                                               \
      .n_out = outputs,                                                        \
      .grad_in = grad,                                                         \
      .opts_size = sizeof(sl_extremum_opts),                                   \
      .options = table,                                                        \
      .infer = rule,                                                           \
  };

EXTREMUM(max,
         "the largest element; along one dimension also its position there "
         "(i32, from 1)",
         2, 1, value_options, infer_value)
EXTREMUM(min,
         "the smallest element; along one dimension also its position there "
         "(i32, from 1)",
         2, 1, value_options, infer_value)
EXTREMUM(argmax, "position of the largest element (i32, from 1)", 1, 0,
         place_options, infer_place)
EXTREMUM(argmin, "position of the smallest element (i32, from 1)", 1, 0,
         place_options, infer_place)
