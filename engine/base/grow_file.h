/* grow_file.h -- a file that only grows, such as history.csv. What cannot be
 * written now, because the disk is full, waits in memory and follows later: in
 * the file is always a beginning of what was added, never a gap, and a row cut
 * in two only until the next write that works. */
#ifndef SL_BASE_GROW_FILE_H
#define SL_BASE_GROW_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct sl_grow_file {
  int fd; /* -1: not open */
  char *path;
  int64_t written; /* bytes that are surely in the file */
  char *waiting;   /* and what comes after them */
  size_t n, room;  /* its bytes; place for */
} sl_grow_file;

/* keep: what is in the file stays, and is ended with a newline if it has none.
 * SL_EIO: "cannot write PATH: reason". */
SL_MUST_USE sl_status sl_grow_open(sl_grow_file *g, const char *path, int keep);

/* Adds bytes in memory. SL_ENOMEM only. */
SL_MUST_USE sl_status sl_grow_add(sl_grow_file *g, const void *data, size_t n);

/* Puts all that waits on disk. SL_EIO: it still waits. */
SL_MUST_USE sl_status sl_grow_write(sl_grow_file *g);

/* All bytes, written or waiting: how many, and they. SL_EIO. */
size_t sl_grow_size(const sl_grow_file *g);
SL_MUST_USE sl_status sl_grow_read(const sl_grow_file *g, char *out);

/* Waiting bytes are lost: sl_grow_write comes first. More than once is allowed.
 */
void sl_grow_close(sl_grow_file *g);

#endif
