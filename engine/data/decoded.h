/* decoded.h -- decoded images kept, for loaders that read the same files again:
 * the epochs of a training set, the passes of test-time augmentation.
 *
 * Images are kept in memory as they are met until the budget is spent, and none
 * is given up for another: files are read in rounds, where the oldest image is
 * always the next one wanted. What memory has no room for goes to a file, if
 * there is one (pixel_file.h). Kept is what the decoder gave, before any
 * transform; it serves whoever wants the same shrink-on-load, so results are
 * the same bits with and without. An image whose file has changed is as none.
 * Any thread may call any function. */
#ifndef SL_DATA_DECODED_H
#define SL_DATA_DECODED_H

#include "data/pixel_file.h"

typedef struct sl_decoded sl_decoded;

/* For the rows 0..n-1 of a file list; budget: bytes of pixels at most. The
 * caller holds one reference. SL_EINVAL for a negative budget. */
SL_MUST_USE sl_status sl_decoded_new(int64_t n, int64_t budget,
                                     sl_decoded **out);
sl_decoded *sl_decoded_retain(sl_decoded *d); /* returns d; NULL is allowed */
void sl_decoded_release(sl_decoded *d);       /* NULL is allowed */

/* Gives d a file, which is closed with it; before any thread reads. */
void sl_decoded_set_file(sl_decoded *d, sl_pixel_file *f);

/* What is kept of a row for this state of its file: in memory, valid as long as
 * d, or read into *room, whose buffer is used again. NULL: nothing. */
const sl_kept *sl_decoded_get(const sl_decoded *d, int64_t row,
                              const sl_file_id *id, sl_kept *room);

/* An image that has no file of its own, put with an id of zeros: it is what it
 * is. NULL: row is not such. */
const sl_kept *sl_decoded_own(const sl_decoded *d, int64_t row);

/* Keeps a copy of what->image if there is room and the row has none. A failure
 * to do so is none: the file will be decoded again. */
void sl_decoded_put(sl_decoded *d, int64_t row, const sl_kept *what);

int64_t sl_decoded_bytes(const sl_decoded *d);      /* of pixels in memory */
int64_t sl_decoded_file_bytes(const sl_decoded *d); /* 0: no file */

#endif
