/* scan.h -- the files of a folder, as get_image_files finds them.
 *
 * Sorted by path, component by component in byte order, as Python sorts Path
 * objects: fastai takes the order of the disk, which differs from machine to
 * machine, and with it the split. Files and folders whose name begins with '.'
 * are left out. Links are followed; one that leads back to a folder above it
 * is not. A folder that cannot be read is counted and named in a warning. */
#ifndef SL_DATA_SCAN_H
#define SL_DATA_SCAN_H

#include <stdint.h>

#include "base/status.h"
#include "data/files.h"

/* jpg jpeg jpe png bmp gif tif tiff webp ppm pgm pbm pnm; ends with NULL. */
extern const char *const sl_image_extensions[];

typedef struct sl_scan_opts {
  const char *const *extensions; /* without the dot, any case; NULL: images */
  int flat;                      /* only the folder itself, no subfolders */
  const char *const *folders;    /* only these subfolders of the first level */
  int n_folders;                 /* 0: all, and the folder's own files */
  /* Told of each folder and each thousand files; or NULL. */
  void (*progress)(void *context, int64_t files);
  void *context;
} sl_scan_opts;

typedef struct sl_scan_seen {
  int64_t files;      /* taken */
  int64_t others;     /* not taken for their extension */
  int64_t hidden;     /* files and folders that begin with '.' */
  int64_t unreadable; /* folders that could not be opened */
} sl_scan_seen;

/* Adds the files below path to f; opts and seen may be NULL. SL_EIO: path is
 * missing, is no folder or cannot be read; SL_EDATA: no such file in it (the
 * message says what was looked for and what was there). */
SL_MUST_USE sl_status sl_scan(const char *path, const sl_scan_opts *opts,
                              sl_files *f, sl_scan_seen *seen);

#endif
