/* wgrad_amx.h -- the weight gradient of wgrad.h in tiles of AMX.
 *
 * A tile of X is 16 places (pairs of pixels) by 16 channels, one of dY the
 * same transposed. So that any 16 places in a row can be a tile, borders are
 * places of their own, filled with zeros: rows lie `row` places apart, pairs of
 * images `step` places, and a point of the kernel is one shift for all of them.
 * The same places hold pixels of X and of dY. A border is shared: what is left
 * of a row is right of the row before.
 *
 * With strides X is cut into planes, one for each remainder of its coordinates
 * by the stride that some point of the kernel meets: inside a plane the
 * stride is 1. */
#ifndef SL_CPU_WGRAD_AMX_H
#define SL_CPU_WGRAD_AMX_H

#include "cpu/wgrad.h"

int sl_wgrad_amx_can(const sl_conv_geometry *g, sl_dtype type);
int sl_wgrad_amx_width(const sl_conv_geometry *g);
void sl_wgrad_amx_lay_out(sl_wgrad *w);

/* As those of wgrad.h. */
size_t sl_wgrad_amx_x_bytes(const sl_wgrad *w, int64_t units);
size_t sl_wgrad_amx_y_bytes(const sl_wgrad *w, int64_t units);
void sl_wgrad_amx_pack_x(const sl_wgrad *w, void *panels, int64_t all,
                         int64_t first, int64_t n, const sl_lazy_rows *x);
void sl_wgrad_amx_pack_y(const sl_wgrad *w, void *panels, int64_t all,
                         int64_t first, int64_t n, const void *dy);
void sl_wgrad_amx_add(const sl_wgrad *w, const void *x, void *dy, int64_t all,
                      int64_t begin, int64_t end, float *dw, int add);

#endif
