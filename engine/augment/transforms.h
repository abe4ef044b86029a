/* transforms.h -- the batch transforms by name, with their options.
 *
 * One row of a table per transform: name, help, options with defaults, all as
 * in fastai. Scripts and help are checked against this table; what a
 * transform does is in augment.c. */
#ifndef SL_AUGMENT_TRANSFORMS_H
#define SL_AUGMENT_TRANSFORMS_H

#include "ops/augment_images.h"

typedef enum sl_batch_transform_id {
  SL_BATCH_TRANSFORM_AUG_TRANSFORMS, /* the usual ones, together */
  SL_BATCH_TRANSFORM_FLIP,
  SL_BATCH_TRANSFORM_DIHEDRAL,
  SL_BATCH_TRANSFORM_WARP,
  SL_BATCH_TRANSFORM_ROTATE,
  SL_BATCH_TRANSFORM_ZOOM,
  SL_BATCH_TRANSFORM_BRIGHTNESS,
  SL_BATCH_TRANSFORM_CONTRAST,
  SL_BATCH_TRANSFORM_SATURATION,
  SL_BATCH_TRANSFORM_HUE,
  SL_BATCH_TRANSFORM_CROP,
  SL_BATCH_TRANSFORM_NORMALIZE,
  SL_BATCH_TRANSFORM_ERASING,
  SL_BATCH_TRANSFORM_COUNT
} sl_batch_transform_id;

/* How an affine transform samples: all of a list sample once, together, so
 * they must agree. First member of every affine transform's options. */
typedef struct sl_sampling {
  double p;     /* probability */
  sl_ints size; /* n = 0: the image's own */
  int mode, pad_mode, align_corners;
  int batch; /* one draw for the whole batch */
} sl_sampling;

typedef struct sl_warp_opts {
  sl_sampling s;
  double magnitude;
} sl_warp_opts;

typedef struct sl_rotate_opts {
  sl_sampling s;
  double max_deg;
} sl_rotate_opts;

typedef struct sl_zoom_opts {
  sl_sampling s;
  double min_zoom, max_zoom;
} sl_zoom_opts;

/* Brightness, Contrast, Saturation; Hue with its own name for the amount. */
typedef struct sl_light_opts {
  double p, amount;
  int batch;
} sl_light_opts;

typedef struct sl_crop_opts {
  sl_ints size;
  double min_scale, max_scale; /* of the area */
  double valid_scale;          /* of the sides, in validation */
  sl_numbers ratio;            /* width / height, at least and at most */
  int mode;
} sl_crop_opts;

/* n = 0: statistics are measured on a batch. */
typedef struct sl_normalize_opts {
  sl_numbers mean, std;
} sl_normalize_opts;

typedef struct sl_erasing_opts {
  double p, sl, sh, min_aspect;
  int64_t max_count;
} sl_erasing_opts;

typedef struct sl_aug_opts {
  sl_ints size;
  int mode, pad_mode, align_corners, batch;
  int do_flip, flip_vert;
  double mult, max_rotate, min_zoom, max_zoom, max_lighting, max_warp;
  double p_affine, p_lighting, min_scale;
} sl_aug_opts;

typedef struct sl_batch_transform_info {
  const char *name, *help;
  size_t opts_size;
  const sl_option *options;
} sl_batch_transform_info;

extern const sl_batch_transform_info
    sl_batch_transforms[SL_BATCH_TRANSFORM_COUNT];

/* -1, with a message that lists the names, when there is none. */
int sl_batch_transform_find(const char *name);

/* Flip to Zoom: their options begin with an sl_sampling. */
int sl_batch_transform_is_affine(sl_batch_transform_id id);

/* Defaults into opts, which has opts_size bytes. */
void sl_batch_transform_defaults(sl_batch_transform_id id, void *opts);

#endif
