/* wgrad_amx_tile.h -- the inner loops of wgrad_amx.c. */
#ifndef SL_CPU_WGRAD_AMX_TILE_H
#define SL_CPU_WGRAD_AMX_TILE_H

#include <stdint.h>

typedef struct sl_wgrad_amx_tile {
  const char *x, *dy; /* the first place of a panel; the first tile */
  int64_t len;        /* tiles along the sum: of 16 places */
  int64_t x_row;      /* bytes from one place of x to the next */
  int64_t y_panel;    /* bytes from a panel of dY to the next */
  float *dw;          /* 16 rows a panel, `row` floats apart, of `width` */
  int64_t row;
  int width;  /* 16 or 32 */
  int panels; /* of dY: 1 or 2 */
  int add;    /* dw += instead of dw = */
} sl_wgrad_amx_tile;

/* Between sl_amx_begin and sl_amx_end. */
void sl_wgrad_amx_panels(const sl_wgrad_amx_tile *t);

/* Each of n blocks of 16 places by 16 channels of 4 bytes becomes 16 channels
 * by 16 places. */
void sl_wgrad_amx_transpose(char *blocks, int64_t n);

#endif
