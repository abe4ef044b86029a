/* item_resize.c -- Resize: crop, squish or pad to a size. */
#include "data/item_geometry.h"

static const char *const methods[] = {"crop", "squish", "pad", NULL};

static const sl_item_option options[] = {
    SL_SIZE_OPTION(sl_resize_opts),
    {.name = "method",
     .help = "crop what does not fit, squish, or pad what is missing",
     .type = SL_ITEM_OPT_ENUM,
     .offset = offsetof(sl_resize_opts, method),
     .names = methods},
    {.name = "pad_mode",
     .help = "what stands beyond the edges when padding",
     .type = SL_ITEM_OPT_ENUM,
     .offset = offsetof(sl_resize_opts, pad_mode),
     .def = {SL_PAD_REFLECTION},
     .names = sl_pad_mode_names},
    {0},
};

static void view(const sl_item_opts *opts, int h, int w, int train, sl_rng *rng,
                 sl_item_view *v) {
  const sl_resize_opts *o = &opts->resize;
  double px = 0.5, py = 0.5;
  if (train) {
    px = sl_rng_uniform64(rng);
    py = sl_rng_uniform64(rng);
  }
  sl_resize_box(w, h, o->size, o->method, px, py, v);
  v->pad_mode = o->pad_mode;
}

const sl_transform_info sl_transform_resize = {
    .name = "Resize",
    .help = "Resizes to one size, keeping proportions: takes the largest crop "
            "that fits (anywhere in training, the middle in validation), or "
            "pads, or squishes.",
    .order = 1,
    .fixes_size = 1,
    .options = options,
    .view = view,
};
