/* whole_file.h -- a file that is there whole or not at all, whatever happens
 * while it is written: it is made beside its place, synced, renamed, and its
 * folder is synced. Readers see the old file or the new one.
 *
 *   sl_whole_file w;
 *   SL_TRY(sl_whole_open(&w, path));
 *   sl_status status = sl_whole_put(&w, bytes, n);
 *   return sl_whole_close(&w, status);
 *
 * Failures are SL_EIO, "cannot write PATH: reason". */
#ifndef SL_BASE_WHOLE_FILE_H
#define SL_BASE_WHOLE_FILE_H

#include <stdio.h>

#include "base/status.h"

typedef struct sl_whole_file {
  FILE *file;
  char *path, *beside;
} sl_whole_file;

/* The new file has the mode of the one that it will replace, if there is one,
 * else what the umask says. */
SL_MUST_USE sl_status sl_whole_open(sl_whole_file *w, const char *path);
SL_MUST_USE sl_status sl_whole_put(const sl_whole_file *w, const void *data,
                                   size_t n);
/* so_far: of what was done since it was opened; if that is not SL_OK, or
 * something fails now, the old file stays, and the new one is removed. */
SL_MUST_USE sl_status sl_whole_close(sl_whole_file *w, sl_status so_far);

/* All three at once. */
SL_MUST_USE sl_status sl_whole_write(const char *path, const void *data,
                                     size_t n);

/* A new name is on disk only when the folder that it is in has been synced;
 * path: of the file. A folder that may not be read, or a file system that
 * cannot sync one, is no error. */
SL_MUST_USE sl_status sl_sync_folder_of(const char *path);

#endif
