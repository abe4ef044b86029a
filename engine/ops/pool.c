/* pool.c -- see pool.h. */
#include "ops/pool.h"

#include <inttypes.h>

/* With ceil_mode a partial window at the end counts, but not one that lies in
 * the padding alone. 0: there is no window. */
static int64_t outputs(const sl_axis *a, int ceil_mode) {
  const int64_t room = a->in + 2 * a->pad - a->kernel;
  if (!ceil_mode) return room < 0 ? 0 : room / a->stride + 1;
  if (room <= -a->stride) return 0;
  const int64_t n = sl_ceil_div(room, a->stride) + 1;
  return (n - 1) * a->stride >= a->in + a->pad ? n - 1 : n;
}

/* --- both axes ------------------------------------------------------------ */

static const char *const side[] = {"height", "width"};

static sl_status check_images(const sl_tensor *x) {
  SL_REQUIRE(sl_dtype_is_float(x->dtype) && x->rank == 4, SL_ESHAPE,
             "x must be f32 or bf16 (N, H, W, C), not %s", sl_shape_text(x));
  SL_REQUIRE(x->shape[1] > 0 && x->shape[2] > 0, SL_ESHAPE,
             "images without pixels: %s", sl_shape_text(x));
  return SL_OK;
}

static sl_status sliding(const sl_tensor *x, sl_axis *a, int i, int ceil_mode) {
  a->in = x->shape[1 + i];
  SL_REQUIRE(2 * a->pad <= a->kernel, SL_EINVAL,
             "padding %" PRId64 " is more than half of kernel_size %" PRId64,
             a->pad, a->kernel);
  a->out = outputs(a, ceil_mode);
  SL_REQUIRE(a->out > 0, SL_ESHAPE,
             "kernel_size %" PRId64 " is larger than the %s %" PRId64
             " with padding %" PRId64 " of x %s",
             a->kernel, side[i], a->in, a->pad, sl_shape_text(x));
  return SL_OK;
}

static sl_status window_axes(const sl_tensor *x, const sl_ints *kernel,
                             const sl_ints *stride, const sl_ints *padding,
                             int ceil_mode, sl_axis axes[2]) {
  sl_axis *h = &axes[0], *w = &axes[1];
  *h = *w = (sl_axis){0};
  SL_TRY(check_images(x));
  SL_TRY(sl_pair(kernel, "kernel_size", &h->kernel, &w->kernel));
  SL_TRY(
      sl_pair(stride->n ? stride : kernel, "stride", &h->stride, &w->stride));
  SL_TRY(sl_pair(padding, "padding", &h->pad, &w->pad));
  SL_TRY(sliding(x, h, 0, ceil_mode));
  return sliding(x, w, 1, ceil_mode);
}

sl_status sl_max_pool2d_axes(const sl_tensor *x, const sl_max_pool2d_opts *o,
                             sl_axis axes[2]) {
  return window_axes(x, &o->kernel_size, &o->stride, &o->padding, o->ceil_mode,
                     axes);
}

sl_status sl_avg_pool2d_axes(const sl_tensor *x, const sl_avg_pool2d_opts *o,
                             sl_axis axes[2]) {
  SL_TRY(window_axes(x, &o->kernel_size, &o->stride, &o->padding, o->ceil_mode,
                     axes));
  axes[0].count_pad = axes[1].count_pad = o->count_include_pad;
  return SL_OK;
}

sl_status sl_adaptive_avg_pool2d_axes(const sl_tensor *x,
                                      const sl_adaptive_avg_pool2d_opts *o,
                                      sl_axis axes[2]) {
  axes[0] = axes[1] = (sl_axis){0};
  SL_TRY(check_images(x));
  axes[0].in = x->shape[1];
  axes[1].in = x->shape[2];
  return sl_pair(&o->output_size, "output_size", &axes[0].out, &axes[1].out);
}

sl_status sl_global_pool_axes(const sl_tensor *x, sl_axis axes[2]) {
  SL_TRY(check_images(x));
  axes[0] = (sl_axis){.in = x->shape[1], .out = 1};
  axes[1] = (sl_axis){.in = x->shape[2], .out = 1};
  return SL_OK;
}
