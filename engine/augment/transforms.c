/* transforms.c -- see transforms.h. */
#include "augment/transforms.h"

#include <math.h>
#include <string.h>

/* clang-format off */
#define SAMPLING(p_default) \
    SL_OPT_FLOAT(sl_sampling, p, p_default, 0, 1, "probability for each image"), \
    SL_OPT_INTS(sl_sampling, size, (double)NAN, 1, 1 << 16, "height and width to sample at; the image's own if not given"), \
    SL_OPT_ENUM(sl_sampling, mode, SL_SAMPLE_BILINEAR, sl_sample_names, "how pixels are sampled"), \
    SL_OPT_ENUM(sl_sampling, pad_mode, SL_PAD_REFLECTION, sl_pad_names, "what lies outside the image"), \
    SL_OPT_BOOL(sl_sampling, align_corners, 1, "the grid ends at centres of outer pixels, not at their edges"), \
    SL_OPT_BOOL(sl_sampling, batch, 0, "the same for all images of a batch")
#define LIGHT(amount_name, amount_default, amount_help) \
    SL_OPT_FLOAT(sl_light_opts, p, 0.75, 0, 1, "probability for each image"), \
    {amount_name, amount_help, offsetof(sl_light_opts, amount), SL_OPTION_FLOAT, amount_default, 0, 0.99, NULL, 0}, \
    SL_OPT_BOOL(sl_light_opts, batch, 0, "the same for all images of a batch"), \
    SL_OPT_END

static const sl_option flip[] = {SAMPLING(0.5), SL_OPT_END};

static const sl_option warp[] = {
    SAMPLING(0.5),
    SL_OPT_FLOAT(sl_warp_opts, magnitude, 0.2, 0, 0.49, "how far corners move along x and y at most; half a side is 1"),
    SL_OPT_END};

static const sl_option rotate[] = {
    SAMPLING(0.5),
    SL_OPT_FLOAT(sl_rotate_opts, max_deg, 10, 0, 180, "largest angle, in degrees, either way"),
    SL_OPT_END};

static const sl_option zoom[] = {
    SAMPLING(0.5),
    SL_OPT_FLOAT(sl_zoom_opts, min_zoom, 1, 0.01, 100, "smallest factor; below 1 is out"),
    SL_OPT_FLOAT(sl_zoom_opts, max_zoom, 1.1, 0.01, 100, "largest factor"),
    SL_OPT_END};

static const sl_option brightness[] = {LIGHT("max_lighting", 0.2, "mid grey moves by up to this share")};
static const sl_option contrast[]   = {LIGHT("max_lighting", 0.2, "logits are scaled by 1 - this to 1 / (1 - this)")};
static const sl_option saturation[] = {LIGHT("max_lighting", 0.2, "colourfulness is scaled by 1 - this to 1 / (1 - this)")};
static const sl_option hue[]        = {LIGHT("max_hue", 0.1, "hues turn by a factor of 1 - this to 1 / (1 - this), in turns around 1")};

static const sl_option crop[] = {
    SL_OPT_NEED_INTS(sl_crop_opts, size, 1, 1 << 16, "height and width of the result"),
    SL_OPT_FLOAT(sl_crop_opts, min_scale, 0.08, 0, 1, "smallest share of the area to keep"),
    SL_OPT_FLOAT(sl_crop_opts, max_scale, 1, 0, 1, "largest share of the area to keep"),
    SL_OPT_FLOAT(sl_crop_opts, valid_scale, 1, 0.01, 1, "share of each side that validation keeps"),
    SL_OPT_NUMBERS(sl_crop_opts, ratio, (double)NAN, 0.01, 100, "narrowest and widest crop, width / height; 3/4 and 4/3 if not given"),
    SL_OPT_ENUM(sl_crop_opts, mode, SL_SAMPLE_BILINEAR, sl_sample_names, "how the crop is resized"),
    SL_OPT_END};

static const sl_option normalize[] = {
    SL_OPT_NUMBERS(sl_normalize_opts, mean, (double)NAN, -100, 100, "of each channel; measured on the first batch if not given"),
    SL_OPT_NUMBERS(sl_normalize_opts, std, (double)NAN, 1e-7, 100, "of each channel"),
    SL_OPT_END};

static const sl_option erasing[] = {
    SL_OPT_FLOAT(sl_erasing_opts, p, 0.5, 0, 1, "probability for each batch"),
    SL_OPT_FLOAT(sl_erasing_opts, sl, 0, 0, 1, "smallest share of the area to erase"),
    SL_OPT_FLOAT(sl_erasing_opts, sh, 0.3, 0, 1, "largest share of the area to erase"),
    SL_OPT_FLOAT(sl_erasing_opts, min_aspect, 0.3, 0.01, 1, "smallest height / width of a box; the largest is its inverse"),
    SL_OPT_INT(sl_erasing_opts, max_count, 1, 1, 64, "most boxes"),
    SL_OPT_END};

