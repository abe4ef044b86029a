/* item_random_resized_crop.c -- RandomResizedCrop: a part of the image of
 * random area and proportions, resized. */
#include "data/item_geometry.h"

typedef sl_random_resized_crop_opts options_t;

enum { TRIES = 10 };

static const sl_item_option options[] = {
    SL_SIZE_OPTION(options_t),
    {.name = "min_scale",
     .help = "least share of the image's area",
     .type = SL_ITEM_OPT_FLOAT,
     .offset = offsetof(options_t, min_scale),
     .def = {0.08},
     .min = 1e-6,
     .max = 1},
    {.name = "max_scale",
     .help = "largest share of the image's area",
     .type = SL_ITEM_OPT_FLOAT,
     .offset = offsetof(options_t, max_scale),
     .def = {1},
     .min = 1e-6,
     .max = 1},
    {.name = "ratio",
     .help = "least and largest width / height of the part",
     .type = SL_ITEM_OPT_PAIR,
     .offset = offsetof(options_t, ratio),
     .def = {3. / 4, 4. / 3},
     .min = 1e-3,
     .max = 1e3},
    {.name = "val_xtra",
     .help = "validation: made larger by this share, then cut",
     .type = SL_ITEM_OPT_FLOAT,
     .offset = offsetof(options_t, val_xtra),
     .def = {0.14},
     .min = 0,
     .max = 4},
    {0},
};

static sl_status check(const sl_item_opts *opts) {
  const options_t *o = &opts->random_resized_crop;
  SL_REQUIRE(o->min_scale <= o->max_scale, SL_EINVAL,
             "RandomResizedCrop: min_scale %g is above max_scale %g",
             o->min_scale, o->max_scale);
  return SL_OK;
}

static void train_view(const options_t *o, int h, int w, sl_rng *rng,
                       sl_item_view *v) {
  int cw = 0, ch = 0, x = -1, y = -1;
  for (int i = 0; i < TRIES && x < 0; i++) {
    const double u_area = sl_rng_uniform64(rng);
    const double u_ratio = sl_rng_uniform64(rng);
    if (!sl_rrc_try(w, h, o, u_area, u_ratio, &cw, &ch)) continue;
    x = (int)sl_rng_below(rng, w - cw + 1);
    y = (int)sl_rng_below(rng, h - ch + 1);
  }
  if (x < 0) {
    sl_rrc_fallback(w, h, o, &cw, &ch);
    x = sl_half(w - cw);
    y = sl_half(h - ch);
  }
  *v = sl_item_view_make(x, y, cw, ch, o->size.h, o->size.w);
}

static void view(const sl_item_opts *opts, int h, int w, int train, sl_rng *rng,
                 sl_item_view *v) {
  const options_t *o = &opts->random_resized_crop;
  if (train) {
    train_view(o, h, w, rng, v);
    return;
  }
  const int extra = sl_rrc_extra(o->size, o->val_xtra);
  *v = sl_item_view_make(0, 0, w, h, o->size.h + extra, o->size.w + extra);
  v->cut_y = v->cut_x = extra / 2;
  v->out_h = o->size.h;
  v->out_w = o->size.w;
}

const sl_transform_info sl_transform_random_resized_crop = {
    .name = "RandomResizedCrop",
    .help = "Takes a part of random area and proportions and resizes it. In "
            "validation the whole image is squished to a little more than the "
            "size, and the middle is cut out.",
    .order = 1,
    .fixes_size = 1,
    .options = options,
    .view = view,
    .check = check,
};
