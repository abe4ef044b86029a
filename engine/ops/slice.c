/* slice.c -- part of a tensor along one dimension, as a view. */
#include <inttypes.h>

#include "ops/op.h"

typedef struct opts {
  int64_t dim, first, last, step;
} opts;

static const sl_option options[] = {
    SL_OPT_DIM(opts, dim, 0, "the dimension to cut"),
    SL_OPT_DIM(opts, first, 0, "first row kept; negative: from the end"),
    SL_OPT_DIM(opts, last, -1, "last row kept; negative: from the end"),
    SL_OPT_INT(opts, step, 1, 1, 1e15, "take every step-th row"),
    SL_OPT_END,
};

static int64_t row(int64_t v, int64_t n) {
  return v < 0 ? v + n : v;
}

static sl_status infer(const sl_call *c, void *p, sl_shapes *s) {
  opts *o = p;
  const sl_tensor *x = c->in[0];
  int d;
  SL_TRY(sl_dim(o->dim, x->rank, &d));
  const int64_t n = x->shape[d];
  o->dim = d;
  o->first = row(o->first, n);
  o->last = row(o->last, n);
  SL_REQUIRE(o->first >= 0 && o->last < n && o->first <= o->last + 1, SL_ESHAPE,
             "rows %" PRId64 " to %" PRId64 " are not within 1 to %" PRId64
             " of dimension %d",
             o->first + 1, o->last + 1, n, d + 1);
  sl_spec_like(&s->out[0], x);
  s->out[0].shape[d] = (o->last - o->first) / o->step + (o->last >= o->first);
  return SL_OK;
}

static void view(const sl_call *c, const sl_spec *out, int64_t *stride,
                 int64_t *offset) {
  const opts *o = c->opts;
  const sl_tensor *x = c->in[0];
  for (int i = 0; i < out->rank; i++)
    stride[i] = x->stride[i];
  *offset = x->offset + o->first * x->stride[o->dim];
  stride[o->dim] *= o->step;
}

const sl_op sl_op_slice = {
    .name = "slice",
    .args = "x",
    .help = "Rows first to last (both included) of one dimension; nothing is "
            "copied.",
    .example = "return sota.arange(10):slice{first = 3, last = 5}",
    .n_in = 1,
    .grad_in = 1,
    .strided_in = 1,
    .opts_size = sizeof(opts),
    .options = options,
    .infer = infer,
    .view = view,
};