static const sl_option aug[] = {
    SL_OPT_FLOAT(sl_aug_opts, mult, 1, 0, 10, "scales max_rotate, max_lighting and max_warp"),
    SL_OPT_BOOL(sl_aug_opts, do_flip, 1, "mirror half of the images"),
    SL_OPT_BOOL(sl_aug_opts, flip_vert, 0, "all eight flips and quarter turns instead of the mirror"),
    SL_OPT_FLOAT(sl_aug_opts, max_rotate, 10, 0, 180, "largest rotation, in degrees, either way"),
    SL_OPT_FLOAT(sl_aug_opts, min_zoom, 1, 0.01, 100, "smallest zoom"),
    SL_OPT_FLOAT(sl_aug_opts, max_zoom, 1.1, 0.01, 100, "largest zoom"),
    SL_OPT_FLOAT(sl_aug_opts, max_lighting, 0.2, 0, 0.99, "largest change of brightness and contrast"),
    SL_OPT_FLOAT(sl_aug_opts, max_warp, 0.2, 0, 0.49, "largest change of perspective"),
    SL_OPT_FLOAT(sl_aug_opts, p_affine, 0.75, 0, 1, "probability of each of warp, rotation and zoom"),
    SL_OPT_FLOAT(sl_aug_opts, p_lighting, 0.75, 0, 1, "probability of each of brightness and contrast"),
    SL_OPT_INTS(sl_aug_opts, size, (double)NAN, 1, 1 << 16, "height and width of the result; the images' own if not given"),
    SL_OPT_ENUM(sl_aug_opts, mode, SL_SAMPLE_BILINEAR, sl_sample_names, "how pixels are sampled"),
    SL_OPT_ENUM(sl_aug_opts, pad_mode, SL_PAD_REFLECTION, sl_pad_names, "what lies outside the image"),
    SL_OPT_BOOL(sl_aug_opts, align_corners, 1, "the grid ends at centres of outer pixels, not at their edges"),
    SL_OPT_BOOL(sl_aug_opts, batch, 0, "the same for all images of a batch"),
    SL_OPT_FLOAT(sl_aug_opts, min_scale, 1, 0, 1, "smallest share of the area of the random crop; 1: no crop"),
    SL_OPT_END};

#define ROW(name, type, options, help) {name, help, sizeof(type), options}
const sl_batch_transform_info sl_batch_transforms[SL_BATCH_TRANSFORM_COUNT] = {
    [SL_BATCH_TRANSFORM_AUG_TRANSFORMS] = ROW("aug_transforms", sl_aug_opts, aug, "Flip, warp, rotate, zoom, light and crop at random."),
    [SL_BATCH_TRANSFORM_FLIP]       = ROW("Flip", sl_sampling, flip, "Mirrors left and right."),
    [SL_BATCH_TRANSFORM_DIHEDRAL]   = ROW("Dihedral", sl_sampling, flip, "One of the eight flips and quarter turns."),
    [SL_BATCH_TRANSFORM_WARP]       = ROW("Warp", sl_warp_opts, warp, "Changes the perspective."),
    [SL_BATCH_TRANSFORM_ROTATE]     = ROW("Rotate", sl_rotate_opts, rotate, "Rotates about the centre."),
    [SL_BATCH_TRANSFORM_ZOOM]       = ROW("Zoom", sl_zoom_opts, zoom, "Zooms into a random place."),
    [SL_BATCH_TRANSFORM_BRIGHTNESS] = ROW("Brightness", sl_light_opts, brightness, "Makes lighter or darker."),
    [SL_BATCH_TRANSFORM_CONTRAST]   = ROW("Contrast", sl_light_opts, contrast, "Changes the contrast."),
    [SL_BATCH_TRANSFORM_SATURATION] = ROW("Saturation", sl_light_opts, saturation, "Changes how colourful images are."),
    [SL_BATCH_TRANSFORM_HUE]        = ROW("Hue", sl_light_opts, hue, "Turns the hues."),
    [SL_BATCH_TRANSFORM_CROP]       = ROW("RandomResizedCropGPU", sl_crop_opts, crop, "One random crop per batch, resized; the centre in validation."),
    [SL_BATCH_TRANSFORM_NORMALIZE]  = ROW("Normalize", sl_normalize_opts, normalize, "Subtracts the mean and divides by the standard deviation."),
    [SL_BATCH_TRANSFORM_ERASING]    = ROW("RandomErasing", sl_erasing_opts, erasing, "Replaces random boxes by noise, the same boxes in a batch."),
};
/* clang-format on */

int sl_batch_transform_find(const char *name) {
  for (int i = 0; i < SL_BATCH_TRANSFORM_COUNT; i++)
    if (strcmp(sl_batch_transforms[i].name, name) == 0) return i;
  sl_fail(SL_EINVAL,
          "there is no batch transform '%s': aug_transforms, Flip, Dihedral, "
          "Warp, Rotate, Zoom, Brightness, Contrast, Saturation, Hue, "
          "RandomResizedCropGPU, Normalize and RandomErasing are",
          name);
  return -1;
}

int sl_batch_transform_is_affine(sl_batch_transform_id id) {
  return id >= SL_BATCH_TRANSFORM_FLIP && id <= SL_BATCH_TRANSFORM_ZOOM;
}

void sl_batch_transform_defaults(sl_batch_transform_id id, void *opts) {
  const sl_op described = {.opts_size = sl_batch_transforms[id].opts_size,
                           .options = sl_batch_transforms[id].options};
  sl_op_defaults(&described, opts);
}
