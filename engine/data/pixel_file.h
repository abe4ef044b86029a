/* pixel_file.h -- decoded images in a file of the user's cache, for what does
 * not fit in memory, and for the next run.
 *
 * One file for each list of images: a head, then records one after the other as
 * images were decoded, each with its row, the state of its image file and
 * checksums. So it may end anywhere: a run that was killed loses its last
 * record at most. A damaged record, or one of a file that has changed since, is
 * as none: the image is decoded and written again, behind the others. Once more
 * than half of a file is such, it begins anew.
 *
 * The first process that opens a file may add to it; others read what was there
 * when they came. A file is replaced by renaming, never cut: who has it open
 * goes on. It is read and written, not mapped: the system keeps its pages in
 * memory all the same, and a full disk or a bad block is an error here, not the
 * end of the process. Nothing is synced: it is a cache. */
#ifndef SL_DATA_PIXEL_FILE_H
#define SL_DATA_PIXEL_FILE_H

#include "data/files.h"
#include "data/kept.h"

typedef struct sl_pixel_file sl_pixel_file;

/* folder is made if it is not there. budget: bytes of all such files in it (0:
 * a tenth of what is free there): those that were not used for longest are
 * removed until the others take half of that. SL_EIO: no file can be opened
 * there; SL_ENOMEM. */
SL_MUST_USE sl_status sl_pixel_file_open(const char *folder,
                                         const sl_files *files, int64_t budget,
                                         sl_pixel_file **out);
void sl_pixel_file_close(sl_pixel_file *f); /* NULL is allowed */

/* Reads row into out, whose buffer is used again. Returns whether it was there,
 * whole and of this state of its file. Any thread. */
int sl_pixel_file_get(sl_pixel_file *f, int64_t row, const sl_file_id *id,
                      sl_kept *out);

/* Adds an image, if this process may and the budget allows it. Any thread. */
void sl_pixel_file_put(sl_pixel_file *f, int64_t row, const sl_kept *what);

int64_t sl_pixel_file_bytes(const sl_pixel_file *f); /* of the file */

#endif
