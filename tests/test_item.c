/* test_item.c -- item transforms: fastai's geometry and pixels, and the
 * pipeline from a file to a slot of the batch. */
#include "data/item.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>

#include "base/alloc.h"
#include "data/decode.h"
#include "data/item_geometry.h"
#include "files.h"
#include "golden.h"
#include "support.h"

static json_t *vectors;
static int64_t live;

static void setup(void) {
  t_folder_make();
  vectors = t_golden("resize.json");
  live = sl_alloc_live();
}

static void teardown(void) {
  ck_assert_int_eq(sl_alloc_live(), live);
  json_decref(vectors);
  t_folder_remove();
}

/* --- geometry ------------------------------------------------------------- */

static int method_of(json_t *text) {
  static const char *const names[] = {"crop", "squish", "pad"};
  for (int i = 0; i < 3; i++)
    if (strcmp(json_string_value(text), names[i]) == 0) return i;
  ck_abort_msg("unknown method");
  return 0;
}

START_TEST(resize_geometry) {
  json_t *row, *rows = t_member(t_member(vectors, "resize_geometry"), "rows");
  size_t i;
  json_array_foreach(rows, i, row) {
    const sl_hw size = {(int)t_at(row, 4), (int)t_at(row, 3)};
    sl_item_view v;
    sl_resize_box((int)t_at(row, 0), (int)t_at(row, 1), size,
                  method_of(json_array_get(row, 2)), t_at(row, 5), t_at(row, 6),
                  &v);
    const int got[4] = {v.w, v.h, v.x, v.y};
    for (size_t k = 0; k < 4; k++)
      ck_assert_msg(got[k] == (int)t_at(row, 7 + k), "row %zu, column %zu", i,
                    7 + k);
  }
  ck_assert_uint_eq(i, 162);
}
END_TEST

START_TEST(rrc_draws) {
  json_t *row;
  size_t i;
  json_array_foreach(t_member(vectors, "rrc_draws"), i, row) {
    json_t *ratio = t_member(row, "ratio");
    const sl_random_resized_crop_opts o = {
        .min_scale = t_number(row, "min_scale"),
        .max_scale = t_number(row, "max_scale"),
        .ratio = {t_at(ratio, 0), t_at(ratio, 1)}};
    int w, h;
    const int fits =
        sl_rrc_try(t_int(row, "w"), t_int(row, "h"), &o,
                   t_number(row, "u_area"), t_number(row, "u_ratio"), &w, &h);
    ck_assert_int_eq(w, t_int(row, "nw"));
    ck_assert_int_eq(h, t_int(row, "nh"));
    ck_assert_int_eq(fits, json_is_true(t_member(row, "accepted")));
  }
}
END_TEST

START_TEST(rrc_valid_size) {
  const char *side;
  json_t *want;
  json_object_foreach(t_member(vectors, "rrc_valid_final_size"), side, want) {
    const int n = atoi(side);
    ck_assert_int_eq(n + sl_rrc_extra((sl_hw){n, n}, 0.14),
                     (int)json_integer_value(want));
  }
}
END_TEST

/* By hand from the formulas: too narrow, too wide, allowed. */
START_TEST(rrc_fallback) {
  const sl_random_resized_crop_opts o = {.ratio = {0.75, 4. / 3}};
  int w, h;
  sl_rrc_fallback(100, 400, &o, &w, &h);
  ck_assert(w == 100 && h == 133);
  sl_rrc_fallback(400, 100, &o, &w, &h);
  ck_assert(w == 133 && h == 100);
  sl_rrc_fallback(110, 100, &o, &w, &h);
  ck_assert(w == 110 && h == 100);
}
END_TEST

START_TEST(halves) {
  static const int cases[][2] = {{5, 2},   {4, 2},   {0, 0},
                                 {-1, -1}, {-4, -2}, {-5, -3}};
  for (size_t i = 0; i < 6; i++)
    ck_assert_int_eq(sl_half(cases[i][0]), cases[i][1]);
}
END_TEST

