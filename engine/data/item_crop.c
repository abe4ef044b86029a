/* item_crop.c -- RandomCrop and CropPad: a window of the size, at a random
 * place or in the middle; what the image lacks is padded. */
#include "data/item_geometry.h"

#define PAD_OPTION                                                             \
  {                                                                            \
    .name = "pad_mode", .help = "what stands beyond the edges",                \
    .type = SL_ITEM_OPT_ENUM, .offset = offsetof(sl_crop_opts, pad_mode),      \
    .names = sl_pad_mode_names                                                 \
  }

static const sl_item_option options[] = {
    SL_SIZE_OPTION(sl_crop_opts),
    PAD_OPTION,
    {0},
};

static const sl_item_option random_options[] = {
    SL_SIZE_OPTION(sl_crop_opts),
    PAD_OPTION,
    {.name = "pad",
     .help = "pixels put around the image first, so that a window of its own "
             "size moves by up to as many",
     .type = SL_ITEM_OPT_INT,
     .offset = offsetof(sl_crop_opts, pad),
     .max = 16384},
    {0},
};

static void middle(const sl_crop_opts *o, int h, int w, sl_item_view *v) {
  const int x = sl_half(w - o->size.w), y = sl_half(h - o->size.h);
  *v = sl_item_view_make(x, y, o->size.w, o->size.h, o->size.h, o->size.w);
  v->pad_mode = o->pad_mode;
}

/* Somewhere in the image; or, of a window that is larger, the image somewhere
 * in it (fastai never puts it at the very left: -1 at most). */
static int place(sl_rng *rng, int spare) {
  if (spare >= 0) return (int)sl_rng_below(rng, spare + 1);
  return -1 - (int)sl_rng_below(rng, -spare);
}

static void crop_pad(const sl_item_opts *opts, int h, int w, int train,
                     sl_rng *rng, sl_item_view *v) {
  (void)train, (void)rng;
  middle(&opts->crop_pad, h, w, v);
}

static void random_crop(const sl_item_opts *opts, int h, int w, int train,
                        sl_rng *rng, sl_item_view *v) {
  const sl_crop_opts *o = &opts->random_crop;
  middle(o, h, w, v);
  if (!train) return;
  v->x = place(rng, w + 2 * o->pad - o->size.w) - o->pad;
  v->y = place(rng, h + 2 * o->pad - o->size.h) - o->pad;
}

const sl_transform_info sl_transform_random_crop = {
    .name = "RandomCrop",
    .help = "Cuts a window of the size at a random place (validation: the "
            "middle), without resizing; pads what is missing.",
    .order = 1,
    .fixes_size = 1,
    .options = random_options,
    .view = random_crop,
};

const sl_transform_info sl_transform_crop_pad = {
    .name = "CropPad",
    .help = "Cuts a window of the size from the middle, without resizing; "
            "pads what is missing.",
    .order = 0,
    .fixes_size = 1,
    .options = options,
    .view = crop_pad,
};
