/* files.h -- a temporary folder for tests that need files. */
#ifndef SL_TESTS_FILES_H
#define SL_TESTS_FILES_H

#include <stddef.h>

/* Makes a fresh folder: a checked set-up. t_folder_remove is its tear-down and
 * deletes everything in it. */
void t_folder_make(void);
void t_folder_remove(void);

/* folder/name, in one of eight buffers that are used in turn. */
const char *t_path(const char *name);

/* Writes a file into the folder; returns its path as t_path. */
const char *t_write(const char *name, const void *bytes, size_t n);

/* Number of regular files below the folder, at any depth. */
int t_count_files(void);

#endif
