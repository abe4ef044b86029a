/* canvas.c -- a canvas and its shapes; see canvas.h. */
#include "draw/canvas.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "draw/canvas_internal.h"

sl_status sl_bytes_add(sl_bytes *b, const void *from, size_t n) {
  if (b->n + n > b->room) {
    const size_t room = 2 * b->room > b->n + n ? 2 * b->room : b->n + n;
    uint8_t *at = sl_realloc(b->at, room);
    SL_REQUIRE(at, SL_ENOMEM, "out of memory for a picture of %zu bytes", room);
    b->at = at;
    b->room = room;
  }
  if (n > 0) memcpy(b->at + b->n, from, n);
  b->n += n;
  return SL_OK;
}

sl_status sl_cairo_check(cairo_status_t status, const char *doing) {
  if (status == CAIRO_STATUS_SUCCESS) return SL_OK;
  return sl_fail(status == CAIRO_STATUS_NO_MEMORY ? SL_ENOMEM : SL_EINTERNAL,
                 "%s: %s", doing, cairo_status_to_string(status));
}

static int is_length(double v) {
  return v >= 1 && v <= SL_MAX_CANVAS; /* false for NaN */
}

sl_status sl_canvas_new(sl_canvas **out, double width, double height) {
  SL_REQUIRE(is_length(width) && is_length(height), SL_EINVAL,
             "a canvas of %g x %g points; each may be 1 to %d", width, height,
             (int)SL_MAX_CANVAS);
  sl_canvas *c = sl_alloc(1, sizeof *c);
  SL_REQUIRE(c, SL_ENOMEM, "out of memory for a canvas");
  const cairo_rectangle_t all = {0, 0, width, height};
  c->width = width;
  c->height = height;
  c->recording = cairo_recording_surface_create(CAIRO_CONTENT_COLOR, &all);
  c->cr = cairo_create(c->recording);
  const sl_status status = sl_cairo_check(cairo_status(c->cr), "a new canvas");
  if (status != SL_OK) {
    sl_canvas_free(c);
    return status;
  }
  cairo_set_source_rgb(c->cr, 1, 1, 1);
  cairo_paint(c->cr);
  cairo_set_line_join(c->cr, CAIRO_LINE_JOIN_ROUND);
  *out = c;
  return SL_OK;
}

void sl_canvas_free(sl_canvas *c) {
  if (!c) return;
  cairo_destroy(c->cr);
  cairo_surface_destroy(c->recording);
  sl_free(c->texts.at);
  sl_free(c);
}

void sl_canvas_size(const sl_canvas *c, double *width, double *height) {
  *width = c->width;
  *height = c->height;
}

static double channel(int64_t colour, int shift) {
  return (double)((colour >> shift) & 255) / 255.0;
}

int sl_canvas_colour(cairo_t *cr, int64_t colour) {
  if (colour < 0) return 0;
  cairo_set_source_rgba(cr, channel(colour, 24), channel(colour, 16),
                        channel(colour, 8), channel(colour, 0));
  return 1;
}

/* Paints the current path, and forgets it. */
static void paint_path(cairo_t *cr, const sl_paint *p) {
  if (sl_canvas_colour(cr, p->fill)) cairo_fill_preserve(cr);
  if (p->width > 0 && sl_canvas_colour(cr, p->stroke)) {
    cairo_set_line_width(cr, p->width);
    cairo_set_dash(cr, &p->dash, p->dash > 0, 0);
    cairo_stroke_preserve(cr);
  }
  cairo_new_path(cr);
}

void sl_canvas_path(sl_canvas *c, const double *xy, int64_t n,
                    const sl_paint *paint) {
  int pen_up = 1;
  for (int64_t i = 0; i < n; i++) {
    const double x = xy[2 * i], y = xy[2 * i + 1];
    const int is_point = isfinite(x) && isfinite(y);
    if (is_point && pen_up)
      cairo_move_to(c->cr, x, y);
    else if (is_point)
      cairo_line_to(c->cr, x, y);
    pen_up = !is_point;
  }
  if (paint->close) cairo_close_path(c->cr);
  paint_path(c->cr, paint);
}

void sl_canvas_rect(sl_canvas *c, double x, double y, double w, double h,
                    const sl_paint *paint) {
  cairo_rectangle(c->cr, x, y, w, h);
  paint_path(c->cr, paint);
}

void sl_canvas_circle(sl_canvas *c, double x, double y, double r,
                      const sl_paint *paint) {
  cairo_new_sub_path(c->cr);
  cairo_arc(c->cr, x, y, r, 0, 2 * 3.14159265358979323846);
  cairo_close_path(c->cr);
  paint_path(c->cr, paint);
}

void sl_canvas_clip(sl_canvas *c, double x, double y, double w, double h) {
  cairo_save(c->cr);
  cairo_rectangle(c->cr, x, y, w, h);
  cairo_clip(c->cr);
  c->clips++;
}

sl_status sl_canvas_unclip(sl_canvas *c) {
  SL_REQUIRE(c->clips > 0, SL_EINVAL, "unclip without a clip before");
  cairo_restore(c->cr);
  c->clips--;
  return SL_OK;
}
