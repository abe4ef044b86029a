/* item_transform.h -- what an item transform is: a description of its options
 * and a function that turns an image's size into a view.
 *
 * To add one: a line in transforms.def, an options struct and a place in the
 * union below, and a file item_<name>.c with its description. The Lua binding,
 * its checks and help() come from the description. */
#ifndef SL_DATA_ITEM_TRANSFORM_H
#define SL_DATA_ITEM_TRANSFORM_H

#include <stddef.h>

#include "base/rng.h"
#include "data/item_view.h"

/* --- options -------------------------------------------------------------- */

typedef struct sl_hw {
  int h, w;
} sl_hw;

typedef enum sl_resize_method {
  SL_RESIZE_CROP,
  SL_RESIZE_SQUISH,
  SL_RESIZE_PAD
} sl_resize_method;

typedef struct sl_resize_opts {
  sl_hw size;
  int method;   /* sl_resize_method */
  int pad_mode; /* sl_pad_mode */
} sl_resize_opts;

typedef struct sl_random_resized_crop_opts {
  sl_hw size;
  double min_scale, max_scale; /* shares of the image's area */
  double ratio[2];             /* width / height, least and most */
  double val_xtra;             /* validation: share of the size cut off */
} sl_random_resized_crop_opts;

typedef struct sl_crop_opts { /* of random_crop and crop_pad */
  sl_hw size;
  int pad_mode;
  int pad; /* pixels put around the image first; of random_crop */
} sl_crop_opts;

typedef struct sl_flip_item_opts {
  double p;
} sl_flip_item_opts;

typedef union sl_item_opts {
  sl_resize_opts resize;
  sl_random_resized_crop_opts random_resized_crop;
  sl_crop_opts random_crop, crop_pad;
  sl_flip_item_opts flip_item, alternating_flip;
} sl_item_opts;

/* How an option is written by a user and lies in its struct. */
typedef enum sl_item_opt_type {
  SL_ITEM_OPT_SIZE,  /* sl_hw: one number, or {height, width} */
  SL_ITEM_OPT_INT,   /* int */
  SL_ITEM_OPT_FLOAT, /* double */
  SL_ITEM_OPT_PAIR,  /* double[2]: {least, most} */
  SL_ITEM_OPT_ENUM   /* int: one of names */
} sl_item_opt_type;

typedef struct sl_item_option {
  const char *name, *help;
  size_t offset; /* in the options struct */
  sl_item_opt_type type;
  int required; /* no default; written first, also without its name */
  double def[2], min, max;  /* ENUM: def[0] is the place in names */
  const char *const *names; /* ENUM: ends with NULL */
} sl_item_option;

/* --- transforms ----------------------------------------------------------- */

/* Which pixels of an h x w image to take. Draws from rng if train. Pure: the
 * same stream and size give the same view. */
typedef void sl_item_view_fn(const sl_item_opts *opts, int h, int w, int train,
                             sl_rng *rng, sl_item_view *view);

/* Checks what single ranges cannot say; NULL: nothing more to check. */
typedef sl_status sl_item_check_fn(const sl_item_opts *opts);

typedef struct sl_transform_info {
  const char *name, *help;       /* name as in Lua: "RandomResizedCrop" */
  int order;                     /* lower is applied first; fastai's numbers */
  int fixes_size;                /* what comes out always has the same size */
  const sl_item_option *options; /* ends with a NULL name */
  sl_item_view_fn *view;
  sl_item_check_fn *check;
} sl_transform_info;

typedef struct sl_item_transform {
  const sl_transform_info *info;
  sl_item_opts opts;
} sl_item_transform;

#define SL_TRANSFORM(name) extern const sl_transform_info sl_transform_##name;
#include "data/transforms.def"
#undef SL_TRANSFORM

const sl_transform_info *sl_transform_find(const char *name); /* or NULL */
const sl_transform_info *sl_transform_at(int i); /* from 0; NULL at the end */

/* A transform with its default options. Required ones are 0: set them. */
sl_item_transform sl_item_transform_make(const sl_transform_info *info);

/* Every option within its range: SL_EINVAL with "Resize: size ...". */
SL_MUST_USE sl_status sl_item_transform_check(const sl_item_transform *t);

/* Shared by the descriptions. */
extern const char *const sl_pad_mode_names[];
#define SL_SIZE_OPTION(opts)                                                   \
  {                                                                            \
    .name = "size", .help = "height and width of the result",                  \
    .offset = offsetof(opts, size), .type = SL_ITEM_OPT_SIZE, .required = 1,   \
    .min = 1, .max = 16384                                                     \
  }

#endif
