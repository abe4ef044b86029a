/* pixels.c -- see pixels.h. */
#include "data/pixels.h"

#include <string.h>

void sl_rgb_from_grey8(const void *in, int n, int bands, uint8_t *out) {
  const uint8_t *p = in;
  for (int i = 0; i < n; i++, p += bands, out += 3)
    out[0] = out[1] = out[2] = p[0];
}

void sl_rgb_from_grey16(const void *in, int n, int bands, uint8_t *out) {
  const uint16_t *p = in;
  for (int i = 0; i < n; i++, p += bands, out += 3)
    out[0] = out[1] = out[2] = (uint8_t)(p[0] >> 8);
}

void sl_rgb_from_rgb8(const void *in, int n, int bands, uint8_t *out) {
  const uint8_t *p = in;
  if (bands == 3) {
    memcpy(out, p, (size_t)n * 3);
    return;
  }
  for (int i = 0; i < n; i++, p += bands, out += 3)
    memcpy(out, p, 3);
}

void sl_rgb_from_rgb16(const void *in, int n, int bands, uint8_t *out) {
  const uint16_t *p = in;
  for (int i = 0; i < n; i++, p += bands, out += 3)
    for (int c = 0; c < 3; c++)
      out[c] = (uint8_t)(p[c] >> 8);
}

/* a * b / 255, rounded, without dividing (Pillow's MULDIV255). */
static int times(int a, int b) {
  const int t = a * b + 128;
  return ((t >> 8) + t) >> 8;
}

void sl_rgb_from_cmyk(const void *in, int n, int bands, uint8_t *out) {
  const uint8_t *p = in;
  for (int i = 0; i < n; i++, p += bands, out += 3) {
    const int light = 255 - p[3];
    for (int c = 0; c < 3; c++)
      out[c] = (uint8_t)(light - times(p[c], light));
  }
}

/* Orientation as three switches: rows and columns swapped, then the upright
 * picture read from the right, from below. */
sl_status sl_image_orient(const sl_image *src, int orientation, sl_image *dst) {
  static const struct {
    int swap, right, below;
  } turns[9] = {{0, 0, 0}, {0, 0, 0}, {0, 1, 0}, {0, 1, 1}, {0, 0, 1},
                {1, 0, 0}, {1, 0, 1}, {1, 1, 1}, {1, 1, 0}};
  const int swap = turns[orientation].swap;
  SL_TRY(swap ? sl_image_resize(dst, src->w, src->h)
              : sl_image_resize(dst, src->h, src->w));
  uint8_t *out = dst->px;
  for (int y = 0; y < dst->h; y++)
    for (int x = 0; x < dst->w; x++, out += 3) {
      int sy = swap ? x : y, sx = swap ? y : x;
      if (turns[orientation].right) sx = src->w - 1 - sx;
      if (turns[orientation].below) sy = src->h - 1 - sy;
      memcpy(out, src->px + ((size_t)sy * (size_t)src->w + (size_t)sx) * 3, 3);
    }
  return SL_OK;
}
