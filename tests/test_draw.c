/* test_draw.c -- pictures: the pixels of shapes and images, text, PNG files
 * that libvips reads, SVG with its texts, errors, memory that runs out. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "data/decode.h"
#include "draw/canvas.h"
#include "files.h"
#include "support.h"

#ifdef SL_HAVE_CHAFA
#include "draw/terminal.h"
#endif

static const sl_paint red = {.fill = 0xff0000ff, .stroke = SL_NO_COLOUR};
static const sl_text_style plain = {.size = 12, .colour = 0x000000ff};
static int64_t live;

static void setup(void) {
  t_folder_make();
  sl_cpu.trim(); /* memory of tensors is kept for the next ones */
  live = sl_alloc_live();
}

static void teardown(void) {
  sl_cpu.trim();
  ck_assert_int_eq(sl_alloc_live(), live);
  t_folder_remove();
}

static sl_canvas *canvas(double w, double h) {
  sl_canvas *c = NULL;
  ck_assert_msg(sl_canvas_new(&c, w, h) == SL_OK, "%s", sl_error());
  return c;
}

static sl_tensor *pixels(sl_canvas *c, double scale) {
  sl_tensor *t = NULL;
  ck_assert_msg(sl_canvas_pixels(c, scale, &t) == SL_OK, "%s", sl_error());
  return t;
}

/* 0xRRGGBB at a place. */
static int at(const sl_tensor *t, int x, int y) {
  const uint8_t *p = sl_u8(t) + 3 * (y * t->shape[1] + x);
  return p[0] << 16 | p[1] << 8 | p[2];
}

static int count(const sl_tensor *t, int colour) {
  int n = 0;
  for (int y = 0; y < t->shape[0]; y++)
    for (int x = 0; x < t->shape[1]; x++)
      n += at(t, x, y) == colour;
  return n;
}

START_TEST(rectangle) {
  const int scale = _i;
  sl_canvas *c = canvas(20, 10);
  sl_canvas_rect(c, 5, 2, 4, 3, &red);
  sl_tensor *t = pixels(c, scale);
  ck_assert(t->shape[0] == 10 * scale && t->shape[1] == 20 * scale);
  ck_assert_int_eq(count(t, 0xff0000), 4 * 3 * scale * scale);
  ck_assert_int_eq(count(t, 0xffffff), (200 - 12) * scale * scale);
  ck_assert_int_eq(at(t, 5 * scale, 2 * scale), 0xff0000);
  ck_assert_int_eq(at(t, 9 * scale, 2 * scale), 0xffffff);
  sl_tensor_release(t);
  sl_canvas_free(c);
}
END_TEST

START_TEST(half_opaque) {
  sl_canvas *c = canvas(4, 4);
  const sl_paint p = {.fill = 0x00000080, .stroke = SL_NO_COLOUR};
  sl_canvas_rect(c, 0, 0, 4, 4, &p);
  sl_tensor *t = pixels(c, 1);
  ck_assert_int_eq(count(t, 0x7f7f7f), 16);
  sl_tensor_release(t);
  sl_canvas_free(c);
}
END_TEST

START_TEST(path_with_a_gap) {
  sl_canvas *c = canvas(10, 3);
  const sl_paint p = {.fill = SL_NO_COLOUR, .stroke = 0x0000ffff, .width = 1};
  const double nan = (double)NAN;
  const double xy[] = {0, 1.5, 3, 1.5, nan, 1, 6, 1.5, 10, 1.5};
  sl_canvas_path(c, xy, 5, &p);
  sl_tensor *t = pixels(c, 1);
  ck_assert_int_eq(at(t, 1, 1), 0x0000ff);
  ck_assert_int_eq(at(t, 4, 1), 0xffffff);
  ck_assert_int_eq(at(t, 8, 1), 0x0000ff);
  ck_assert_int_eq(at(t, 1, 0), 0xffffff);
  sl_tensor_release(t);
  sl_canvas_free(c);
}
END_TEST

