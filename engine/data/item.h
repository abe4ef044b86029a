/* item.h -- from a file to one item of a batch, on a loader's thread.
 *
 * A pipeline is decode -> item transforms -> (H, W, 3) u8 RGB pixels of one
 * fixed size, written straight into the item's slot of the batch. Everything
 * random is drawn from the streams (seed, epoch, item, SL_RNG_ITEM + index of
 * the transform), so any thread gives the same pixels. */
#ifndef SL_DATA_ITEM_H
#define SL_DATA_ITEM_H

#include <stdint.h>

#include "base/status.h"
#include "data/decoded.h"
#include "data/item_transform.h"

/* Where an item stands: names its random streams and its form. */
typedef struct sl_item_id {
  uint64_t seed;
  uint32_t epoch; /* 0 for validation */
  uint32_t index; /* row of the file list, from 0 */
  int train;      /* training form of each transform, or validation form */
} sl_item_id;

typedef struct sl_item_pipeline sl_item_pipeline; /* immutable, shareable */
typedef struct sl_item_scratch sl_item_scratch;   /* one per thread */

typedef struct sl_item_pipeline_opts {
  int64_t max_pixels; /* larger files are refused; 0: SL_DECODE_MAX_PIXELS */
  int exact; /* never shrink a JPEG on load (see sl_item_view_shrink) */
} sl_item_pipeline_opts;

/* A pipeline of n transforms (copied), applied by their order numbers, those of
 * equal order as listed. opts NULL: all defaults. The caller holds one
 * reference. SL_EINVAL for an option out of range, and when no transform fixes
 * the size, since the items of a batch must be equal in size. */
SL_MUST_USE sl_status sl_item_pipeline_new(sl_item_pipeline **out,
                                           const sl_item_transform *transforms,
                                           int n,
                                           const sl_item_pipeline_opts *opts);
sl_item_pipeline *sl_item_pipeline_retain(sl_item_pipeline *p); /* returns p */
void sl_item_pipeline_release(sl_item_pipeline *p); /* NULL is allowed */

/* The transforms in the order of their application; *n of them. Borrowed. */
const sl_item_transform *sl_item_pipeline_transforms(const sl_item_pipeline *p,
                                                     int *n);

/* Height and width of what the pipeline gives, in the form asked for. */
void sl_item_size(const sl_item_pipeline *p, int train, int *h, int *w);

SL_MUST_USE sl_status sl_item_scratch_new(sl_item_scratch **out);

/* Items are taken from d where it has them (id.index is its row), and kept
 * there. d is borrowed; NULL: every file is decoded, as in the beginning. */
void sl_item_scratch_keep(sl_item_scratch *s, sl_decoded *d);

/* Also lets libvips forget this thread: the worker frees its own before it
 * ends. NULL is allowed. */
void sl_item_scratch_free(sl_item_scratch *s);

/* Decodes path and runs the pipeline; out has h*w*3 bytes. SL_EDATA or SL_EIO
 * when the file is bad: the message names it. */
SL_MUST_USE sl_status sl_item_load(const sl_item_pipeline *p, const char *path,
                                   sl_item_id id, sl_item_scratch *s,
                                   uint8_t *out);

#endif