/* A box as large as can be still has a pixel: 1 x 30000 to 460. */
START_TEST(thin_images) {
  for (int size = 1; size <= 1200; size++) {
    sl_item_view v;
    sl_resize_box(1, 30000, (sl_hw){size, size}, SL_RESIZE_CROP, 0.5, 0.5, &v);
    ck_assert(v.w == 1 && v.h == 1);
  }
}
END_TEST

/* --- pixels of single transforms ------------------------------------------ */

/* Carries out one view of a hashed image. */
static void render(const sl_item_view *v, uint32_t k, int h, int w,
                   uint8_t *out) {
  sl_image m = {0}, padded = {0};
  sl_resampler *s = NULL;
  ck_assert_int_eq(sl_resampler_new(&s), SL_OK);
  ck_assert_int_eq(sl_image_resize(&m, h, w), SL_OK);
  t_hash_pixels(k, (size_t)h * (size_t)w * 3, m.px);
  sl_resize r = sl_item_view_resize(v, h, w, 1, &m);
  const int inside = sl_item_view_is_inside(v, h, w);
  if (!inside) {
    ck_assert_int_eq(sl_item_view_pad(v, &m, &padded), SL_OK);
    r.x = r.y = 0;
  }
  ck_assert_int_eq(
      sl_resample(s, inside ? &m : &padded, &r, out, 3 * (ptrdiff_t)v->out_w),
      SL_OK);
  sl_resampler_free(s);
  sl_image_clear(&m);
  sl_image_clear(&padded);
}

START_TEST(resize_full) {
  json_t *v = json_array_get(t_member(vectors, "resize_full"), (size_t)_i);
  const int size = t_int(v, "size"), h = t_int(v, "h"), w = t_int(v, "w");
  json_t *pcts = t_member(v, "pcts"), *mode = json_object_get(v, "pad_mode");
  const double px = json_is_null(pcts) ? 0 : t_at(pcts, 0);
  const double py = json_is_null(pcts) ? 0 : t_at(pcts, 1);
  sl_item_view view;
  sl_resize_box(w, h, (sl_hw){size, size}, method_of(t_member(v, "method")), px,
                py, &view);
  view.pad_mode = mode ? SL_PAD_ZEROS : SL_PAD_REFLECTION;
  uint8_t out[16 * 16 * 3];
  render(&view, (uint32_t)t_int(v, "k"), h, w, out);
  t_same_bytes(out, t_member(v, "out"), 0, "Resize");
}
END_TEST

START_TEST(random_resized_crop) {
  json_t *v =
      json_array_get(t_member(vectors, "random_resized_crop"), (size_t)_i);
  const int size = t_int(v, "size"), h = t_int(v, "h"), w = t_int(v, "w");
  sl_item_view view;
  if (json_is_true(t_member(v, "valid"))) {
    sl_item_transform t =
        sl_item_transform_make(&sl_transform_random_resized_crop);
    t.opts.random_resized_crop.size = (sl_hw){size, size};
    t.info->view(&t.opts, h, w, 0, NULL, &view);
  } else {
    json_t *wh = t_member(v, "cp_size_wh"), *xy = t_member(v, "tl_xy");
    view = sl_item_view_make((int)t_at(xy, 0), (int)t_at(xy, 1),
                             (int)t_at(wh, 0), (int)t_at(wh, 1), size, size);
  }
  uint8_t out[16 * 16 * 3];
  render(&view, (uint32_t)t_int(v, "k"), h, w, out);
  t_same_bytes(out, t_member(v, "out"), 0, "RandomResizedCrop");
}
END_TEST

/* Each pad mode along one axis: numpy.pad's "constant", "edge", "reflect" of
 * [0 1 2 3] by 5 on the left and 6 on the right. */
