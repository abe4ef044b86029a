/* files.h -- the items of a data set: (path, labels) pairs, held in C.
 *
 * A path is kept as (folder, name), each folder once: 1.3 million files take
 * about 40 MB. A list is changed by one thread (the main one) until a loader
 * uses it; from then on it is frozen and read by all.
 *
 * Rows count from 0 here, from 1 in Lua. */
#ifndef SL_DATA_FILES_H
#define SL_DATA_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct sl_files sl_files;

/* An empty list with one reference. */
SL_MUST_USE sl_status sl_files_new(sl_files **out);
void sl_files_retain(sl_files *f);
void sl_files_release(sl_files *f); /* NULL is allowed */

/* From now on every function that changes f fails with SL_EINVAL. */
void sl_files_freeze(sl_files *f);

SL_MUST_USE sl_status sl_files_add(sl_files *f, const char *path);
int64_t sl_files_count(const sl_files *f);

/* Writes the path of row i as snprintf does: at most size bytes with the zero;
 * returns the length that the whole path has. */
size_t sl_files_path(const sl_files *f, int64_t i, char *out, size_t size);

/* --- labels --------------------------------------------------------------- */

/* Gives row i one label (any non-empty text) in place of what it had. */
SL_MUST_USE sl_status sl_files_set_label(sl_files *f, int64_t i,
                                         const char *label);

/* Gives row i n labels, n >= 0: several classes at once. */
SL_MUST_USE sl_status sl_files_set_labels(sl_files *f, int64_t i,
                                          const char *const *labels, int n);

/* Labels every row by a folder of its path: up = 1 its parent folder
 * (parent_label), 2 the folder above, and so on. */
SL_MUST_USE sl_status sl_files_label_by_folder(sl_files *f, int up);

/* How many labels row i has; -1 when it was never given any. */
int sl_files_label_count(const sl_files *f, int64_t i);

/* Label j of row i; valid until f changes. */
const char *sl_files_label(const sl_files *f, int64_t i, int j);

/* The same as a number: equal labels have equal numbers, 0..n-1 with n from
 * sl_files_label_names. */
int32_t sl_files_label_id(const sl_files *f, int64_t i, int j);
int32_t sl_files_label_names(const sl_files *f);
const char *sl_files_label_name(const sl_files *f, int32_t id);

/* --- parts of a path ------------------------------------------------------ */

/* The folder `up` levels above the file, as a slice of path: 1 is the parent,
 * 2 the grandparent. Repeated and trailing slashes and "." do not count;
 * SL_EINVAL when the path has no such folder or it is "..". Pure text: the
 * disk is not asked. */
SL_MUST_USE sl_status sl_path_folder(const char *path, int up,
                                     const char **name, size_t *len);

/* The same for row i of a list; equal for all files of one folder, so it is
 * worked out once a folder. *id numbers the distinct names, *name is valid
 * until f goes. */
typedef struct sl_folder_names sl_folder_names;
SL_MUST_USE sl_status sl_folder_names_new(const sl_files *f, int up,
                                          sl_folder_names **out);
int32_t sl_folder_names_count(const sl_folder_names *n);
const char *sl_folder_names_get(const sl_folder_names *n, int32_t id);
int32_t sl_folder_names_of(const sl_folder_names *n, const sl_files *f,
                           int64_t row);
void sl_folder_names_free(sl_folder_names *n);

#endif
