/* conv_amx.h -- forward and the input's gradient of a convolution of bf16 in
 * tiles of AMX.
 *
 *   out[p, :] = sum over points t of the kernel: in[p + shift(t), :] * W[t]
 *
 * The input is packed into panels of 32 channels, 64 bytes a pixel, so that any
 * 16 places in a row are a tile. As in wgrad_amx.h borders are places of their
 * own, filled with zeros and shared by rows; a point of the kernel is one
 * shift, and strides are planes: of the input going forward, of the output
 * going back (there the taps of a plane are those that meet its pixels). The
 * results of border places are left out as sums are rounded and stored.
 *
 * Reading lazily normalised rows is part of the packing. A plain product (1x1,
 * stride 1) of rows that need no normalising is read where it lies. */
#ifndef SL_CPU_CONV_AMX_H
#define SL_CPU_CONV_AMX_H

#include "cpu/lazy_rows.h"
#include "ops/conv2d.h"

enum { SL_AMX_STRIDES = 4, SL_AMX_TAPS = 49 };

/* One point of the kernel. */
typedef struct sl_conv_amx_tap {
  int in_plane, out_plane, point;
  int64_t shift; /* places */
} sl_conv_amx_tap;

typedef struct sl_conv_amx {
  sl_conv_geometry g; /* n is not used: images are counted by the calls */
  int back, product;  /* product: units are pixels, else images */
  int64_t in, out;    /* channels of this direction */
  int64_t head, row, step, reach; /* places: see wgrad.h */
  int in_planes, out_planes, taps;
  int64_t in_phase[SL_AMX_STRIDES * SL_AMX_STRIDES][2],
      out_phase[SL_AMX_STRIDES * SL_AMX_STRIDES][2];
  sl_conv_amx_tap tap[SL_AMX_TAPS]; /* by planes of the output */
} sl_conv_amx;

/* Where results go, and what else is done to them. */
typedef struct sl_conv_amx_out {
  sl_bf16 *rows;
  const float *bias; /* may be NULL */
  int relu, add;
} sl_conv_amx_out;

int sl_conv_amx_can(const sl_conv_geometry *g, sl_dtype type);
sl_conv_amx sl_conv_amx_new(const sl_conv_geometry *g, int back, int product);

/* Bytes of the packed weight, and of a worker's memory for so many units. */
size_t sl_conv_amx_weight_bytes(const sl_conv_amx *v);
size_t sl_conv_amx_scratch_bytes(const sl_conv_amx *v, int64_t units);

/* Packs part `worker` of n of the weight (O, KH, KW, C). */
void sl_conv_amx_pack(const sl_conv_amx *v, const float *weight, char *packed,
                      int worker, int n);

void sl_conv_amx_run(const sl_conv_amx *v, int64_t units,
                     const sl_lazy_rows *in, const char *packed,
                     const sl_conv_amx_out *out, char *scratch);

#endif
