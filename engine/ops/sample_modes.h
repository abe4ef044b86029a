/* sample_modes.h -- names for how augment_images samples. */
#ifndef SL_OPS_SAMPLE_MODES_H
#define SL_OPS_SAMPLE_MODES_H

typedef enum sl_sample_mode { SL_SAMPLE_BILINEAR, SL_SAMPLE_NEAREST } sl_sample;

/* What lies outside the input. */
typedef enum sl_pad_mode {
  SL_PAD_REFLECTION,
  SL_PAD_BORDER,
  SL_PAD_ZEROS
} sl_pad_mode;

/* Columns of params, f32 (N, SL_AUGMENT_PARAMS): one row per image. */
enum {
  SL_AUGMENT_HOMOGRAPHY = 0, /* 9: row-major 3x3 */
  SL_AUGMENT_MUL = 9,        /* of the logit; neutral 1 */
  SL_AUGMENT_ADD,            /* to the logit; neutral 0 */
  SL_AUGMENT_SATURATION,     /* neutral 1 */
  SL_AUGMENT_HUE,            /* turns; neutral 0 */
  SL_AUGMENT_PARAMS
};

#endif
