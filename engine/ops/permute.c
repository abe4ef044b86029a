/* permute.c -- the dimensions in another order, as a view. */
#include "ops/op.h"

typedef struct opts {
  sl_ints dims;
} opts;

static const sl_option options[] = {
    SL_OPT_NEED_DIMS(opts, dims, "every dimension once, in the new order"),
    SL_OPT_END,
};

static sl_status infer(const sl_call *c, void *p, sl_shapes *s) {
  sl_ints *dims = &((opts *)p)->dims;
  const sl_tensor *x = c->in[0];
  SL_REQUIRE(dims->n == x->rank, SL_ESHAPE,
             "%s has %d dimensions but %d were given", sl_shape_text(x),
             x->rank, dims->n);
  unsigned seen = 0;
  sl_spec_like(&s->out[0], x);
  for (int i = 0; i < dims->n; i++) {
    int d;
    SL_TRY(sl_dim(dims->v[i], x->rank, &d));
    SL_REQUIRE(!(seen & 1u << d), SL_ESHAPE, "dimension %d is given twice",
               d + 1);
    seen |= 1u << d;
    dims->v[i] = d;
    s->out[0].shape[i] = x->shape[d];
  }
  return SL_OK;
}

static void view(const sl_call *c, const sl_spec *out, int64_t *stride,
                 int64_t *offset) {
  const sl_ints *dims = &((const opts *)c->opts)->dims;
  *offset = c->in[0]->offset;
  for (int i = 0; i < out->rank; i++)
    stride[i] = c->in[0]->stride[dims->v[i]];
}

const sl_op sl_op_permute = {
    .name = "permute",
    .args = "x",
    .help = "The dimensions in another order; nothing is copied.",
    .example = "return sota.zeros(2, 3):permute(2, 1)",
    .n_in = 1,
    .grad_in = 1,
    .strided_in = 1,
    .opts_size = sizeof(opts),
    .options = options,
    .infer = infer,
    .view = view,
};
