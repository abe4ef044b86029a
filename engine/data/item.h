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

/* Where an item stands: names its random streams and its form. */
typedef struct sl_item_id {
  uint64_t seed;
  uint32_t epoch; /* 0 for validation */
  uint32_t index; /* row of the file list, from 0 */
  int train;      /* training form of each transform, or validation form */
} sl_item_id;

typedef struct sl_item_pipeline sl_item_pipeline; /* immutable, shareable */
typedef struct sl_item_scratch sl_item_scratch;   /* one per thread */

/* Height and width of what the pipeline gives, in the form asked for. */
void sl_item_size(const sl_item_pipeline *p, int train, int *h, int *w);

SL_MUST_USE sl_status sl_item_scratch_new(sl_item_scratch **out);
void sl_item_scratch_free(sl_item_scratch *s); /* NULL is allowed */

/* Decodes path and runs the pipeline; out has h*w*3 bytes. SL_EDATA or SL_EIO
 * when the file is bad: the message names it. */
SL_MUST_USE sl_status sl_item_load(const sl_item_pipeline *p, const char *path,
                                   sl_item_id id, sl_item_scratch *s,
                                   uint8_t *out);

#endif
