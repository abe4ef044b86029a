/* canvas_text.c -- text by Pango; see canvas.h. */
#include <pango/pangocairo.h>
#include <string.h>

#include "base/log.h"
#include "draw/canvas.h"
#include "draw/canvas_internal.h"

/* The first of these that is installed; fontconfig finds what a script lacks.
 */
static const char sans[] = "DejaVu Sans, Noto Sans, Liberation Sans, Sans";
static const char mono[] = "DejaVu Sans Mono, Noto Sans Mono, Monospace";

static PangoFontDescription *font_of(const sl_text_style *s) {
  PangoFontDescription *font = pango_font_description_new();
  pango_font_description_set_family_static(font, s->mono ? mono : sans);
  pango_font_description_set_absolute_size(font, s->size * PANGO_SCALE);
  if (s->bold) pango_font_description_set_weight(font, PANGO_WEIGHT_BOLD);
  return font;
}

/* Pango without any font aborts the program, so it is asked first. */
static int has_font(PangoContext *context, const PangoFontDescription *font) {
  static int warned;
  PangoFont *found = pango_context_load_font(context, font);
  if (found) {
    g_object_unref(found);
    return 1;
  }
  if (!warned++)
    sl_log(SL_LOG_WARN, "no font is installed, so pictures have no text; "
                        "apt-get install fonts-dejavu-core brings one");
  return 0;
}

/* The same widths at every scale: nothing is rounded to pixels. */
static void no_hints(PangoContext *context) {
  cairo_font_options_t *o = cairo_font_options_create();
  cairo_font_options_set_hint_style(o, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(o, CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_antialias(o, CAIRO_ANTIALIAS_GRAY);
  pango_cairo_context_set_font_options(context, o);
  cairo_font_options_destroy(o);
  pango_context_set_round_glyph_positions(context, FALSE);
}

static void set_shape(PangoLayout *layout, const sl_text_style *s) {
  const PangoAlignment align[] = {PANGO_ALIGN_LEFT, PANGO_ALIGN_CENTER,
                                  PANGO_ALIGN_RIGHT};
  pango_layout_set_alignment(layout, align[s->align]);
  if (s->width > 0) {
    pango_layout_set_width(layout, (int)(s->width * PANGO_SCALE));
    pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
  }
  if (s->lines > 0) {
    pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
    pango_layout_set_height(layout, (int)-s->lines);
  }
}

/* The text laid out, for the caller to unref; NULL: there is no font. */
static PangoLayout *layout_of(sl_canvas *c, const char *text,
                              const sl_text_style *s) {
  PangoLayout *layout = pango_cairo_create_layout(c->cr);
  PangoContext *context = pango_layout_get_context(layout);
  PangoFontDescription *font = font_of(s);
  no_hints(context);
  const int found = has_font(context, font);
  if (found) {
    pango_layout_set_font_description(layout, font);
    set_shape(layout, s);
    pango_layout_set_text(layout, text, -1);
  }
  pango_font_description_free(font);
  if (found) return layout;
  g_object_unref(layout);
  return NULL;
}

/* How far (x, y) lies right of the layout's left edge. A layout with a width
 * places its lines within that width. */
static double shift(double taken, const sl_text_style *s) {
  const double all = s->width > 0 ? s->width : taken;
  return s->align == SL_LEFT ? 0 : s->align == SL_CENTRE ? all / 2 : all;
}

static void size_of(PangoLayout *layout, double *w, double *h) {
  int iw, ih;
  pango_layout_get_size(layout, &iw, &ih);
  *w = (double)iw / PANGO_SCALE;
  *h = (double)ih / PANGO_SCALE;
}

static void show(sl_canvas *c, PangoLayout *layout, double x, double y,
                 const sl_text_style *s) {
  double w, h;
  size_of(layout, &w, &h);
  const double up = s->valign == SL_TOP      ? 0
                    : s->valign == SL_MIDDLE ? h / 2
                                             : h;
  cairo_save(c->cr);
  cairo_translate(c->cr, x, y);
  cairo_rotate(c->cr, s->angle * 3.14159265358979323846 / 180);
  cairo_move_to(c->cr, -shift(w, s), -up);
  if (sl_canvas_colour(c->cr, s->colour))
    pango_cairo_show_layout(c->cr, layout);
  cairo_restore(c->cr);
  cairo_new_path(c->cr);
}

sl_status sl_canvas_text(sl_canvas *c, double x, double y, const char *text,
                         const sl_text_style *style) {
  char *valid = g_utf8_make_valid(text, -1);
  PangoLayout *layout = layout_of(c, valid, style);
  if (layout) show(c, layout, x, y, style);
  if (layout) g_object_unref(layout);
  sl_status status = sl_bytes_add(&c->texts, valid, strlen(valid));
  if (status == SL_OK) status = sl_bytes_add(&c->texts, "\n", 1);
  g_free(valid);
  return status;
}

sl_status sl_canvas_measure(sl_canvas *c, const char *text,
                            const sl_text_style *style, double *width,
                            double *height) {
  char *valid = g_utf8_make_valid(text, -1);
  PangoLayout *layout = layout_of(c, valid, style);
  g_free(valid);
  *width = *height = 0;
  if (!layout) return SL_OK;
  size_of(layout, width, height);
  g_object_unref(layout);
  return SL_OK;
}
