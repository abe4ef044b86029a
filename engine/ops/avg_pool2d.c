/* avg_pool2d.c -- descriptions of avg_pool2d, adaptive_avg_pool2d and
 * global_avg_pool: means over windows.
 *
 *   y[n][oh][ow][c] = sum of x[n][ih][iw][c] over the window of (oh, ow), / D
 * D is the number of pixels in the window as clipped to the image or, with
 * count_include_pad, to the image with its padding. fastai's and timm's
 * shortcuts, with ceil_mode and no padding, are the former; PyTorch's AvgPool2d
 * with padding is the latter unless told otherwise. */
#include <math.h>

#include "ops/pool.h"

static const sl_option options[] = {
    SL_OPT_NEED_INTS(sl_avg_pool2d_opts, kernel_size, 1, 65536,
                     "window, {height, width} or one number for both"),
    SL_OPT_INTS(sl_avg_pool2d_opts, stride, (double)NAN, 1, 65536,
                "step from window to window; kernel_size unless given"),
    SL_OPT_INTS(sl_avg_pool2d_opts, padding, 0, 0, 32768,
                "border around the image"),
    SL_OPT_BOOL(sl_avg_pool2d_opts, ceil_mode, 0,
                "keep the partial windows at the far edges"),
    SL_OPT_BOOL(sl_avg_pool2d_opts, count_include_pad, 0,
                "count the border as zeros in the mean"),
    SL_OPT_END,
};

static sl_status images(const sl_call *c, const sl_axis axes[2], sl_shapes *s) {
  sl_spec_like(&s->out[0], c->in[0]);
  s->out[0].shape[1] = axes[0].out;
  s->out[0].shape[2] = axes[1].out;
  return SL_OK;
}

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  sl_axis axes[2];
  SL_TRY(sl_avg_pool2d_axes(c->in[0], opts, axes));
  return images(c, axes, s);
}

const sl_op sl_op_avg_pool2d = {
    .name = "avg_pool2d",
    .args = "x",
    .help = "The mean of each window of an image (N, H, W, C). Partial windows "
            "are averaged over the pixels they have.",
    .example = "return sota.avg_pool2d(sota.ones(1, 5, 5, 3), "
               "{kernel_size = 2, ceil_mode = true})",
    .n_in = 1,
    .grad_in = 1,
    .opts_size = sizeof(sl_avg_pool2d_opts),
    .options = options,
    .infer = infer,
};

static const sl_option adaptive_options[] = {
    SL_OPT_NEED_INTS(sl_adaptive_avg_pool2d_opts, output_size, 1, 65536,
                     "{height, width} of the result, or one number for both"),
    SL_OPT_END,
};

static sl_status infer_adaptive(const sl_call *c, void *opts, sl_shapes *s) {
  sl_axis axes[2];
  SL_TRY(sl_adaptive_avg_pool2d_axes(c->in[0], opts, axes));
  return images(c, axes, s);
}

const sl_op sl_op_adaptive_avg_pool2d = {
    .name = "adaptive_avg_pool2d",
    .args = "x",
    .help = "The means of output_size bins, nearly equal and overlapping by a "
            "pixel where need be, of an image (N, H, W, C) of any size.",
    .example = "return sota.adaptive_avg_pool2d(sota.ones(1, 5, 7, 3), "
               "{output_size = {2, 3}})",
    .n_in = 1,
    .grad_in = 1,
    .opts_size = sizeof(sl_adaptive_avg_pool2d_opts),
    .options = adaptive_options,
    .infer = infer_adaptive,
};

static sl_status infer_global(const sl_call *c, void *opts, sl_shapes *s) {
  (void)opts;
  const sl_tensor *x = c->in[0];
  sl_axis axes[2];
  SL_TRY(sl_global_pool_axes(x, axes));
  s->out[0] = (sl_spec){x->dtype, 2, {x->shape[0], x->shape[3]}};
  return SL_OK;
}

const sl_op sl_op_global_avg_pool = {
    .name = "global_avg_pool",
    .args = "x",
    .help = "The mean over all pixels: (N, H, W, C) becomes (N, C).",
    .example = "return sota.global_avg_pool(sota.ones(2, 4, 4, 3))",
    .n_in = 1,
    .grad_in = 1,
    .infer = infer_global,
};
