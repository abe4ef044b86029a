/* sort.c -- see sort.h. */
#include "ops/sort.h"

static sl_status shape(const sl_call *c, sl_sort_opts *o, sl_spec *out) {
  const sl_tensor *x = c->in[0];
  int d;
  SL_REQUIRE(x->rank > 0, SL_ESHAPE, "a single number has nothing to sort");
  SL_TRY(sl_dim(o->dim, x->rank, &d));
  SL_REQUIRE(x->shape[d] <= INT32_MAX, SL_ESHAPE, "%s is too long to sort",
             sl_shape_text(x));
  o->dim = d;
  sl_spec_like(out, x);
  return SL_OK;
}

/* The positions are a result, and kept for the gradient. */
static void positions(sl_shapes *s) {
  s->out[1] = s->out[0];
  s->out[1].dtype = SL_I32;
  s->saved[0] = s->out[1];
  s->n_saved = 1;
}

static sl_status infer_sort(const sl_call *c, void *opts, sl_shapes *s) {
  SL_TRY(shape(c, opts, &s->out[0]));
  positions(s);
  return SL_OK;
}

static sl_status infer_argsort(const sl_call *c, void *opts, sl_shapes *s) {
  SL_TRY(shape(c, opts, &s->out[0]));
  s->out[0].dtype = SL_I32;
  return SL_OK;
}

static sl_status infer_topk(const sl_call *c, void *opts, sl_shapes *s) {
  sl_sort_opts *o = opts;
  SL_TRY(shape(c, o, &s->out[0]));
  const int64_t n = c->in[0]->shape[o->dim];
  SL_REQUIRE(o->k <= n, SL_EINVAL,
             "k is %lld, but dimension %lld has only %lld elements",
             (long long)o->k, (long long)o->dim + 1, (long long)n);
  s->out[0].shape[o->dim] = o->k;
  o->descending = o->largest;
  positions(s);
  return SL_OK;
}

/* clang-format off */
#define DIM SL_OPT_DIM(sl_sort_opts, dim, -1, "dimension to sort along")
#define DESCENDING SL_OPT_BOOL(sl_sort_opts, descending, 0, "largest first")
/* clang-format on */

static const sl_option sort_options[] = {DIM, DESCENDING, SL_OPT_END};

static const sl_option topk_options[] = {
    SL_OPT_NEED_INT(sl_sort_opts, k, 0, 2147483647.0, "how many"),
    DIM,
    SL_OPT_BOOL(sl_sort_opts, largest, 1, "the largest, else the smallest"),
    SL_OPT_END,
};

const sl_op sl_op_sort = {
    .name = "sort",
    .args = "x",
    .help = "x sorted along dim, and the positions (i32, from 1) it came from",
    .example = "return sota.sort(sota.tensor{3, 1, 2}, {descending = true})",
    .n_in = 1,
    .n_out = 2,
    .grad_in = 1,
    .opts_size = sizeof(sl_sort_opts),
    .options = sort_options,
    .infer = infer_sort,
};

const sl_op sl_op_argsort = {
    .name = "argsort",
    .args = "x",
    .help = "the positions (i32, from 1) of x's elements in sorted order",
    .example = "return sota.argsort(sota.tensor{3, 1, 2})",
    .n_in = 1,
    .opts_size = sizeof(sl_sort_opts),
    .options = sort_options,
    .infer = infer_argsort,
};

const sl_op sl_op_topk = {
    .name = "topk",
    .args = "x",
    .help = "the k largest (or smallest) along dim in order, and their "
            "positions (i32, from 1)",
    .example = "return sota.topk(sota.tensor{3, 1, 2}, {k = 2})",
    .n_in = 1,
    .n_out = 2,
    .grad_in = 1,
    .opts_size = sizeof(sl_sort_opts),
    .options = topk_options,
    .infer = infer_topk,
};
