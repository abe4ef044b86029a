/* cifar.h -- CIFAR-10's binary files, whole in memory.
 *
 * A folder has data_batch_1.bin to data_batch_5.bin (training), test_batch.bin
 * (validation) and batches.meta.txt (the names of the classes, one a line). A
 * .bin file is a row of records of 3073 bytes: the class, from 0, then 1024
 * red, 1024 green and 1024 blue values of 32 x 32 pixels, row by row.
 * (A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images",
 * 2009.) All six files have equally many records, in CIFAR-10 itself 10000;
 * smaller sets of the same form are read too. */
#ifndef SL_DATA_CIFAR_H
#define SL_DATA_CIFAR_H

#include "base/status.h"
#include "data/decoded.h"
#include "data/files.h"

enum {
  SL_CIFAR_SIDE = 32,
  SL_CIFAR_BYTES = 3 * SL_CIFAR_SIDE * SL_CIFAR_SIDE, /* of pixels */
  SL_CIFAR_RECORD = 1 + SL_CIFAR_BYTES,
  SL_CIFAR_TRAIN_FILES = 5,
  SL_CIFAR_MAX_CLASSES = 256,
};

typedef struct sl_cifar {
  sl_decoded *images; /* the caller's reference */
  int64_t n_train;    /* the first rows; the others are for validation */
  int n_classes;
  char *names[SL_CIFAR_MAX_CLASSES]; /* in the order of their numbers */
} sl_cifar;

/* Adds an item for each record to files, which must be empty: named
 * FOLDER/data_batch_1.bin/00001 and so on, labelled by its class's name. The
 * pixels are in out->images; no such file is on disk. On failure out is empty,
 * and files may have some of the items. SL_EIO and SL_EDATA name the file. */
SL_MUST_USE sl_status sl_cifar_open(const char *folder, sl_files *files,
                                    sl_cifar *out);
void sl_cifar_clear(sl_cifar *c); /* of an empty one too */

#endif
