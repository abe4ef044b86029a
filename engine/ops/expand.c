/* expand.c -- dimensions of size 1 repeated without copying. */
#include <inttypes.h>

#include "ops/op.h"

typedef struct opts {
  sl_ints shape;
} opts;

static const sl_option options[] = {
    SL_OPT_NEED_INTS(opts, shape, -1, 1e15,
                     "the new sizes; -1 keeps a dimension's own"),
    SL_OPT_END,
};

static sl_status infer(const sl_call *c, void *p, sl_shapes *s) {
  const sl_ints *want = &((opts *)p)->shape;
  const sl_tensor *x = c->in[0];
  const int extra = want->n - x->rank;
  SL_REQUIRE(extra >= 0, SL_ESHAPE, "%s cannot become %d-dimensional",
             sl_shape_text(x), want->n);
  s->out[0].dtype = x->dtype;
  s->out[0].rank = want->n;
  for (int i = 0; i < want->n; i++) {
    const int64_t have = i < extra ? 1 : x->shape[i - extra];
    const int64_t size = want->v[i] == -1 ? have : want->v[i];
    SL_REQUIRE(have == 1 || have == size, SL_ESHAPE,
               "dimension %d of %s is %" PRId64
               "; only a 1 can be expanded to %" PRId64,
               i + 1, sl_shape_text(x), have, size);
    s->out[0].shape[i] = size;
  }
  return SL_OK;
}

static void view(const sl_call *c, const sl_spec *out, int64_t *stride,
                 int64_t *offset) {
  const sl_tensor *x = c->in[0];
  const int extra = out->rank - x->rank;
  *offset = x->offset;
  for (int i = 0; i < out->rank; i++)
    stride[i] =
        i < extra || x->shape[i - extra] == 1 ? 0 : x->stride[i - extra];
}

const sl_op sl_op_expand = {
    .name = "expand",
    .args = "x",
    .help = "Repeats dimensions of size 1 without copying; new ones come in "
            "front.",
    .example = "return sota.ones(1, 3):expand(2, 3)",
    .n_in = 1,
    .grad_in = 1,
    .strided_in = 1,
    .opts_size = sizeof(opts),
    .options = options,
    .infer = infer,
    .view = view,
};
