/* demo.h -- the built-in data set: ten shapes and textures, as JPEG files.
 *
 * Made so that colour, place, size, angle and light say nothing about the
 * class, and only the form does: logistic regression on 32 x 32 pixels gets a
 * fifth of the validation images right, a convnet of eight layers 99 %. Laid
 * out as Imagenette is: dir/train/<class>/NNNN.jpg and
 * dir/val/<class>/NNNN.jpg. Shorter sides of 96 to 160 pixels, a few files
 * grey, quality 70 to 95. */
#ifndef SL_DATA_DEMO_H
#define SL_DATA_DEMO_H

#include <stdint.h>

#include "base/status.h"

enum { SL_DEMO_TRAIN = 3000, SL_DEMO_VALID = 1000 }; /* what recipes use */

/* Called now and then in the thread that called sl_demo_write. Not 0: stop. */
typedef int sl_demo_progress(void *context, int done, int total);

/* Renders n_train + n_valid files, classes in turn; the same seed gives the
 * same files. dir appears when all of them are there, parents are made; a dir
 * that is there already is left as it is. progress may be NULL. SL_EIO for the
 * disk, SL_EINTERRUPT when progress stopped it: then nothing is left behind (a
 * process that is killed leaves dir.XXXXXX, but never a dir that lacks files).
 */
SL_MUST_USE sl_status sl_demo_write(const char *dir, int n_train, int n_valid,
                                    uint64_t seed, sl_demo_progress *progress,
                                    void *context);

#endif
