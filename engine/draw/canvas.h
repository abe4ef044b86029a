/* canvas.h -- pictures: shapes, text and images, written as PNG or SVG.
 *
 * The folder: canvas.c has the shapes, canvas_text.c text (Pango),
 * canvas_image.c images, canvas_write.c the files, terminal.c pictures as text
 * for a terminal (libchafa). It is the only user of Cairo, Pango and chafa.
 *
 * A canvas keeps what was drawn and not pixels, so one canvas can be written
 * as PNG at any scale and as SVG. Lengths are in points, one pixel each at
 * scale 1; x goes right and y down from the upper left corner. Colours are
 * 0xRRGGBBAA; SL_NO_COLOUR draws nothing. A canvas begins white. Drawing cannot
 * fail in itself: what Cairo could not do is told when the canvas is written.
 *
 * Only one thread at a time may draw. Fonts stay in the caches of fontconfig,
 * Pango and Cairo until the program ends; of each SVG with text Cairo 1.16 also
 * keeps some 2 kB. */
#ifndef SL_DRAW_CANVAS_H
#define SL_DRAW_CANVAS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/tensor.h"

typedef struct sl_canvas sl_canvas;

enum { SL_NO_COLOUR = -1, SL_MAX_CANVAS = 16384 };

/* How a shape is painted: its inside, then its line. */
typedef struct sl_paint {
  int64_t fill, stroke; /* 0xRRGGBBAA, or SL_NO_COLOUR */
  double width;         /* of the line */
  double dash;          /* length of dashes and gaps; 0: a full line */
  int close;            /* a path's end is joined to its beginning */
} sl_paint;

enum { SL_LEFT, SL_CENTRE, SL_RIGHT };
enum { SL_TOP, SL_MIDDLE, SL_BOTTOM };

typedef struct sl_text_style {
  double size; /* of the font */
  int64_t colour;
  int bold, mono;
  int align, valign; /* which point of the text (x, y) is */
  double width;      /* longer lines are wrapped; 0: never */
  int64_t lines;     /* more than these end in an ellipsis; 0: any number */
  double angle;      /* in degrees, clockwise, about (x, y) */
} sl_text_style;

/* A white canvas. width and height: 1 to SL_MAX_CANVAS. */
SL_MUST_USE sl_status sl_canvas_new(sl_canvas **out, double width,
                                    double height);
void sl_canvas_free(sl_canvas *c); /* NULL is allowed */
void sl_canvas_size(const sl_canvas *c, double *width, double *height);

/* A line through n points x0 y0 x1 y1...; one that is not finite interrupts
 * it. */
void sl_canvas_path(sl_canvas *c, const double *xy, int64_t n,
                    const sl_paint *paint);
void sl_canvas_rect(sl_canvas *c, double x, double y, double w, double h,
                    const sl_paint *paint);
void sl_canvas_circle(sl_canvas *c, double x, double y, double r,
                      const sl_paint *paint);

/* What is drawn until sl_canvas_unclip shows in this rectangle only. Clips
 * nest. */
void sl_canvas_clip(sl_canvas *c, double x, double y, double w, double h);
SL_MUST_USE sl_status sl_canvas_unclip(sl_canvas *c);

/* Text in UTF-8; bytes that are not are replaced. Where no font is installed
 * there is no text, and a warning in the log. */
SL_MUST_USE sl_status sl_canvas_text(sl_canvas *c, double x, double y,
                                     const char *text,
                                     const sl_text_style *style);
/* What that text would take, before it is turned. */
SL_MUST_USE sl_status sl_canvas_measure(sl_canvas *c, const char *text,
                                        const sl_text_style *style,
                                        double *width, double *height);

/* An image stretched over that rectangle: (H, W, 3) or grey (H, W) or (H, W,
 * 1), u8, or numbers of which 0 is black and 1 is full. smooth: magnified
 * pixels blend instead of showing as squares. */
SL_MUST_USE sl_status sl_canvas_image(sl_canvas *c, sl_tensor *image, double x,
                                      double y, double w, double h, int smooth);

/* Bytes of a file; at is freed by sl_free. */
typedef struct sl_bytes {
  uint8_t *at;
  size_t n, room;
} sl_bytes;

SL_MUST_USE sl_status sl_bytes_add(sl_bytes *b, const void *from, size_t n);

/* The canvas as a file; out must be empty. scale: pixels per point. An SVG's
 * letters are shapes; its <desc> has the texts, for search and for readers that
 * speak. */
SL_MUST_USE sl_status sl_canvas_png(sl_canvas *c, double scale, sl_bytes *out);
SL_MUST_USE sl_status sl_canvas_svg(sl_canvas *c, const char *title,
                                    sl_bytes *out);

/* The canvas as pixels: u8 (H, W, 3) on the CPU. */
SL_MUST_USE sl_status sl_canvas_pixels(sl_canvas *c, double scale,
                                       sl_tensor **out);

#endif
