/* wgrad_tile.h -- the inner loops of wgrad.c: one panel of X against one of
 * dY. */
#ifndef SL_CPU_WGRAD_TILE_H
#define SL_CPU_WGRAD_TILE_H

#include <stdint.h>

#include "tensor/dtype.h"

typedef struct sl_wgrad_tile {
  const char *x, *dy;
  const int32_t *table; /* byte offsets (x, dy) of each pixel; NULL: in order */
  int64_t len;          /* pixels, or pairs of them */
  float *dw;            /* 16 rows, `row` floats apart, of `width` */
  int64_t row;
  int width; /* 16, 32 or 64 */
  int add;   /* dw += instead of dw = */
  sl_dtype type;
} sl_wgrad_tile;

/* Whether this processor has what sl_wgrad_panel needs. */
int sl_wgrad_supported(sl_dtype type);

void sl_wgrad_panel(const sl_wgrad_tile *t);

#endif
