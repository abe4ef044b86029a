/* decoded.h -- decoded images kept in memory, for loaders that read the same
 * files again: the passes of test-time augmentation, the epochs of a training
 * set that fits.
 *
 * Images are kept as they are met until the budget is spent, and none is given
 * up for another: files are read in rounds, where the oldest image is always
 * the next one wanted. Kept is what the decoder gave, before any transform; it
 * serves whoever wants the same shrink-on-load, so results are the same bits
 * with and without. Any thread may call any function. */
#ifndef SL_DATA_DECODED_H
#define SL_DATA_DECODED_H

#include "data/image.h"

typedef struct sl_decoded sl_decoded;

/* One image; never changes. */
typedef struct sl_kept {
  int h, w;       /* of the file at full size, as shown */
  int can_shrink; /* sl_decoder */
  int shrink;     /* that the pixels were decoded with */
  sl_image image;
} sl_kept;

/* For the rows 0..n-1 of a file list; budget: bytes of pixels at most. The
 * caller holds one reference. SL_EINVAL for a negative budget. */
SL_MUST_USE sl_status sl_decoded_new(int64_t n, int64_t budget,
                                     sl_decoded **out);
sl_decoded *sl_decoded_retain(sl_decoded *d); /* returns d; NULL is allowed */
void sl_decoded_release(sl_decoded *d);       /* NULL is allowed */

/* What is kept of a row, valid as long as d; NULL: nothing. */
const sl_kept *sl_decoded_get(const sl_decoded *d, int64_t row);

/* Keeps a copy of what->image if there is room and the row has none. A failure
 * to do so is none: the file will be decoded again. */
void sl_decoded_put(sl_decoded *d, int64_t row, const sl_kept *what);

int64_t sl_decoded_bytes(const sl_decoded *d); /* of pixels kept */

#endif
