/* item_view.h -- what a transform decides about an image, and carrying it out.
 *
 * Every item transform comes down to one view: mirror, crop (perhaps over the
 * edges), resize, crop. The decision needs the image's size only, so it is
 * made before any pixel is decoded. */
#ifndef SL_DATA_ITEM_VIEW_H
#define SL_DATA_ITEM_VIEW_H

#include "data/resample.h"

/* What stands beyond the edges: black, the nearest pixel, or the picture
 * mirrored there without repeating its edge. */
typedef enum sl_pad_mode {
  SL_PAD_ZEROS,
  SL_PAD_BORDER,
  SL_PAD_REFLECTION
} sl_pad_mode;

typedef struct sl_item_view {
  int mirror;     /* left and right swapped first */
  int x, y, w, h; /* box in the mirrored image; may reach over the edges */
  int pad_mode;   /* sl_pad_mode */
  int to_h, to_w; /* the box becomes this size, and of that */
  int cut_y, cut_x, out_h, out_w; /* this window is kept */
} sl_item_view;

/* A view that takes box x, y, w, h and resizes it to to_h x to_w. */
sl_item_view sl_item_view_make(int x, int y, int w, int h, int to_h, int to_w);

/* The view that changes nothing but left and right, if mirror. */
sl_item_view sl_item_view_whole(int h, int w, int mirror);

int sl_item_view_is_whole(const sl_item_view *v, int h,
                          int w); /* mirrored or not */
int sl_item_view_is_inside(const sl_item_view *v, int h, int w);

/* The view of an h x w image as a job for sl_resample on `have`: that image, or
 * what is left of it after shrink-on-load. */
sl_resize sl_item_view_resize(const sl_item_view *v, int h, int w, int shrink,
                              const sl_image *have);

/* What shrink-on-load may take away: the largest of 8, 4, 2 that leaves the
 * box twice as large as it has to become, on both sides, or 1. So files under
 * four times the wanted size are decoded exactly. Never when it pads. */
int sl_item_view_shrink(const sl_item_view *v, int h, int w);

/* dst = the box of src with its surroundings made up; for boxes that reach
 * over the edges. Ends of an axis cropped by the box reflect at the crop. */
SL_MUST_USE sl_status sl_item_view_pad(const sl_item_view *v,
                                       const sl_image *src, sl_image *dst);

#endif