START_TEST(pad_modes) {
  static const int want[][15] = {
      {-1, -1, -1, -1, -1, 0, 1, 2, 3, -1, -1, -1, -1, -1, -1},
      {0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3, 3},
      {1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3}};
  sl_image row = {0}, wide = {0}, tall = {0}, column = {0};
  ck_assert_int_eq(sl_image_resize(&row, 1, 4), SL_OK);
  ck_assert_int_eq(sl_image_resize(&column, 4, 1), SL_OK);
  for (int i = 0; i < 12; i++)
    row.px[i] = column.px[i] = (uint8_t)(50 + i / 3);
  for (int mirror = 0; mirror < 2; mirror++) {
    sl_item_view v = sl_item_view_make(-5, 0, 15, 1, 1, 15);
    sl_item_view u = sl_item_view_make(0, -5, 1, 15, 15, 1);
    v.pad_mode = u.pad_mode = _i;
    v.mirror = u.mirror = mirror;
    ck_assert_int_eq(sl_item_view_pad(&v, &row, &wide), SL_OK);
    ck_assert_int_eq(sl_item_view_pad(&u, &column, &tall), SL_OK);
    for (int i = 0; i < 15; i++) {
      const int w = want[_i][i], black = w < 0;
      ck_assert_int_eq(wide.px[3 * i], black ? 0 : 50 + (mirror ? 3 - w : w));
      ck_assert_int_eq(tall.px[3 * i], black ? 0 : 50 + w);
    }
  }
  sl_image_clear(&row);
  sl_image_clear(&column);
  sl_image_clear(&wide);
  sl_image_clear(&tall);
}
END_TEST

/* --- what the descriptions draw ------------------------------------------- */

enum { DRAWS = 4000 };

START_TEST(resize_draws) {
  sl_item_transform t = sl_item_transform_make(&sl_transform_resize);
  t.opts.resize.size = (sl_hw){10, 10};
  int seen[11] = {0};
  for (uint32_t i = 0; i < DRAWS; i++) {
    sl_rng rng = sl_rng_at(1, 1, i, SL_RNG_ITEM);
    sl_item_view v;
    t.info->view(&t.opts, 10, 20, 1, &rng, &v);
    ck_assert(v.w == 10 && v.h == 10 && v.y == 0 && v.x >= 0 && v.x <= 10);
    seen[v.x]++;
  }
  ck_assert_int_eq(seen[10], 0); /* int(p * 10), p < 1: as fastai */
  for (int x = 0; x < 10; x++)
    ck_assert_int_ge(seen[x], DRAWS / 10 * 3 / 4);
}
END_TEST

START_TEST(rrc_view) {
  sl_item_transform t =
      sl_item_transform_make(&sl_transform_random_resized_crop);
  t.opts.random_resized_crop.size = (sl_hw){16, 16};
  t.opts.random_resized_crop.min_scale = 0.35;
  double area = 0;
  for (uint32_t i = 0; i < DRAWS; i++) {
    sl_rng rng = sl_rng_at(1, 1, i, SL_RNG_ITEM);
    sl_item_view v;
    t.info->view(&t.opts, 100, 120, 1, &rng, &v);
    ck_assert(sl_item_view_is_inside(&v, 100, 120));
    ck_assert(v.to_h == 16 && v.out_w == 16);
    const double ratio = (double)v.w / v.h, share = v.w * v.h / 12000.;
    ck_assert(ratio > 0.73 && ratio < 1.36 && share > 0.34);
    area += share;
  }
  /* Under (.35 + 1) / 2, as tries that do not fit are drawn again; the value is
   * from a simulation of fastai's code in Python. */
  ck_assert_double_eq_tol(area / DRAWS, 0.6052, 0.01);
}
END_TEST

START_TEST(random_crop_draws) {
  sl_item_transform t = sl_item_transform_make(&sl_transform_random_crop);
  t.opts.random_crop.size = (sl_hw){8, 8};
  int xs[4] = {0}, ys[4] = {0};
  for (uint32_t i = 0; i < DRAWS; i++) {
    sl_rng rng = sl_rng_at(1, 1, i, SL_RNG_ITEM);
    sl_item_view v;
    t.info->view(&t.opts, 5, 11, 1, &rng, &v); /* x in 0..3, y in -3..-1 */
    ck_assert(v.x >= 0 && v.x <= 3 && v.y >= -3 && v.y <= -1);
    xs[v.x]++;
    ys[-v.y]++;
  }
  for (int i = 0; i < 4; i++)
    ck_assert_int_ge(xs[i], DRAWS / 5);
  for (int i = 1; i < 4; i++)
    ck_assert_int_ge(ys[i], DRAWS / 4);
  sl_item_view v;
  t.info->view(&t.opts, 5, 11, 0, NULL, &v);
  ck_assert(v.x == 1 && v.y == -2);
}
END_TEST

