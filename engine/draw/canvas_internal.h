/* canvas_internal.h -- what the files of draw/ share. */
#ifndef SL_DRAW_CANVAS_INTERNAL_H
#define SL_DRAW_CANVAS_INTERNAL_H

#include <cairo.h>

#include "draw/canvas.h"

struct sl_canvas {
  double width, height;
  cairo_surface_t *recording; /* what was drawn */
  cairo_t *cr;
  int clips;      /* open ones */
  sl_bytes texts; /* each text that was drawn, and a newline */
};

/* The rest of the drawing has this colour; 0 when it is SL_NO_COLOUR. */
int sl_canvas_colour(cairo_t *cr, int64_t colour);

/* SL_OK, or Cairo's own words after `doing`. */
SL_MUST_USE sl_status sl_cairo_check(cairo_status_t status, const char *doing);

#endif
