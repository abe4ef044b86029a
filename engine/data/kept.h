/* kept.h -- a decoded image that is kept, and of which state of its file. */
#ifndef SL_DATA_KEPT_H
#define SL_DATA_KEPT_H

#include <stdint.h>

#include "data/image.h"

/* Which file it was: another size, time or inode is another picture. */
typedef struct sl_file_id {
  int64_t bytes, mtime; /* mtime in ns */
  uint64_t inode;
} sl_file_id;

/* As the file is now. SL_EIO: there is none. */
SL_MUST_USE sl_status sl_file_id_of(const char *path, sl_file_id *id);

int sl_file_id_equal(const sl_file_id *a, const sl_file_id *b);

/* One image; never changes. */
typedef struct sl_kept {
  sl_file_id id;
  int h, w;       /* of the file at full size, as shown */
  int can_shrink; /* sl_decoder */
  int shrink;     /* that the pixels were decoded with */
  sl_image image;
} sl_kept;

#endif
