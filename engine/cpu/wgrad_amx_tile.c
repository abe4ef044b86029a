/* wgrad_amx_tile.c -- see wgrad_amx_tile.h.
 *
 * Of the eight tiles four hold sums (16 output by 16 input channels each), two
 * dY and two X: each one that is loaded takes part in two products. */
#include "cpu/wgrad_amx_tile.h"

#include "cpu/amx.h"

#ifdef __x86_64__

/* O panels of dY by V tiles of X; tile numbers must be constants. */
#define PANELS(name, O, V)                                                     \
  SL_AMX static void name(const sl_wgrad_amx_tile *t) {                        \
    const int64_t stride = t->row * (int64_t)sizeof(float);                    \
    float *low = t->dw + 16 * t->row;                                          \
    const char *x = t->x, *y = t->dy;                                          \
    if (t->add) {                                                              \
      _tile_loadd(0, t->dw, stride);                                           \
      if ((V) > 1) _tile_loadd(1, t->dw + 16, stride);                         \
      if ((O) > 1) _tile_loadd(2, low, stride);                                \
      if ((O) > 1 && (V) > 1) _tile_loadd(3, low + 16, stride);                \
    } else {                                                                   \
      _tile_zero(0);                                                           \
      _tile_zero(1);                                                           \
      _tile_zero(2);                                                           \
      _tile_zero(3);                                                           \
    }                                                                          \
    for (int64_t k = 0; k < t->len; k++) {                                     \
      _tile_loadd(4, y, 64);                                                   \
      _tile_loadd(6, x, t->x_row);                                             \
      _tile_dpbf16ps(0, 4, 6);                                                 \
      if ((V) > 1) _tile_loadd(7, x + 64, t->x_row);                           \
      if ((V) > 1) _tile_dpbf16ps(1, 4, 7);                                    \
      if ((O) > 1) _tile_loadd(5, y + t->y_panel, 64);                         \
      if ((O) > 1) _tile_dpbf16ps(2, 5, 6);                                    \
      if ((O) > 1 && (V) > 1) _tile_dpbf16ps(3, 5, 7);                         \
      y += 1024;                                                               \
      x += 16 * t->x_row;                                                      \
    }                                                                          \
    _tile_stored(0, t->dw, stride);                                            \
    if ((V) > 1) _tile_stored(1, t->dw + 16, stride);                          \
    if ((O) > 1) _tile_stored(2, low, stride);                                 \
    if ((O) > 1 && (V) > 1) _tile_stored(3, low + 16, stride);                 \
  }

PANELS(one_by_one, 1, 1)
PANELS(one_by_two, 1, 2)
PANELS(two_by_one, 2, 1)
PANELS(two_by_two, 2, 2)

void sl_wgrad_amx_panels(const sl_wgrad_amx_tile *t) {
  if (t->panels == 1)
    t->width == 16 ? one_by_one(t) : one_by_two(t);
  else
    t->width == 16 ? two_by_one(t) : two_by_two(t);
}

SL_AMX
void sl_wgrad_amx_transpose(char *blocks, int64_t n) {
  for (int64_t k = 0; k < n; k++, blocks += 1024) {
    __m512i r[16];
    for (int i = 0; i < 16; i++)
      r[i] = _mm512_loadu_si512(blocks + 64 * i);
    sl_amx_transpose(r);
    for (int i = 0; i < 16; i++)
      _mm512_storeu_si512(blocks + 64 * i, r[i]);
  }
}

#else

void sl_wgrad_amx_panels(const sl_wgrad_amx_tile *t) {
  (void)t; /* never called: sl_amx_usable says no */
}

void sl_wgrad_amx_transpose(char *blocks, int64_t n) {
  (void)blocks, (void)n;
}

#endif
