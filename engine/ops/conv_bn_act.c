/* conv_bn_act.c -- see conv_bn_act.h. */
#include "ops/conv_bn_act.h"

#include "ops/tape.h"

enum { LARGEST = 1 << 20 };

static const sl_option options[] = {
    SL_OPT_INTS(sl_conv_bn_act_opts, stride, 1, 1, LARGEST,
                "step between outputs: one number or {height, width}"),
    SL_OPT_INTS(sl_conv_bn_act_opts, padding, 0, 0, LARGEST,
                "zeros added at each side: one number or {height, width}"),
    SL_OPT_INT(sl_conv_bn_act_opts, groups, 1, 1, LARGEST,
               "groups of the convolution"),
    SL_OPT_FLOAT(sl_conv_bn_act_opts, eps, 1e-5, 0, 1, "added to the variance"),
    SL_OPT_FLOAT(sl_conv_bn_act_opts, momentum, 0.1, 0, 1,
                 "weight of this batch in the running statistics"),
    SL_OPT_BOOL(sl_conv_bn_act_opts, training, 0,
                "normalise by this batch and update the running statistics"),
    SL_OPT_ENUM(sl_conv_bn_act_opts, act, SL_ACT_NONE, sl_act_names,
                "activation of the result"),
    SL_OPT_END,
};

sl_status sl_conv_bn_act_geometry(sl_conv_geometry *g, const sl_call *c,
                                  const sl_conv_bn_act_opts *o) {
  const sl_conv2d_opts conv = {o->stride, o->padding, {1, {1}}, o->groups};
  return sl_conv_geometry_of(g, c->in[SL_CBA_X], c->in[SL_CBA_WEIGHT], &conv);
}

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  const sl_conv_bn_act_opts *o = opts;
  sl_conv_geometry g;
  SL_TRY(sl_conv_bn_act_geometry(&g, c, o));
  SL_TRY(sl_norm_check(c, SL_CBA_GAMMA, g.o, g.n * g.oh * g.ow, o->training));
  sl_conv_spec(&g, c->in[SL_CBA_X]->dtype, &s->out[0]);
  SL_TRY(sl_norm_check_residual(c, SL_CBA_RESIDUAL, &s->out[0]));
  s->lazy = !c->in[SL_CBA_RESIDUAL] && (o->training || sl_tape_enabled());
  s->n_saved = 3; /* y, mean, 1 / sqrt(var + eps) */
  s->saved[0] = s->out[0];
  s->saved[1] = s->saved[2] = (sl_spec){SL_F32, 1, {g.o}};
  return SL_OK;
}

const sl_op sl_op_conv_bn_act = {
    .name = "conv_bn_act",
    .args = "x, weight, gamma, beta, running_mean, running_var [, residual]",
    .help = "Convolution, batch norm, residual and activation in one, the "
            "fastest way to have them: act(batch_norm(conv2d(x, weight)) + "
            "residual).",
    .example = "return sota.conv_bn_act(sota.ones(2, 4, 4, 3), "
               "sota.ones(8, 3, 3, 3), sota.ones(8), sota.zeros(8), "
               "sota.zeros(8), sota.ones(8), {padding = 1, act = 'relu'})"
               ":shape()",
    .n_in = 6,
    .n_optional = 1,
    .grad_in = 1 | 2 | 4 | 8 | 1u << SL_CBA_RESIDUAL,
    .lazy_in = 1 | 1u << SL_CBA_RESIDUAL,
    .written_in = 1 << SL_CBA_MEAN | 1 << SL_CBA_VAR,
    .opts_size = sizeof(sl_conv_bn_act_opts),
    .options = options,
    .infer = infer,
};