START_TEST(closed_path_and_circle) {
  sl_canvas *c = canvas(20, 10);
  const double corners[] = {1, 1, 9, 1, 9, 9, 1, 9};
  sl_paint p = red;
  p.close = 1;
  sl_canvas_path(c, corners, 4, &p);
  sl_canvas_circle(c, 15, 5, 3, &red);
  sl_tensor *t = pixels(c, 1);
  ck_assert_int_eq(at(t, 5, 5), 0xff0000);
  ck_assert_int_eq(at(t, 15, 5), 0xff0000);
  ck_assert_int_eq(at(t, 15, 1), 0xffffff);
  ck_assert_int_eq(at(t, 19, 5), 0xffffff);
  sl_tensor_release(t);
  sl_canvas_free(c);
}
END_TEST

START_TEST(clip) {
  sl_canvas *c = canvas(8, 8);
  sl_canvas_clip(c, 2, 2, 4, 4);
  sl_canvas_rect(c, 0, 0, 8, 8, &red);
  ck_assert_int_eq(sl_canvas_unclip(c), SL_OK);
  ck_assert_int_eq(sl_canvas_unclip(c), SL_EINVAL);
  ck_assert_str_eq(sl_error(), "unclip without a clip before");
  sl_tensor *t = pixels(c, 1);
  ck_assert_int_eq(count(t, 0xff0000), 16);
  sl_tensor_release(t);
  sl_canvas_free(c);
}
END_TEST

/* Magnified twice: squares of 2 x 2. */
static void image_gives(sl_tensor *image, const int want[4]) {
  sl_canvas *c = canvas(4, 4);
  ck_assert_msg(sl_canvas_image(c, image, 0, 0, 4, 4, 0) == SL_OK, "%s",
                sl_error());
  sl_tensor *t = pixels(c, 1);
  for (int i = 0; i < 16; i++)
    ck_assert_int_eq(at(t, i % 4, i / 4), want[i / 8 * 2 + i % 4 / 2]);
  sl_tensor_release(t);
  sl_tensor_release(image);
  sl_canvas_free(c);
}

START_TEST(images) {
  const uint8_t bytes[12] = {1, 2, 3, 40, 50, 60, 255, 0, 0, 7, 8, 9};
  const int colours[4] = {0x010203, 0x28323c, 0xff0000, 0x070809};
  image_gives(t_u8(bytes, 3, 2, 2, 3), colours);
  const float shares[4] = {-1, 0.5, 2, (float)NAN};
  const int greys[4] = {0x000000, 0x808080, 0xffffff, 0x000000};
  image_gives(t_f32(shares, 2, 2, 2), greys);
  image_gives(t_f32(shares, 3, 2, 2, 1), greys);
}
END_TEST

START_TEST(images_that_are_none) {
  const uint8_t bytes[12] = {0};
  sl_canvas *c = canvas(4, 4);
  sl_tensor *four = t_u8(bytes, 3, 1, 3, 4), *flat = t_u8(bytes, 1, 12);
  ck_assert_int_eq(sl_canvas_image(c, four, 0, 0, 4, 4, 0), SL_ESHAPE);
  ck_assert_str_eq(sl_error(), "an image is (H, W, 3), (H, W, 1) or (H, W), "
                               "not u8 (1, 3, 4)");
  ck_assert_int_eq(sl_canvas_image(c, flat, 0, 0, 4, 4, 0), SL_ESHAPE);
  sl_tensor *fine = t_u8(bytes, 3, 2, 2, 3);
  ck_assert_int_eq(sl_canvas_image(c, fine, 0, 0, 0, 4, 0), SL_EINVAL);
  ck_assert(strstr(sl_error(), "0 x 4 points"));
  sl_tensor_release(four);
  sl_tensor_release(flat);
  sl_tensor_release(fine);
  sl_canvas_free(c);
}
END_TEST

/* --- text ----------------------------------------------------------------- */

START_TEST(text_lies_where_it_should) {
  sl_canvas *c = canvas(200, 60);
  sl_text_style s = plain;
  double w, h;
  ck_assert_int_eq(sl_canvas_measure(c, "label", &s, &w, &h), SL_OK);
  ck_assert(w > 20 && w < 60 && h > 10 && h < 20);
  s.align = SL_RIGHT;
  s.valign = SL_MIDDLE;
  ck_assert_int_eq(sl_canvas_text(c, 150, 30, "label", &s), SL_OK);
  sl_tensor *t = pixels(c, 1);
  int first = 999, last = -1, top = 999, bottom = -1;
  for (int y = 0; y < 60; y++)
    for (int x = 0; x < 200; x++)
      if (at(t, x, y) != 0xffffff) {
        first = x < first ? x : first;
        last = x > last ? x : last;
        top = y < top ? y : top;
        bottom = y > bottom ? y : bottom;
      }
  ck_assert_int_ge(first, (int)(150 - w));
  ck_assert_int_lt(first, (int)(150 - w) + 4);
  ck_assert(last <= 150 && last > 145);
  ck_assert(top > 30 - h / 2 && bottom < 30 + h / 2);
  sl_tensor_release(t);
  sl_canvas_free(c);
}
END_TEST

