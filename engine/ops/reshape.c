/* reshape.c -- the same elements in another shape, as a view. */
#include <inttypes.h>
#include <string.h>

#include "ops/op.h"

typedef struct opts {
  sl_ints shape;
} opts;

static const sl_option options[] = {
    SL_OPT_NEED_INTS(opts, shape, -1, 1e15,
                     "the new sizes; one may be -1: worked out from the rest"),
    SL_OPT_END,
};

static sl_status infer(const sl_call *c, void *p, sl_shapes *s) {
  const sl_ints *want = &((opts *)p)->shape;
  sl_spec_like(&s->out[0], c->in[0]);
  int64_t known = 1, unknown = -1;
  const int64_t count = sl_tensor_count(c->in[0]);
  for (int i = 0; i < want->n; i++) {
    SL_REQUIRE(want->v[i] != -1 || unknown < 0, SL_ESHAPE,
               "only one size can be -1");
    if (want->v[i] == -1)
      unknown = i;
    else
      known *= want->v[i];
    s->out[0].shape[i] = want->v[i];
  }
  s->out[0].rank = want->n;
  if (unknown >= 0) {
    SL_REQUIRE(known > 0 && count % known == 0, SL_ESHAPE,
               "%s does not divide into pieces of %" PRId64,
               sl_shape_text(c->in[0]), known);
    s->out[0].shape[unknown] = count / known;
    known = count;
  }
  SL_REQUIRE(known == count, SL_ESHAPE,
             "%s has %" PRId64 " elements, the new shape %" PRId64,
             sl_shape_text(c->in[0]), count, known);
  return SL_OK;
}

static void view(const sl_call *c, const sl_spec *out, int64_t *stride,
                 int64_t *offset) {
  *offset = c->in[0]->offset;
  sl_dense_strides(out->rank, out->shape, stride);
}

const sl_op sl_op_reshape = {
    .name = "reshape",
    .args = "x",
    .help = "The same elements, in row-major order, in another shape.",
    .example = "return sota.arange(6):reshape(2, 3)",
    .n_in = 1,
    .grad_in = 1,
    .opts_size = sizeof(opts),
    .options = options,
    .infer = infer,
    .view = view,
};
