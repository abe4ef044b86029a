/* item_flip.c -- FlipItem: left and right swapped, sometimes, in training;
 * AlternatingFlip: swapped in every other epoch. */
#include "data/item_transform.h"

static const sl_item_option options[] = {
    {.name = "p",
     .help = "probability of a flip (AlternatingFlip: in the first epoch)",
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

/* The draw is that of the stream's epoch 0, in every epoch the same. Epochs
 * count from 1 here. */
static void alternating(const sl_item_opts *opts, int h, int w, int train,
                        sl_rng *rng, sl_item_view *v) {
  const uint32_t epoch = rng->counter[3];
  sl_rng first = *rng;
  first.counter[3] = 0;
  const int flip = sl_rng_uniform64(&first) < opts->alternating_flip.p;
  *v = sl_item_view_whole(h, w, train && (flip ^ (epoch % 2 == 0)));
}

const sl_transform_info sl_transform_flip_item = {
    .name = "FlipItem",
    .help = "Swaps left and right with probability p; never in validation.",
    .order = 0,
    .options = options,
    .view = view,
};

const sl_transform_info sl_transform_alternating_flip = {
    .name = "AlternatingFlip",
    .help = "Swaps left and right in every other epoch: of each image, with "
            "probability p, in the odd ones, else in the even ones; never in "
            "validation.",
    .order = 0,
    .options = options,
    .view = alternating,
};
