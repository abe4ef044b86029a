/* reduce.c -- see reduce.h: shapes, and the descriptions of reduce.def, var and
 * std. */
#include "ops/reduce.h"

#include "ops/promote.h"

sl_status sl_reduce_dims(sl_ints *dims, int rank) {
  int chosen[SL_MAX_RANK] = {0};
  for (int i = 0; i < dims->n; i++) {
    int d;
    SL_TRY(sl_dim(dims->v[i], rank, &d));
    SL_REQUIRE(!chosen[d], SL_EINVAL, "dimension %d is given twice", d + 1);
    chosen[d] = 1;
  }
  const int all = dims->n == 0;
  dims->n = 0;
  for (int d = 0; d < rank; d++)
    if (all || chosen[d]) dims->v[dims->n++] = d;
  return SL_OK;
}

void sl_reduce_shape(const sl_tensor *x, const sl_reduce_opts *o,
                     sl_spec *out) {
  out->rank = 0;
  for (int d = 0, i = 0; d < x->rank; d++) {
    const int reduced = i < o->dims.n && o->dims.v[i] == d;
    i += reduced;
    if (!reduced || o->keepdim)
      out->shape[out->rank++] = reduced ? 1 : x->shape[d];
  }
}

int64_t sl_reduce_count(const sl_tensor *x, const sl_ints *dims) {
  int64_t n = 1;
  for (int i = 0; i < dims->n; i++)
    n *= x->shape[dims->v[i]];
  return n;
}

static sl_status infer(const sl_call *c, sl_reduce_opts *o, sl_dtype whole,
                       sl_shapes *s) {
  const sl_tensor *x = c->in[0];
  SL_TRY(sl_reduce_dims(&o->dims, x->rank));
  sl_reduce_shape(x, o, &s->out[0]);
  s->out[0].dtype = sl_dtype_is_float(x->dtype) ? x->dtype : whole;
  return SL_OK;
}

/* clang-format off */
#define DIMS    SL_OPT_DIMS(sl_reduce_opts, dims, "dimensions to reduce; all unless given")
#define KEEPDIM SL_OPT_BOOL(sl_reduce_opts, keepdim, 0, "keep them, with size 1")
/* clang-format on */

static const sl_option options[] = {DIMS, KEEPDIM, SL_OPT_END};

static sl_status infer_flag(const sl_call *c, void *opts, sl_shapes *s) {
  SL_TRY(infer(c, opts, SL_U8, s));
  s->out[0].dtype = SL_U8;
  return SL_OK;
}

#define DESCRIBE(op, text, grad, shape_rule)                                   \
  const sl_op sl_op_##op = {                                                   \
      .name = #op,                                                             \
      .args = "x",                                                             \
      .help = text,                                                            \
      .example =                                                               \
          "return sota." #op "(sota.tensor{{1, 2}, {3, 4}}, {dims = 1})",      \
      .n_in = 1,                                                               \
      .grad_in = grad,                                                         \
      .needs_out = grad,                                                       \
      .opts_size = sizeof(sl_reduce_opts),                                     \
      .options = options,                                                      \
      .infer = shape_rule,                                                     \
  };
#define SL_REDUCE(op, map, finish, slope, whole, text)                         \
  static sl_status infer_##op(const sl_call *c, void *opts, sl_shapes *s) {    \
    return infer(c, opts, whole, s);                                           \
  }                                                                            \
  DESCRIBE(op, text, 1, infer_##op)
#define SL_REDUCE_FLAG(op, map, finish, text)                                  \
  DESCRIBE(op, text " (u8)", 0, infer_flag)
#include "ops/reduce.def"

/* --- var, std: they keep the mean for their gradient -----------------------
 */

static const sl_option spread_options[] = {
    DIMS,
    KEEPDIM,
    SL_OPT_BOOL(sl_reduce_opts, unbiased, 1, "divide by n - 1 instead of n"),
    SL_OPT_END,
};

static sl_status infer_spread(const sl_call *c, void *opts, sl_shapes *s) {
  SL_TRY(infer(c, opts, SL_F32, s));
  s->saved[0] = s->out[0];
  s->saved[0].dtype = SL_F32;
  s->n_saved = 1;
  return SL_OK;
}

#define SPREAD(op, text)                                                       \
  const sl_op sl_op_##op = {                                                   \
      .name = #op,                                                             \
      .args = "x",                                                             \
      .help = text,                                                            \
      .example =                                                               \
          "return sota." #op "(sota.tensor{{1, 2}, {3, 4}}, {dims = 1})",      \
      .n_in = 1,                                                               \
      .grad_in = 1,                                                            \
      .needs_out = 1,                                                          \
      .opts_size = sizeof(sl_reduce_opts),                                     \
      .options = spread_options,                                               \
      .infer = infer_spread,                                                   \
  };

SPREAD(var, "variance of the elements")
SPREAD(std, "standard deviation of the elements")
