/* split.h -- which rows train and which validate. */
#ifndef SL_DATA_SPLIT_H
#define SL_DATA_SPLIT_H

#include <stdint.h>

#include "base/status.h"
#include "data/files.h"

/* Rows of a file list, from 0; train is never empty, valid may be. */
typedef struct sl_split {
  int64_t *train, *valid;
  int64_t n_train, n_valid;
} sl_split;

/* fastai's RandomSplitter: perm = torch.randperm(n) after manual_seed(seed);
 * valid = perm[:int(valid_pct * n)], train = the rest, in that order.
 * valid_pct in [0, 1). Equal to fastai's when the files are in equal order. */
SL_MUST_USE sl_status sl_split_random(int64_t n, double valid_pct,
                                      uint64_t seed, sl_split *out);

/* By the name of the folder two levels above the file (train/cat/1.jpg); files
 * of other folders are in neither. Missing names are errors that list those
 * which are there. */
SL_MUST_USE sl_status sl_split_grandparent(const sl_files *f,
                                           const char *train_name,
                                           const char *valid_name,
                                           sl_split *out);

/* valid = the given rows, in that order; train = all others, ascending. Each
 * row at most once, in 0..n-1. */
SL_MUST_USE sl_status sl_split_rows(int64_t n, const int64_t *valid,
                                    int64_t n_valid, sl_split *out);

/* Row i validates when is_valid[i]: what a function of the path decided. */
SL_MUST_USE sl_status sl_split_mask(int64_t n, const uint8_t *is_valid,
                                    sl_split *out);

void sl_split_close(sl_split *s);

#endif
