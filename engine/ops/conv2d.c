/* conv2d.c -- see conv2d.h. */
#include "ops/conv2d.h"

#include <inttypes.h>

enum { LARGEST = 1 << 20 }; /* of an option: keeps sums in range */

static const sl_option options[] = {
    SL_OPT_INTS(sl_conv2d_opts, stride, 1, 1, LARGEST,
                "step between outputs: one number or {height, width}"),
    SL_OPT_INTS(sl_conv2d_opts, padding, 0, 0, LARGEST,
                "zeros added at each side: one number or {height, width}"),
    SL_OPT_INTS(sl_conv2d_opts, dilation, 1, 1, LARGEST,
                "distance between the kernel's points"),
    SL_OPT_INT(sl_conv2d_opts, groups, 1, 1, LARGEST,
               "input and output channels are cut into so many parts that do "
               "not see each other"),
    SL_OPT_END,
};

static sl_status check_tensors(const sl_tensor *x, const sl_tensor *w) {
  SL_REQUIRE(sl_dtype_is_float(x->dtype) && x->rank == 4, SL_ESHAPE,
             "x must be f32 or bf16 (N, H, W, C), not %s", sl_shape_text(x));
  SL_REQUIRE(w->dtype == SL_F32 && w->rank == 4, SL_ESHAPE,
             "weight must be f32 (O, KH, KW, C/groups), not %s",
             sl_shape_text(w));
  SL_REQUIRE(sl_tensor_count(x) > 0, SL_ESHAPE, "x is empty: %s",
             sl_shape_text(x));
  SL_REQUIRE(sl_tensor_count(w) > 0, SL_ESHAPE, "weight is empty: %s",
             sl_shape_text(w));
  return SL_OK;
}

static sl_status check_groups(const sl_conv_geometry *g, int64_t per_group) {
  SL_REQUIRE(g->c % g->groups == 0 && g->o % g->groups == 0, SL_ESHAPE,
             "groups = %" PRId64 " does not divide both %" PRId64
             " input and %" PRId64 " output channels",
             g->groups, g->c, g->o);
  SL_REQUIRE(per_group == g->c / g->groups, SL_ESHAPE,
             "x has %" PRId64 " channels%s but weight is for %" PRId64
             " (its last size)",
             g->c / g->groups, g->groups > 1 ? " per group" : "", per_group);
  return SL_OK;
}

static sl_status out_size(int64_t size, int64_t kernel, int64_t stride,
                          int64_t padding, int64_t dilation, const char *what,
                          int64_t *out) {
  const int64_t span = dilation * (kernel - 1) + 1, room = size + 2 * padding;
  SL_REQUIRE(stride >= 1 && padding >= 0 && dilation >= 1, SL_EINVAL,
             "stride and dilation must be at least 1, padding at least 0");
  SL_REQUIRE(span <= room, SL_ESHAPE,
             "the kernel's %s is %" PRId64 " but x has only %" PRId64
             " with its padding",
             what, span, room);
  *out = (room - span) / stride + 1;
  return SL_OK;
}

sl_status sl_conv_geometry_of(sl_conv_geometry *g, const sl_tensor *x,
                              const sl_tensor *weight,
                              const sl_conv2d_opts *opts) {
  SL_TRY(check_tensors(x, weight));
  *g = (sl_conv_geometry){
      .n = x->shape[0],
      .h = x->shape[1],
      .w = x->shape[2],
      .c = x->shape[3],
      .o = weight->shape[0],
      .kh = weight->shape[1],
      .kw = weight->shape[2],
      .groups = opts->groups,
  };
  SL_TRY(sl_pair(&opts->stride, "stride", &g->stride[0], &g->stride[1]));
  SL_TRY(sl_pair(&opts->padding, "padding", &g->padding[0], &g->padding[1]));
  SL_TRY(
      sl_pair(&opts->dilation, "dilation", &g->dilation[0], &g->dilation[1]));
  SL_REQUIRE(g->groups >= 1, SL_EINVAL,
             "groups must be at least 1, not %" PRId64, g->groups);
  SL_TRY(check_groups(g, weight->shape[3]));
  SL_TRY(out_size(g->h, g->kh, g->stride[0], g->padding[0], g->dilation[0],
                  "height", &g->oh));
  return out_size(g->w, g->kw, g->stride[1], g->padding[1], g->dilation[1],
                  "width", &g->ow);
}

void sl_conv_spec(const sl_conv_geometry *g, sl_dtype dtype, sl_spec *out) {
  *out = (sl_spec){dtype, 4, {g->n, g->oh, g->ow, g->o}};
}

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  sl_conv_geometry g;
  SL_TRY(sl_conv_geometry_of(&g, c->in[0], c->in[1], opts));
  const sl_tensor *bias = c->in[2];
  SL_REQUIRE(!bias || (bias->dtype == SL_F32 && bias->rank == 1 &&
                       bias->shape[0] == g.o),
             SL_ESHAPE, "bias must be f32 (%" PRId64 "), not %s", g.o,
             bias ? sl_shape_text(bias) : "");
  sl_conv_spec(&g, c->in[0]->dtype, &s->out[0]);
  return SL_OK;
}

const sl_op sl_op_conv2d = {
    .name = "conv2d",
    .args = "x, weight [, bias]",
    .help = "Convolution. x is (N, H, W, C), weight (O, KH, KW, C/groups), "
            "bias (O), both f32; the result is (N, OH, OW, O) of x's type.",
    .example = "return sota.conv2d(sota.ones(1, 5, 5, 3), "
               "sota.ones(2, 3, 3, 3), {padding = 1, stride = 2}):shape()",
    .n_in = 2,
    .n_optional = 1,
    .grad_in = 7,
    .lazy_in = 1,
    .opts_size = sizeof(sl_conv2d_opts),
    .options = options,
    .infer = infer,
};