START_TEST(flip_draws) {
  sl_item_transform t = sl_item_transform_make(&sl_transform_flip_item);
  t.opts.flip_item.p = 0.25;
  int flips = 0;
  for (uint32_t i = 0; i < DRAWS; i++) {
    sl_rng rng = sl_rng_at(1, 1, i, SL_RNG_ITEM);
    sl_item_view v;
    t.info->view(&t.opts, 5, 11, 1, &rng, &v);
    flips += v.mirror;
    t.info->view(&t.opts, 5, 11, 0, NULL, &v);
    ck_assert(!v.mirror);
  }
  ck_assert_double_eq_tol((double)flips / DRAWS, 0.25, 0.03);
}
END_TEST

/* --- descriptions --------------------------------------------------------- */

START_TEST(descriptions) {
  int n = 0;
  for (const sl_transform_info *t; (t = sl_transform_at(n)); n++) {
    ck_assert_ptr_eq(sl_transform_find(t->name), t);
    ck_assert(t->help[0] && t->view);
    for (const sl_item_option *o = t->options; o->name; o++)
      ck_assert(o->help[0] && (o->type != SL_ITEM_OPT_ENUM || o->names));
  }
  ck_assert_int_eq(n, 6);
  ck_assert_ptr_null(sl_transform_at(-1));
  ck_assert_ptr_null(sl_transform_find("resize"));
  const sl_item_transform t =
      sl_item_transform_make(&sl_transform_random_resized_crop);
  ck_assert_double_eq_tol(t.opts.random_resized_crop.ratio[1], 4. / 3, 1e-12);
  ck_assert_double_eq_tol(t.opts.random_resized_crop.min_scale, 0.08, 1e-12);
}
END_TEST

static sl_item_transform make(const sl_transform_info *info, int h, int w) {
  sl_item_transform t = sl_item_transform_make(info);
  if (info->fixes_size) t.opts.resize.size = (sl_hw){h, w}; /* first in all */
  return t;
}

static void refused(sl_item_transform t, const char *why) {
  sl_item_pipeline *p = NULL;
  ck_assert_int_eq(sl_item_pipeline_new(&p, &t, 1, NULL), SL_EINVAL);
  ck_assert_ptr_null(p);
  ck_assert_str_eq(sl_error(), why);
}

START_TEST(mistakes) {
  sl_item_transform t = make(&sl_transform_resize, 0, 5);
  refused(t, "Resize: size must be from 1 to 16384, not 0");
  t = make(&sl_transform_resize, 5, 5);
  t.opts.resize.pad_mode = 3;
  refused(t, "Resize: pad_mode must be from 0 to 2, not 3");
  t = make(&sl_transform_random_resized_crop, 5, 5);
  t.opts.random_resized_crop.min_scale = (double)NAN;
  refused(t, "RandomResizedCrop: min_scale must be from 1e-06 to 1, not nan");
  t = make(&sl_transform_random_resized_crop, 5, 5);
  t.opts.random_resized_crop.max_scale = 0.01;
  refused(t, "RandomResizedCrop: min_scale 0.08 is above max_scale 0.01");
  t = make(&sl_transform_random_resized_crop, 5, 5);
  t.opts.random_resized_crop.ratio[0] = 2;
  refused(t,
          "RandomResizedCrop: ratio must be {least, most}, not {2, 1.33333}");
  refused(sl_item_transform_make(&sl_transform_flip_item),
          "the item transforms do not fix the size of the images, but all "
          "images of a batch must have one size: add Resize(size) or "
          "RandomResizedCrop(size)");
  sl_item_pipeline *p = NULL;
  ck_assert_int_eq(sl_item_pipeline_new(&p, NULL, 0, NULL), SL_EINVAL);
  ck_assert_int_eq(sl_item_pipeline_new(&p, NULL, 17, NULL), SL_EINVAL);
  t = make(&sl_transform_resize, 5, 5);
  sl_alloc_fail_at(1);
  ck_assert_int_eq(sl_item_pipeline_new(&p, &t, 1, NULL), SL_ENOMEM);
  sl_alloc_fail_at(0);
}
END_TEST

