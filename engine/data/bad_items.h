/* bad_items.h -- files that could not be read: each once, with its reason. */
#ifndef SL_DATA_BAD_ITEMS_H
#define SL_DATA_BAD_ITEMS_H

#include <stdint.h>

#include "base/status.h"

typedef struct sl_bad_items sl_bad_items;

SL_MUST_USE sl_status sl_bad_items_new(int64_t n_files, sl_bad_items **out);
void sl_bad_items_free(sl_bad_items *b); /* NULL is allowed */

/* Remembers row (0..n_files-1) unless it is known; the first time, if loud,
 * also a warning. reason is copied. */
SL_MUST_USE sl_status sl_bad_items_add(sl_bad_items *b, int64_t row,
                                       const char *reason, int loud);
int64_t sl_bad_items_count(const sl_bad_items *b);
void sl_bad_items_get(const sl_bad_items *b, int64_t i, int64_t *row,
                      const char **reason);

/* More than 10, and more than 10 % of the items seen. */
int sl_bad_items_too_many(int64_t bad, int64_t seen);

#endif
