/* max_pool2d.c -- description of max_pool2d: the largest value of each window.
 *
 *   y[n][oh][ow][c] = max of x[n][ih][iw][c] over the window of (oh, ow)
 * The gradient goes to the first pixel of the window, row by row, that has the
 * largest value. A window with a NaN gives NaN, and the gradient goes to its
 * last one. All that is as in PyTorch. */
#include <math.h>

#include "ops/pool.h"

/* MOST: so that a place in a window is one byte. */
enum { MOST = 16, HALF = MOST / 2 };

static const sl_option options[] = {
    SL_OPT_NEED_INTS(sl_max_pool2d_opts, kernel_size, 1, MOST,
                     "window, {height, width} or one number for both"),
    SL_OPT_INTS(sl_max_pool2d_opts, stride, (double)NAN, 1, 65536,
                "step from window to window; kernel_size unless given"),
    SL_OPT_INTS(sl_max_pool2d_opts, padding, 0, 0, HALF,
                "border around the image that no window takes values from"),
    SL_OPT_BOOL(sl_max_pool2d_opts, ceil_mode, 0,
                "keep the partial windows at the far edges"),
    SL_OPT_END,
};

/* Saved: the place of the largest value in its window, kh * kernel_w + kw. */
static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  sl_axis axes[2];
  SL_TRY(sl_max_pool2d_axes(c->in[0], opts, axes));
  sl_spec_like(&s->out[0], c->in[0]);
  s->out[0].shape[1] = axes[0].out;
  s->out[0].shape[2] = axes[1].out;
  s->saved[0] = s->out[0];
  s->saved[0].dtype = SL_U8;
  s->n_saved = 1;
  return SL_OK;
}

const sl_op sl_op_max_pool2d = {
    .name = "max_pool2d",
    .args = "x",
    .help = "The largest value of each window of an image (N, H, W, C).",
    .example = "return sota.max_pool2d(sota.zeros(1, 4, 4, 3), "
               "{kernel_size = 2})",
    .n_in = 1,
    .grad_in = 1,
    .opts_size = sizeof(sl_max_pool2d_opts),
    .options = options,
    .infer = infer,
};