/* --- the pipeline --------------------------------------------------------- */

/* A picture whose pixels say where they are: red the column, green the row,
 * as JPEG (smooth, so that it keeps them nearly) or PNG. */
static const char *picture(const char *name, int h, int w) {
  ck_assert_int_eq(sl_vips_start(), SL_OK);
  sl_image m = {0};
  ck_assert_int_eq(sl_image_resize(&m, h, w), SL_OK);
  uint8_t *p = m.px;
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++, p += 3) {
      p[0] = (uint8_t)(255 * x / (w - 1));
      p[1] = (uint8_t)(255 * y / (h - 1));
      p[2] = (uint8_t)(128 + 100 * sin(9. * x / w) * cos(7. * y / h));
    }
  VipsImage *image = vips_image_new_from_memory(m.px, (size_t)h * (size_t)w * 3,
                                                w, h, 3, VIPS_FORMAT_UCHAR);
  const char *path = t_path(name);
  ck_assert_int_eq(vips_image_write_to_file(image, path, NULL), 0);
  g_object_unref(image);
  sl_image_clear(&m);
  return path;
}

static sl_item_pipeline *pipeline(const sl_item_transform *t, int n,
                                  int exact) {
  sl_item_pipeline *p = NULL;
  const sl_item_pipeline_opts opts = {.exact = exact};
  ck_assert_msg(sl_item_pipeline_new(&p, t, n, &opts) == SL_OK, "%s",
                sl_error());
  return p;
}

static void load(sl_item_pipeline *p, const char *path, sl_item_id id,
                 uint8_t *out) {
  sl_item_scratch *s = NULL;
  ck_assert_int_eq(sl_item_scratch_new(&s), SL_OK);
  ck_assert_msg(sl_item_load(p, path, id, s, out) == SL_OK, "%s", sl_error());
  sl_item_scratch_free(s);
}

START_TEST(order_and_size) {
  const sl_item_transform list[] = {make(&sl_transform_resize, 30, 20),
                                    make(&sl_transform_random_crop, 12, 16),
                                    make(&sl_transform_flip_item, 0, 0)};
  sl_item_pipeline *p = pipeline(list, 3, 0),
                   *same = sl_item_pipeline_retain(p);
  int n, h, w;
  const sl_item_transform *t = sl_item_pipeline_transforms(p, &n);
  ck_assert_int_eq(n, 3);
  ck_assert_str_eq(t[0].info->name, "FlipItem");
  ck_assert_str_eq(t[1].info->name, "Resize");
  ck_assert_str_eq(t[2].info->name, "RandomCrop");
  for (int train = 0; train < 2; train++) {
    sl_item_size(p, train, &h, &w);
    ck_assert(h == 12 && w == 16);
  }
  sl_item_pipeline_release(p);
  sl_item_pipeline_release(same);
  sl_item_pipeline_release(NULL);
}
END_TEST

/* Validation is the middle, and always the same; training depends on seed,
 * epoch and row alone. */
START_TEST(named_draws) {
  const char *path = picture("a.png", 40, 90);
  const sl_item_transform list[] = {make(&sl_transform_resize, 20, 20),
                                    make(&sl_transform_flip_item, 0, 0)};
  sl_item_pipeline *p = pipeline(list, 2, 0);
  uint8_t a[1200], b[1200];
  load(p, path, (sl_item_id){1, 0, 0, 0}, a);
  load(p, path, (sl_item_id){2, 0, 9, 0}, b);
  ck_assert_mem_eq(a, b, sizeof a);
  ck_assert_int_lt(abs(a[30] - 128), 6); /* red in the middle */
  load(p, path, (sl_item_id){1, 3, 7, 1}, a);
  load(p, path, (sl_item_id){1, 3, 7, 1}, b);
  ck_assert_mem_eq(a, b, sizeof a);
  const sl_item_id others[] = {{2, 3, 7, 1}, {1, 4, 7, 1}, {1, 3, 8, 1}};
  for (size_t i = 0; i < 3; i++) {
    load(p, path, others[i], b);
    ck_assert_mem_ne(a, b, sizeof a);
  }
  sl_item_pipeline_release(p);
}
END_TEST

