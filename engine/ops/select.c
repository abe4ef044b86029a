/* select.c -- one row of a dimension, which disappears, as a view. */
#include <inttypes.h>

#include "ops/op.h"

typedef struct opts {
  int64_t dim, index;
} opts;

static const sl_option options[] = {
    SL_OPT_DIM(opts, dim, 0, "the dimension that disappears"),
    SL_OPT_DIM(opts, index, 0, "the row kept; negative: from the end"),
    SL_OPT_END,
};

static sl_status infer(const sl_call *c, void *p, sl_shapes *s) {
  opts *o = p;
  const sl_tensor *x = c->in[0];
  int d;
  SL_TRY(sl_dim(o->dim, x->rank, &d));
  const int64_t n = x->shape[d];
  SL_REQUIRE(o->index >= -n && o->index < n, SL_ESHAPE,
             "row %" PRId64 " of a dimension of %" PRId64,
             o->index + (o->index >= 0), n);
  o->dim = d;
  if (o->index < 0) o->index += n;
  s->out[0].dtype = x->dtype;
  for (int i = 0; i < x->rank; i++)
    if (i != d) s->out[0].shape[s->out[0].rank++] = x->shape[i];
  return SL_OK;
}

static void view(const sl_call *c, const sl_spec *out, int64_t *stride,
                 int64_t *offset) {
  const opts *o = c->opts;
  const sl_tensor *x = c->in[0];
  (void)out;
  *offset = x->offset + o->index * x->stride[o->dim];
  for (int i = 0, k = 0; i < x->rank; i++)
    if (i != o->dim) stride[k++] = x->stride[i];
}

const sl_op sl_op_select = {
    .name = "select",
    .args = "x",
    .help = "One row of a dimension, without that dimension; nothing is "
            "copied.",
    .example = "return sota.zeros(2, 3):select(2, 1)",
    .n_in = 1,
    .grad_in = 1,
    .strided_in = 1,
    .opts_size = sizeof(opts),
    .options = options,
    .infer = infer,
    .view = view,
};
