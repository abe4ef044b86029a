/* canvas_image.c -- images in a picture; see canvas.h. */
#include <math.h>

#include "base/alloc.h"
#include "draw/canvas.h"
#include "draw/canvas_internal.h"

static sl_status check_shape(const sl_tensor *t) {
  SL_REQUIRE(t->rank == 2 ||
                 (t->rank == 3 && (t->shape[2] == 3 || t->shape[2] == 1)),
             SL_ESHAPE, "an image is (H, W, 3), (H, W, 1) or (H, W), not %s",
             sl_shape_text(t));
  for (int d = 0; d < 2; d++)
    SL_REQUIRE(t->shape[d] >= 1 && t->shape[d] <= SL_MAX_CANVAS, SL_ESHAPE,
               "an image has 1 to %d rows and columns, not %s",
               (int)SL_MAX_CANVAS, sl_shape_text(t));
  return SL_OK;
}

static uint8_t byte_of(float v) {
  return !(v > 0) ? 0 : v >= 1 ? 255 : (uint8_t)lrintf(v * 255);
}

/* The image's n values as bytes; freed by sl_free. */
static sl_status read_bytes(sl_tensor *t, uint8_t **out) {
  const int64_t n = sl_tensor_count(t);
  uint8_t *bytes = sl_alloc((size_t)n, 1);
  SL_REQUIRE(bytes, SL_ENOMEM, "out of memory for an image");
  *out = bytes;
  if (t->dtype == SL_U8) return sl_tensor_read(t, SL_U8, bytes, n);
  float *values = sl_alloc((size_t)n, sizeof *values);
  SL_REQUIRE(values, SL_ENOMEM, "out of memory for an image");
  const sl_status status = sl_tensor_read(t, SL_F32, values, n);
  for (int64_t i = 0; i < n; i++)
    bytes[i] = byte_of(values[i]);
  sl_free(values);
  return status;
}

/* Cairo's RGB24: a pixel is a native uint32_t 0x00RRGGBB. */
static void to_rows(cairo_surface_t *s, const uint8_t *from, int channels) {
  const int w = cairo_image_surface_get_width(s);
  const int h = cairo_image_surface_get_height(s);
  const int stride = cairo_image_surface_get_stride(s);
  unsigned char *data = cairo_image_surface_get_data(s);
  cairo_surface_flush(s);
  for (int y = 0; y < h; y++) {
    uint32_t *row = (uint32_t *)(void *)(data + (ptrdiff_t)y * stride);
    for (int x = 0; x < w; x++, from += channels) {
      const uint8_t g = from[channels == 3 ? 1 : 0];
      const uint8_t b = from[channels == 3 ? 2 : 0];
      row[x] = (uint32_t)from[0] << 16 | (uint32_t)g << 8 | b;
    }
  }
  cairo_surface_mark_dirty(s);
}

static void stretch(cairo_t *cr, cairo_surface_t *s, double x, double y,
                    double w, double h, int smooth) {
  const double sx = w / cairo_image_surface_get_width(s);
  const double sy = h / cairo_image_surface_get_height(s);
  const int squares = !smooth && sx >= 1 && sy >= 1;
  cairo_save(cr);
  cairo_translate(cr, x, y);
  cairo_scale(cr, sx, sy);
  cairo_set_source_surface(cr, s, 0, 0);
  cairo_pattern_set_filter(cairo_get_source(cr),
                           squares ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_BEST);
  cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
  cairo_rectangle(cr, 0, 0, w / sx, h / sy);
  cairo_fill(cr);
  cairo_restore(cr);
}

sl_status sl_canvas_image(sl_canvas *c, sl_tensor *image, double x, double y,
                          double w, double h, int smooth) {
  uint8_t *bytes = NULL;
  SL_TRY(check_shape(image));
  SL_REQUIRE(w > 0 && h > 0, SL_EINVAL,
             "an image is drawn %g x %g points large; both must be above 0", w,
             h);
  sl_status status = read_bytes(image, &bytes);
  if (status == SL_OK) {
    cairo_surface_t *s = cairo_image_surface_create(
        CAIRO_FORMAT_RGB24, (int)image->shape[1], (int)image->shape[0]);
    status = sl_cairo_check(cairo_surface_status(s), "an image");
    if (status == SL_OK) {
      to_rows(s, bytes, image->rank == 3 ? (int)image->shape[2] : 1);
      stretch(c->cr, s, x, y, w, h, smooth);
    }
    cairo_surface_destroy(s);
  }
  sl_free(bytes);
  return status;
}