/* The mirror is made before the resize, wherever FlipItem is listed; a flip
 * after a crop of order 0 comes last. Both by mirroring the file itself. */
START_TEST(flips) {
  sl_item_transform list[] = {make(&sl_transform_flip_item, 0, 0),
                              make(&sl_transform_random_resized_crop, 17, 23)};
  list[0].opts.flip_item.p = 1;
  const sl_item_transform crops[] = {make(&sl_transform_crop_pad, 23, 17),
                                     list[0], list[0], list[0]};
  const char *path = picture("a.png", 31, 52);
  VipsImage *image = vips_image_new_from_file(path, NULL), *mirrored = NULL;
  const char *other = t_path("b.png");
  ck_assert_int_eq(vips_flip(image, &mirrored, VIPS_DIRECTION_HORIZONTAL, NULL),
                   0);
  ck_assert_int_eq(vips_image_write_to_file(mirrored, other, NULL), 0);
  g_object_unref(mirrored);
  g_object_unref(image);
  uint8_t a[17 * 23 * 3], b[17 * 23 * 3];
  const sl_item_id id = {1, 1, 1, 1};
  sl_item_pipeline *flip = pipeline(list, 2, 0);
  list[0].opts.flip_item.p = 0;
  sl_item_pipeline *plain = pipeline(list, 2, 0);
  load(flip, path, id, a);
  load(plain, other, id, b);
  ck_assert_mem_eq(a, b, sizeof a);
  sl_item_pipeline *once = pipeline(crops, 2, 0),
                   *thrice = pipeline(crops, 4, 0);
  load(once, path, id, a);
  load(thrice, path, id, b); /* two mirrors cancel */
  ck_assert_mem_eq(a, b, sizeof a);
  ck_assert_int_gt(a[0], a[16 * 3]); /* red now falls to the right */
  sl_item_pipeline_release(flip);
  sl_item_pipeline_release(plain);
  sl_item_pipeline_release(once);
  sl_item_pipeline_release(thrice);
}
END_TEST

/* Resize then RandomCrop, with padding: as two steps by hand. */
START_TEST(two_steps) {
  const char *path = picture("a.png", 40, 60);
  const sl_item_transform list[] = {make(&sl_transform_resize, 20, 20),
                                    make(&sl_transform_random_crop, 26, 10)};
  sl_item_pipeline *first = pipeline(list, 1, 0), *both = pipeline(list, 2, 0);
  uint8_t a[20 * 20 * 3], b[26 * 10 * 3];
  load(first, path, (sl_item_id){0}, a);
  load(both, path, (sl_item_id){0}, b);
  for (int y = 0; y < 26; y++)
    for (int x = 0; x < 30; x++) {
      const int inside = y >= 3 && y < 23;
      ck_assert_int_eq(b[y * 30 + x], inside ? a[(y - 3) * 60 + 15 + x] : 0);
    }
  sl_item_pipeline_release(first);
  sl_item_pipeline_release(both);
}
END_TEST

static int flipped(const sl_item_id id, double p) {
  sl_item_transform t = make(&sl_transform_alternating_flip, 0, 0);
  t.opts.alternating_flip.p = p;
  sl_rng rng = sl_rng_at(id.seed, id.epoch, id.index, SL_RNG_ITEM);
  sl_item_view v;
  t.info->view(&t.opts, 8, 8, id.train, &rng, &v);
  return v.mirror;
}

/* About half in the first epoch, and each image the other way in the next. */
START_TEST(alternating_flips) {
  int count = 0;
  for (uint32_t i = 0; i < 1000; i++) {
    const int first = flipped((sl_item_id){1, 1, i, 1}, 0.5);
    count += first;
    for (uint32_t epoch = 2; epoch < 6; epoch++)
      ck_assert_int_eq(flipped((sl_item_id){1, epoch, i, 1}, 0.5),
                       first ^ (epoch % 2 == 0));
    ck_assert_int_eq(flipped((sl_item_id){1, 2, i, 0}, 0.5), 0);
    ck_assert_int_eq(flipped((sl_item_id){1, 1, i, 1}, 1), 1);
    ck_assert_int_eq(flipped((sl_item_id){1, 1, i, 1}, 0), 0);
  }
  ck_assert(count > 440 && count < 560);
}
END_TEST

