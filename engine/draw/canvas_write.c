/* canvas_write.c -- a canvas as PNG, SVG or pixels; see canvas.h. */
#include <cairo-svg.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "draw/canvas.h"
#include "draw/canvas_internal.h"

static cairo_status_t take_bytes(void *to, const unsigned char *data,
                                 unsigned n) {
  return sl_bytes_add(to, data, n) == SL_OK ? CAIRO_STATUS_SUCCESS
                                            : CAIRO_STATUS_NO_MEMORY;
}

/* Draws the canvas onto another surface. */
static sl_status replay(sl_canvas *c, cairo_surface_t *onto, double scale) {
  SL_TRY(sl_cairo_check(cairo_status(c->cr), "drawing"));
  cairo_t *cr = cairo_create(onto);
  cairo_scale(cr, scale, scale);
  cairo_set_source_surface(cr, c->recording, 0, 0);
  cairo_paint(cr);
  const cairo_status_t status = cairo_status(cr);
  cairo_destroy(cr);
  return sl_cairo_check(status, "drawing");
}

/* A surface of pixels with the canvas on it, for the caller to destroy. */
static sl_status rasterise(sl_canvas *c, double scale, cairo_surface_t **out) {
  const double w = ceil(c->width * scale), h = ceil(c->height * scale);
  SL_REQUIRE(w >= 1 && h >= 1 && w <= SL_MAX_CANVAS && h <= SL_MAX_CANVAS,
             SL_EINVAL,
             "a picture of %g x %g points at scale %g; it may be 1 to %d "
             "pixels wide and high",
             c->width, c->height, scale, (int)SL_MAX_CANVAS);
  cairo_surface_t *s =
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)w, (int)h);
  sl_status status = sl_cairo_check(cairo_surface_status(s), "a picture");
  if (status == SL_OK) status = replay(c, s, scale);
  if (status != SL_OK) {
    cairo_surface_destroy(s);
    return status;
  }
  cairo_surface_flush(s);
  *out = s;
  return SL_OK;
}

sl_status sl_canvas_png(sl_canvas *c, double scale, sl_bytes *out) {
  cairo_surface_t *s = NULL;
  SL_TRY(rasterise(c, scale, &s));
  const sl_status status = sl_cairo_check(
      cairo_surface_write_to_png_stream(s, take_bytes, out), "writing a PNG");
  cairo_surface_destroy(s);
  return status;
}

static void from_rows(cairo_surface_t *s, uint8_t *to) {
  const int w = cairo_image_surface_get_width(s);
  const int h = cairo_image_surface_get_height(s);
  const int stride = cairo_image_surface_get_stride(s);
  const unsigned char *data = cairo_image_surface_get_data(s);
  for (int y = 0; y < h; y++) {
    const uint32_t *row =
        (const uint32_t *)(const void *)(data + (ptrdiff_t)y * stride);
    for (int x = 0; x < w; x++) {
      *to++ = (uint8_t)(row[x] >> 16);
      *to++ = (uint8_t)(row[x] >> 8);
      *to++ = (uint8_t)row[x];
    }
  }
}

sl_status sl_canvas_pixels(sl_canvas *c, double scale, sl_tensor **out) {
  cairo_surface_t *s = NULL;
  SL_TRY(rasterise(c, scale, &s));
  const int64_t shape[3] = {cairo_image_surface_get_height(s),
                            cairo_image_surface_get_width(s), 3};
  const sl_status status = sl_tensor_new(out, &sl_cpu, SL_U8, 3, shape);
  if (status == SL_OK) from_rows(s, sl_u8(*out));
  cairo_surface_destroy(s);
  return status;
}

/* --- SVG ------------------------------------------------------------------ */

static sl_status add_text(sl_bytes *out, const char *text) {
  return sl_bytes_add(out, text, strlen(text));
}

/* XML's special letters by their names; control characters, which XML has not,
 * as spaces. */
static sl_status add_escaped(sl_bytes *out, const uint8_t *text, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const char ch = (char)text[i];
    if (ch == '<' || ch == '>' || ch == '&')
      SL_TRY(add_text(out, ch == '<' ? "&lt;" : ch == '>' ? "&gt;" : "&amp;"));
    else
      SL_TRY(sl_bytes_add(out, text[i] < 32 && ch != '\n' ? " " : &ch, 1));
  }
  return SL_OK;
}

/* The SVG with numbers cut to 2 decimal places, which saves a third: Cairo
 * writes 6. Those in parentheses (matrices, colours) stay as they are. */
static sl_status add_shortened(sl_bytes *out, const char *text) {
  int depth = 0, decimals = -1; /* -1: not behind a decimal point */
  for (const char *from = text; *text; text++) {
    depth += (*text == '(') - (*text == ')');
    const int is_digit = *text >= '0' && *text <= '9';
    decimals = *text == '.' ? 0 : decimals >= 0 && is_digit ? decimals + 1 : -1;
    const int cut = depth == 0 && decimals > 2;
    if (!cut && text[1]) continue;
    SL_TRY(sl_bytes_add(out, from, (size_t)(text + !cut - from)));
    from = text + 1;
  }
  return SL_OK;
}

/* Cairo's SVG with the texts put behind its opening tag. */
static sl_status describe(const sl_bytes *svg, const sl_canvas *c,
                          const char *title, sl_bytes *out) {
  const char *text = (const char *)svg->at;
  const char *tag = strstr(text, "<svg");
  const char *end = tag ? strchr(tag, '>') : NULL;
  SL_REQUIRE(end, SL_EINTERNAL, "Cairo wrote an SVG without <svg>");
  SL_TRY(sl_bytes_add(out, text, (size_t)(tag - text)));
  SL_TRY(add_text(out, "<svg role=\"img\""));
  SL_TRY(sl_bytes_add(out, tag + 4, (size_t)(end + 1 - (tag + 4))));
  SL_TRY(add_text(out, "\n<title>"));
  SL_TRY(add_escaped(out, (const uint8_t *)title, strlen(title)));
  SL_TRY(add_text(out, "</title>\n<desc>"));
  SL_TRY(add_escaped(out, c->texts.at, c->texts.n));
  SL_TRY(add_text(out, "</desc>"));
  return add_shortened(out, end + 1);
}

sl_status sl_canvas_svg(sl_canvas *c, const char *title, sl_bytes *out) {
  sl_bytes svg = {0};
  cairo_surface_t *s = cairo_svg_surface_create_for_stream(take_bytes, &svg,
                                                           c->width, c->height);
  cairo_svg_surface_set_document_unit(s, CAIRO_SVG_UNIT_PX);
  sl_status status = replay(c, s, 1);
  cairo_surface_finish(s);
  if (status == SL_OK)
    status = sl_cairo_check(cairo_surface_status(s), "writing an SVG");
  cairo_surface_destroy(s);
  if (status == SL_OK) status = sl_bytes_add(&svg, "", 1); /* a C string */
  if (status == SL_OK) status = describe(&svg, c, title, out);
  sl_free(svg.at);
  return status;
}
