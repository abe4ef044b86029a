/* labels.h -- from label texts to class numbers 1..K.
 *
 * The classes are the sorted (byte order), unique labels of the training rows;
 * class k is the k-th of them. A row with a label that no training row has is
 * an error that names file and class, before any training. */
#ifndef SL_DATA_LABELS_H
#define SL_DATA_LABELS_H

#include <stdint.h>

#include "base/status.h"
#include "data/files.h"

typedef struct sl_vocab sl_vocab; /* immutable */

/* The classes of rows[0..n) of f (rows NULL: all of f). SL_EINVAL when a row
 * has no label. */
SL_MUST_USE sl_status sl_vocab_from_rows(const sl_files *f, const int64_t *rows,
                                         int64_t n, sl_vocab **out);

/* The given names in the given order: a model's class list. */
SL_MUST_USE sl_status sl_vocab_from_names(const char *const *names, int n,
                                          sl_vocab **out);
void sl_vocab_free(sl_vocab *v); /* NULL is allowed */

int sl_vocab_size(const sl_vocab *v);                   /* K */
const char *sl_vocab_name(const sl_vocab *v, int k);    /* k in 1..K */
int sl_vocab_find(const sl_vocab *v, const char *name); /* 1..K, 0: none */

/* The classes of some rows, as a loader wants them. One class each:
 * classes[i]. Several each: classes[at[i]..at[i + 1]). */
typedef struct sl_targets {
  int64_t n;
  int n_classes;
  int64_t *at; /* NULL: exactly one class each */
  int32_t *classes;
} sl_targets;

/* Looks the labels of rows[0..n) up; `set` names them in messages
 * ("validation"). multi: several labels a row are allowed, and none. */
SL_MUST_USE sl_status sl_targets_init(sl_targets *t, const sl_vocab *v,
                                      const sl_files *f, const int64_t *rows,
                                      int64_t n, int multi, const char *set);
void sl_targets_close(sl_targets *t);

/* counts[k - 1]: how many rows have class k. */
void sl_targets_count(const sl_targets *t, int64_t *counts);

#endif