/* A window of the image's own size over its reflected border: every shift of
 * up to `pad` pixels comes up, and no other; validation takes the middle. */
START_TEST(random_crop_with_a_border) {
  enum { SIDE = 8, PAD = 2, SHIFTS = 2 * PAD + 1 };
  const char *path = picture("a.png", SIDE, SIDE);
  sl_item_transform t = make(&sl_transform_random_crop, SIDE, SIDE);
  sl_item_pipeline *plain = pipeline(&t, 1, 0);
  t.opts.random_crop.pad = PAD;
  t.opts.random_crop.pad_mode = SL_PAD_REFLECTION;
  sl_item_pipeline *p = pipeline(&t, 1, 0);
  uint8_t whole[SIDE][SIDE][3], got[SIDE][SIDE][3];
  int seen[SHIFTS][SHIFTS] = {{0}};
  load(plain, path, (sl_item_id){0}, whole[0][0]);
  load(p, path, (sl_item_id){0}, got[0][0]);
  ck_assert_mem_eq(got, whole, sizeof got);
  for (uint32_t i = 0; i < 400; i++) {
    const sl_item_id id = {3, 1, i, 1};
    sl_rng rng = sl_rng_at(id.seed, id.epoch, i, SL_RNG_ITEM);
    sl_item_view v;
    t.info->view(&t.opts, SIDE, SIDE, 1, &rng, &v);
    ck_assert(abs(v.x) <= PAD && abs(v.y) <= PAD);
    if (seen[v.y + PAD][v.x + PAD]++) continue;
    load(p, path, id, got[0][0]);
    for (int y = 0; y < SIDE; y++)
      for (int x = 0; x < SIDE; x++) {
        const int a = abs(y + v.y), b = abs(x + v.x);
        const int from_y = a < SIDE ? a : 2 * (SIDE - 1) - a;
        const int from_x = b < SIDE ? b : 2 * (SIDE - 1) - b;
        ck_assert_mem_eq(got[y][x], whole[from_y][from_x], 3);
      }
  }
  for (int i = 0; i < SHIFTS * SHIFTS; i++)
    ck_assert_int_gt(seen[i / SHIFTS][i % SHIFTS], 4);
  t.opts.random_crop.pad = -1;
  ck_assert_int_eq(sl_item_transform_check(&t), SL_EINVAL);
  ck_assert_ptr_nonnull(strstr(sl_error(), "pad must be from 0"));
  sl_item_pipeline_release(plain);
  sl_item_pipeline_release(p);
}
END_TEST

/* What shrink-on-load costs in exactness: little, and nothing at all for
 * files under four times the size. */
START_TEST(shrink_on_load) {
  static const int sides[][2] = {
      {127, 190}, {131, 203}, {301, 457}, {700, 1021}};
  sl_item_transform list[] = {make(&sl_transform_flip_item, 0, 0),
                              make(&sl_transform_resize, 32, 32)};
  list[0].opts.flip_item.p = _i;
  sl_item_pipeline *quick = pipeline(list, 2, 0), *exact = pipeline(list, 2, 1);
  for (size_t i = 0; i < 4; i++) {
    const char *path = picture("a.jpg", sides[i][0], sides[i][1]);
    uint8_t a[32 * 32 * 3], b[32 * 32 * 3];
    load(quick, path, (sl_item_id){1, 1, 1, 1}, a);
    load(exact, path, (sl_item_id){1, 1, 1, 1}, b);
    int worst = 0, sum = 0;
    for (size_t k = 0; k < sizeof a; k++) {
      const int d = abs(a[k] - b[k]);
      worst = d > worst ? d : worst;
      sum += d;
    }
    if (i == 0) ck_assert_int_eq(worst, 0);
    ck_assert_int_le(worst, 8);
    ck_assert_int_lt(sum, (int)sizeof a); /* under one level on average */
  }
  sl_item_pipeline_release(quick);
  sl_item_pipeline_release(exact);
}
END_TEST

