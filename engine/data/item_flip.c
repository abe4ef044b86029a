/* item_flip.c -- FlipItem: left and right swapped, sometimes, in training. */
#include "data/item_transform.h"

static const sl_item_option options[] = {
    {.name = "p",
     .help = "probability of a flip",
     .type = SL_ITEM_OPT_FLOAT,
     .offset = offsetof(sl_flip_item_opts, p),
     .def = {0.5},
     .min = 0,
     .max = 1},
    {0},
};

static void view(const sl_item_opts *opts, int h, int w, int train, sl_rng *rng,
                 sl_item_view *v) {
  const int flip = train && sl_rng_uniform64(rng) < opts->flip_item.p;
  *v = sl_item_view_whole(h, w, flip);
}

const sl_transform_info sl_transform_flip_item = {
    .name = "FlipItem",
    .help = "Swaps left and right with probability p; never in validation.",
    .order = 0,
    .options = options,
    .view = view,
};
