/* wgrad.h -- the weight gradient of a convolution as a matrix product.
 *
 *   dW[o, i, j, c] (+)= sum over output pixels p of dY[p, o] * X[p * stride +
 *                       (i, j) * dilation - padding, c]
 *
 * X and dY are first packed into panels, so that the product runs over
 * contiguous memory: X in panels of 16, 32 or 64 channels, dY in panels of 16.
 * In bf16 the processor multiplies pairs along the sum, so two units are
 * interleaved: two adjacent pixels where the convolution is a plain product
 * (1x1, stride 1), else the same pixel of two images; a single last one is
 * paired with zeros. Each point of the kernel is then only an offset into X,
 * and a table of the pixels for which it lies inside needs no borders.
 *
 * (The design and its measurements: reference/cpu.md section 4; f32 and bf16
 * of AVX-512. Where the processor has not these, oneDNN does the work.)
 *
 * dW is collected in f32 as (O, KH * KW, C), O and C rounded up to whole
 * panels.
 *
 * With groups only panels that meet in a group are multiplied. Groups of less
 * than 16 channels share panels: the product of a panel with its own then
 * holds some values of no meaning, which nobody reads. */
#ifndef SL_CPU_WGRAD_H
#define SL_CPU_WGRAD_H

#include "cpu/lazy_rows.h"
#include "ops/conv2d.h"

/* Channels of a panel of dY; elements after each panel, so that panels do not
 * start at the same cache sets. */
enum { SL_WGRAD_PANEL = 16, SL_WGRAD_GAP = 32 };

/* With AMX, where a pair of units lies in a panel: see wgrad_amx.h. */
enum { SL_WGRAD_MAX_STRIDE = 4 };
typedef struct sl_wgrad_places {
  int64_t head, row, step, reach;
  int planes;
  signed char plane[SL_WGRAD_MAX_STRIDE][SL_WGRAD_MAX_STRIDE]; /* -1: none */
} sl_wgrad_places;

typedef struct sl_wgrad {
  sl_conv_geometry g; /* n is not used: units are counted by the calls */
  sl_dtype type;
  int product;            /* units are pixels, else images */
  int pair;               /* units that are interleaved: 1 or 2 */
  int width;              /* channels of a panel of X */
  int64_t x_c;            /* channels of all panels of X */
  int64_t c, o, taps;     /* of the collected dW */
  int64_t x_rows, y_rows; /* pixels of a unit */
  int amx;                /* laid out for wgrad_amx.h, by: */
  sl_wgrad_places places;
} sl_wgrad;

/* Whether this processor runs the kernels for that type and geometry. */
int sl_wgrad_can(const sl_conv_geometry *g, sl_dtype type);
sl_wgrad sl_wgrad_new(const sl_conv_geometry *g, sl_dtype type, int product);

/* Bytes of the panels of so many units; floats of the collected dW for n
 * output channels; bytes of the table that a call of sl_wgrad_add wants. */
size_t sl_wgrad_x_bytes(const sl_wgrad *w, int64_t units);
size_t sl_wgrad_y_bytes(const sl_wgrad *w, int64_t units);
int64_t sl_wgrad_floats(const sl_wgrad *w, int64_t channels);
size_t sl_wgrad_table_bytes(const sl_wgrad *w);

/* Where the tensor's values of output channel o begin in a collected row of
 * `c`. */
int64_t sl_wgrad_column(const sl_wgrad *w, int64_t o);

/* Packs n units of dense rows into panels made for `all` units, at unit
 * `first` (even in bf16; n too, but at the end). Only bf16 may be lazy. */
void sl_wgrad_pack_x(const sl_wgrad *w, void *panels, int64_t all,
                     int64_t first, int64_t n, const sl_lazy_rows *x);
void sl_wgrad_pack_y(const sl_wgrad *w, void *panels, int64_t all,
                     int64_t first, int64_t n, const void *dy);

/* dw (+)= the gradient of output channels [begin, end) (begin: a multiple of
 * 16) over all units of the panels. The panels of dy are of no use after it. */
void sl_wgrad_add(const sl_wgrad *w, const void *x, void *dy, int64_t all,
                  int64_t begin, int64_t end, float *dw, int add, void *table);

/* Inside: the first panel of X that meets panel ob of dY. There are c / width
 * of them. */
int64_t sl_wgrad_first_x_panel(const sl_wgrad *w, int64_t ob);

#endif