START_TEST(long_text_is_cut) {
  sl_canvas *c = canvas(100, 100);
  sl_text_style s = plain;
  double one, w, h;
  const char *text = "a label that is much too long for its place";
  ck_assert_int_eq(sl_canvas_measure(c, "x", &s, &w, &one), SL_OK);
  s.width = 80;
  ck_assert_int_eq(sl_canvas_measure(c, text, &s, &w, &h), SL_OK);
  ck_assert(w <= 80 && h > 2 * one);
  s.lines = 1;
  ck_assert_int_eq(sl_canvas_measure(c, text, &s, &w, &h), SL_OK);
  ck_assert(w <= 80 && fabs(h - one) < 0.5);
  sl_canvas_free(c);
}
END_TEST

/* --- files ---------------------------------------------------------------- */

START_TEST(png_is_read_by_libvips) {
  sl_canvas *c = canvas(7, 5);
  sl_bytes b = {0};
  sl_image m = {0};
  sl_canvas_rect(c, 1, 1, 2, 3, &red);
  ck_assert_int_eq(sl_canvas_png(c, 2, &b), SL_OK);
  const char *path = t_write("a.png", b.at, b.n);
  ck_assert_msg(sl_decode(path, &m) == SL_OK, "%s", sl_error());
  sl_tensor *t = pixels(c, 2);
  ck_assert(m.h == 10 && m.w == 14);
  ck_assert(memcmp(m.px, sl_u8(t), 10 * 14 * 3) == 0);
  sl_tensor_release(t);
  sl_image_clear(&m);
  sl_free(b.at);
  sl_canvas_free(c);
}
END_TEST

START_TEST(svg_has_the_texts) {
  sl_canvas *c = canvas(100, 50);
  sl_bytes b = {0};
  ck_assert_int_eq(sl_canvas_text(c, 5, 5, "a < b & \x01 c", &plain), SL_OK);
  ck_assert_int_eq(sl_canvas_text(c, 5, 25, "bad \xff byte", &plain), SL_OK);
  ck_assert_int_eq(sl_canvas_svg(c, "T & t", &b), SL_OK);
  ck_assert_int_eq(sl_bytes_add(&b, "", 1), SL_OK);
  const char *svg = (const char *)b.at;
  ck_assert(strncmp(svg, "<?xml", 5) == 0);
  ck_assert(strstr(svg, "<title>T &amp; t</title>"));
  ck_assert(strstr(svg, "<desc>a &lt; b &amp;   c\nbad \xef\xbf\xbd byte\n"));
  ck_assert(strstr(svg, "width=\"100px\" height=\"50px\""));
  ck_assert(strstr(svg, "viewBox=\"0 0 100 50\""));
  ck_assert(strstr(svg, "</svg>\n"));
  sl_free(b.at);
  sl_canvas_free(c);
}
END_TEST

START_TEST(sizes_that_are_refused) {
  sl_canvas *c = NULL;
  sl_tensor *t = NULL;
  ck_assert_int_eq(sl_canvas_new(&c, 0, 5), SL_EINVAL);
  ck_assert_str_eq(sl_error(),
                   "a canvas of 0 x 5 points; each may be 1 to 16384");
  ck_assert_int_eq(sl_canvas_new(&c, (double)NAN, 5), SL_EINVAL);
  ck_assert_int_eq(sl_canvas_new(&c, 1e9, 5), SL_EINVAL);
  c = canvas(10000, 10);
  ck_assert_int_eq(sl_canvas_pixels(c, 2, &t), SL_EINVAL);
  ck_assert(strstr(sl_error(), "10000 x 10 points at scale 2"));
  sl_canvas_free(c);
}
END_TEST

