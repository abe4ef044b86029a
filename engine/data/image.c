/* image.c -- see image.h. */
#include "data/image.h"

#include "base/alloc.h"

sl_status sl_image_resize(sl_image *m, int h, int w) {
  const size_t bytes = (size_t)h * (size_t)w * 3;
  if (bytes > m->capacity) {
    uint8_t *px = sl_alloc_data(bytes);
    SL_REQUIRE(px, SL_ENOMEM, "no memory for an image of %d x %d pixels", w, h);
    sl_free_data(m->px);
    m->px = px;
    m->capacity = bytes;
  }
  m->h = h;
  m->w = w;
  return SL_OK;
}

void sl_image_clear(sl_image *m) {
  sl_free_data(m->px);
  *m = (sl_image){0};
}
