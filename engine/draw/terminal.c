/* terminal.c -- see terminal.h. By libchafa. */
#include "draw/terminal.h"

#include <chafa.h>
#include <sys/ioctl.h>
#include <unistd.h>

const char *const sl_terminal_mode_names[] = {"auto",  "blocks", "sixel",
                                              "kitty", "iterm2", NULL};

static ChafaTermInfo *this_terminal(void) {
  char **environment = g_get_environ();
  ChafaTermInfo *info =
      chafa_term_db_detect(chafa_term_db_get_default(), environment);
  g_strfreev(environment);
  return info;
}

static sl_terminal_mode best_mode(const ChafaTermInfo *info) {
  if (chafa_term_info_have_seq(info,
                               CHAFA_TERM_SEQ_BEGIN_KITTY_IMMEDIATE_IMAGE_V1))
    return SL_TERMINAL_KITTY;
  if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_BEGIN_ITERM2_IMAGE))
    return SL_TERMINAL_ITERM2;
  if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_BEGIN_SIXELS))
    return SL_TERMINAL_SIXEL;
  return SL_TERMINAL_BLOCKS;
}

sl_terminal sl_terminal_find(void) {
  struct winsize size = {0};
  sl_terminal t = {.cell_w = 8, .cell_h = 16};
  if (!isatty(1) || ioctl(1, TIOCGWINSZ, &size) != 0) return t;
  t.columns = size.ws_col > 0 ? size.ws_col : 80;
  t.rows = size.ws_row > 0 ? size.ws_row : 24;
  if (size.ws_xpixel > 0 && size.ws_ypixel > 0) {
    t.cell_w = size.ws_xpixel / t.columns;
    t.cell_h = size.ws_ypixel / t.rows;
  }
  ChafaTermInfo *info = this_terminal();
  t.mode = best_mode(info);
  chafa_term_info_unref(info);
  return t;
}

static ChafaCanvasMode colours_of(const ChafaTermInfo *info) {
  if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_SET_COLOR_FGBG_DIRECT))
    return CHAFA_CANVAS_MODE_TRUECOLOR;
  if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_SET_COLOR_FGBG_256))
    return CHAFA_CANVAS_MODE_INDEXED_240;
  if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_SET_COLOR_FGBG_16))
    return CHAFA_CANVAS_MODE_INDEXED_16;
  return CHAFA_CANVAS_MODE_FGBG;
}

static void use_blocks(ChafaCanvasConfig *config) {
  ChafaSymbolMap *symbols = chafa_symbol_map_new();
  chafa_symbol_map_add_by_tags(symbols,
                               CHAFA_SYMBOL_TAG_BLOCK | CHAFA_SYMBOL_TAG_SPACE);
  chafa_canvas_config_set_symbol_map(config, symbols);
  chafa_symbol_map_unref(symbols);
}

static ChafaCanvasConfig *config_of(const sl_tensor *pixels,
                                    const sl_terminal *t, sl_terminal_mode mode,
                                    const ChafaTermInfo *info) {
  const ChafaPixelMode modes[] = {
      CHAFA_PIXEL_MODE_SYMBOLS, CHAFA_PIXEL_MODE_SYMBOLS,
      CHAFA_PIXEL_MODE_SIXELS, CHAFA_PIXEL_MODE_KITTY, CHAFA_PIXEL_MODE_ITERM2};
  gint w = t->columns, h = t->rows > 2 ? t->rows - 2 : 1;
  const gint natural = ((gint)pixels->shape[1] + t->cell_w - 1) / t->cell_w;
  if (mode != SL_TERMINAL_BLOCKS && w > natural) w = natural;
  chafa_calc_canvas_geometry((gint)pixels->shape[1], (gint)pixels->shape[0], &w,
                             &h, (float)t->cell_w / (float)t->cell_h, TRUE,
                             FALSE);
  ChafaCanvasConfig *config = chafa_canvas_config_new();
  chafa_canvas_config_set_geometry(config, w, h);
  chafa_canvas_config_set_cell_geometry(config, t->cell_w, t->cell_h);
  chafa_canvas_config_set_pixel_mode(config, modes[mode]);
  chafa_canvas_config_set_canvas_mode(
      config, mode == SL_TERMINAL_BLOCKS ? colours_of(info)
                                         : CHAFA_CANVAS_MODE_TRUECOLOR);
  if (mode == SL_TERMINAL_BLOCKS) use_blocks(config);
  return config;
}

/* A mode that was asked for by name is spoken in its own words, even to a
 * terminal that is not known to understand them. */
static void supplement(ChafaTermInfo *info) {
  ChafaTermInfo *all =
      chafa_term_db_get_fallback_info(chafa_term_db_get_default());
  chafa_term_info_supplement(info, all);
  chafa_term_info_unref(all);
}

sl_status sl_terminal_text(sl_tensor *pixels, const sl_terminal *t,
                           sl_bytes *out) {
  SL_REQUIRE(pixels->dtype == SL_U8 && pixels->rank == 3 &&
                 pixels->shape[2] == 3 && sl_tensor_is_contiguous(pixels),
             SL_ESHAPE, "pixels are u8 (H, W, 3), not %s",
             sl_shape_text(pixels));
  SL_REQUIRE(t->columns > 0 && t->rows > 0 && t->cell_w > 0 && t->cell_h > 0,
             SL_EINVAL, "a terminal of %d x %d characters", t->columns,
             t->rows);
  ChafaTermInfo *info = this_terminal();
  const sl_terminal_mode mode =
      t->mode == SL_TERMINAL_AUTO ? best_mode(info) : t->mode;
  ChafaCanvasConfig *config = config_of(pixels, t, mode, info);
  supplement(info);
  ChafaCanvas *canvas = chafa_canvas_new(config);
  const int w = (int)pixels->shape[1], h = (int)pixels->shape[0];
  chafa_canvas_draw_all_pixels(canvas, CHAFA_PIXEL_RGB8, sl_u8(pixels), w, h,
                               3 * w);
  GString *text = chafa_canvas_print(canvas, info);
  const sl_status status = sl_bytes_add(out, text->str, text->len);
  g_string_free(text, TRUE);
  chafa_canvas_unref(canvas);
  chafa_canvas_config_unref(config);
  chafa_term_info_unref(info);
  return status;
}
