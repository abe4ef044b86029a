/* global_max_pool.c -- description of global_max_pool.
 *
 *   y[n][c] = max of x[n][h][w][c] over h and w
 * The gradient goes to the first pixel that has the largest value, or to the
 * last NaN: as max_pool2d of a window that large. */
#include "ops/pool.h"

/* Saved: that pixel, h * W + w. */
static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  (void)opts;
  const sl_tensor *x = c->in[0];
  sl_axis axes[2];
  SL_TRY(sl_global_pool_axes(x, axes));
  s->out[0] = (sl_spec){x->dtype, 2, {x->shape[0], x->shape[3]}};
  s->saved[0] = s->out[0];
  s->saved[0].dtype = SL_I32;
  s->n_saved = 1;
  return SL_OK;
}

const sl_op sl_op_global_max_pool = {
    .name = "global_max_pool",
    .args = "x",
    .help = "The largest value over all pixels: (N, H, W, C) becomes (N, C).",
    .example = "return sota.global_max_pool(sota.ones(2, 4, 4, 3))",
    .n_in = 1,
    .grad_in = 1,
    .infer = infer,
};