START_TEST(shrink_rule) {
  sl_item_view v = sl_item_view_make(0, 0, 400, 400, 100, 100);
  ck_assert_int_eq(sl_item_view_shrink(&v, 400, 400), 2);
  v = sl_item_view_make(0, 0, 399, 400, 100, 100);
  ck_assert_int_eq(sl_item_view_shrink(&v, 400, 400), 1);
  v = sl_item_view_make(0, 0, 1600, 800, 100, 100);
  ck_assert_int_eq(sl_item_view_shrink(&v, 800, 1600), 4);
  v = sl_item_view_make(0, 0, 9000, 9000, 100, 100);
  ck_assert_int_eq(sl_item_view_shrink(&v, 9000, 9000), 8);
  v.x = -1; /* pads */
  ck_assert_int_eq(sl_item_view_shrink(&v, 9000, 9000), 1);
}
END_TEST

START_TEST(bad_files) {
  const sl_item_transform t = make(&sl_transform_resize, 8, 8);
  const sl_item_pipeline_opts small = {.max_pixels = 100};
  sl_item_pipeline *p = NULL;
  sl_item_scratch *s = NULL;
  uint8_t out[8 * 8 * 3];
  ck_assert_int_eq(sl_item_pipeline_new(&p, &t, 1, &small), SL_OK);
  ck_assert_int_eq(sl_item_scratch_new(&s), SL_OK);
  const char *path = picture("a.png", 10, 11);
  ck_assert_int_eq(sl_item_load(p, path, (sl_item_id){0}, s, out), SL_EDATA);
  ck_assert(
      strstr(sl_error(), "11 x 10 pixels are more than the limit of 100"));
  path = t_path("none.jpg");
  ck_assert_int_eq(sl_item_load(p, path, (sl_item_id){0}, s, out), SL_EIO);
  ck_assert(strstr(sl_error(), path));
  path = picture("b.png", 10, 10);
  for (int n = 1; n <= 5; n++) { /* memory fails somewhere in the middle */
    sl_item_scratch *fresh = NULL;
    ck_assert_int_eq(sl_item_scratch_new(&fresh), SL_OK);
    sl_alloc_fail_at(n);
    const sl_status status = sl_item_load(p, path, (sl_item_id){0}, fresh, out);
    sl_alloc_fail_at(0);
    ck_assert(status == SL_OK || status == SL_ENOMEM);
    ck_assert(n > 4 || status == SL_ENOMEM);
    sl_item_scratch_free(fresh);
  }
  ck_assert_int_eq(sl_item_load(p, path, (sl_item_id){0}, s, out), SL_OK);
  sl_item_scratch_free(s);
  sl_item_pipeline_release(p);
}
END_TEST

static TCase *with_tests(TCase *tc) {
  tcase_add_test(tc, resize_geometry);
  tcase_add_test(tc, rrc_draws);
  tcase_add_test(tc, rrc_valid_size);
  tcase_add_test(tc, rrc_fallback);
  tcase_add_test(tc, halves);
  tcase_add_test(tc, thin_images);
  tcase_add_loop_test(tc, resize_full, 0, 7);
  tcase_add_loop_test(tc, random_resized_crop, 0, 2);
  tcase_add_loop_test(tc, pad_modes, 0, 3);
  tcase_add_test(tc, resize_draws);
  tcase_add_test(tc, rrc_view);
  tcase_add_test(tc, random_crop_draws);
  tcase_add_test(tc, flip_draws);
  tcase_add_test(tc, descriptions);
  tcase_add_test(tc, mistakes);
  tcase_add_test(tc, order_and_size);
  tcase_add_test(tc, named_draws);
  tcase_add_test(tc, flips);
  tcase_add_test(tc, two_steps);
  tcase_add_test(tc, alternating_flips);
  tcase_add_test(tc, random_crop_with_a_border);
  tcase_add_loop_test(tc, shrink_on_load, 0, 2);
  tcase_add_test(tc, shrink_rule);
  tcase_add_test(tc, bad_files);
  return tc;
}

int main(void) {
  Suite *s = suite_create("item");
  TCase *tc = tcase_create("item");
  tcase_add_checked_fixture(tc, setup, teardown);
  suite_add_tcase(s, with_tests(tc));
  return t_main(s);
}