/* Draws, and writes both files; each allocation fails in turn. */
static sl_status draw_all(sl_tensor *image, sl_bytes *png, sl_bytes *svg) {
  sl_canvas *c = NULL;
  SL_TRY(sl_canvas_new(&c, 40, 40));
  sl_status status = sl_canvas_text(c, 2, 2, "text", &plain);
  if (status == SL_OK) status = sl_canvas_image(c, image, 0, 0, 8, 8, 0);
  if (status == SL_OK) status = sl_canvas_png(c, 1, png);
  if (status == SL_OK) status = sl_canvas_svg(c, "title", svg);
  sl_canvas_free(c);
  return status;
}

START_TEST(memory_runs_out) {
  const float shares[4] = {0, 1, 0, 1};
  sl_tensor *image = t_f32(shares, 2, 2, 2);
  int n = 1;
  for (sl_status status = SL_ENOMEM; status != SL_OK; n++) {
    sl_bytes png = {0}, svg = {0};
    ck_assert_int_lt(n, 200);
    sl_alloc_fail_at(n);
    status = draw_all(image, &png, &svg);
    sl_alloc_fail_at(0);
    ck_assert(status == SL_OK || status == SL_ENOMEM);
    sl_free(png.at);
    sl_free(svg.at);
  }
  ck_assert_int_gt(n, 6);
  sl_tensor_release(image);
}
END_TEST

/* --- the terminal --------------------------------------------------------- */

#ifdef SL_HAVE_CHAFA
START_TEST(terminals) {
  const struct {
    sl_terminal_mode mode;
    const char *begin;
  } kinds[] = {{SL_TERMINAL_KITTY, "\033_G"},
               {SL_TERMINAL_ITERM2, "\033]1337;File="},
               {SL_TERMINAL_SIXEL, "\033P"}};
  sl_canvas *c = canvas(32, 32);
  sl_canvas_rect(c, 0, 0, 16, 32, &red);
  sl_tensor *t = pixels(c, 1);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    const sl_terminal terminal = {80, 24, 8, 16, kinds[i].mode};
    sl_bytes b = {0};
    ck_assert_int_eq(sl_terminal_text(t, &terminal, &b), SL_OK);
    ck_assert_int_eq(sl_bytes_add(&b, "", 1), SL_OK);
    ck_assert_msg(strstr((char *)b.at, kinds[i].begin), "%s", (char *)b.at);
    sl_free(b.at);
  }
  const sl_terminal none = {0};
  sl_bytes b = {0};
  ck_assert_int_eq(sl_terminal_text(t, &none, &b), SL_EINVAL);
  sl_tensor_release(t);
  sl_canvas_free(c);
}
END_TEST

START_TEST(blocks) {
  sl_canvas *c = canvas(32, 32);
  sl_canvas_rect(c, 0, 0, 16, 32, &red);
  sl_tensor *t = pixels(c, 1);
  const sl_terminal terminal = {4, 6, 8, 16, SL_TERMINAL_BLOCKS};
  sl_bytes b = {0};
  ck_assert_int_eq(sl_terminal_text(t, &terminal, &b), SL_OK);
  int lines = 1;
  for (size_t i = 0; i < b.n; i++)
    lines += b.at[i] == '\n';
  ck_assert_int_eq(lines, 2); /* 4 x 2 characters are as wide as high */
  sl_free(b.at);
  sl_tensor_release(t);
  sl_canvas_free(c);
}
END_TEST
#endif

int main(void) {
  TCase *tc;
  Suite *s = t_suite("draw", &tc);
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_set_timeout(tc, 30);
  tcase_add_loop_test(tc, rectangle, 1, 4);
  tcase_add_test(tc, half_opaque);
  tcase_add_test(tc, path_with_a_gap);
  tcase_add_test(tc, closed_path_and_circle);
  tcase_add_test(tc, clip);
  tcase_add_test(tc, images);
  tcase_add_test(tc, images_that_are_none);
  tcase_add_test(tc, text_lies_where_it_should);
  tcase_add_test(tc, long_text_is_cut);
  tcase_add_test(tc, png_is_read_by_libvips);
  tcase_add_test(tc, svg_has_the_texts);
  tcase_add_test(tc, sizes_that_are_refused);
  tcase_add_test(tc, memory_runs_out);
#ifdef SL_HAVE_CHAFA
  tcase_add_test(tc, terminals);
  tcase_add_test(tc, blocks);
#endif
  return t_main(s);
}
