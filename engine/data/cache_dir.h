/* cache_dir.h -- where downloaded and generated data sets live. */
#ifndef SL_DATA_CACHE_DIR_H
#define SL_DATA_CACHE_DIR_H

#include <stddef.h>

#include "base/status.h"

enum { SL_PATH_MAX = 4096 };

/* The folder, made if it is not there: $SOTA_DATA; else
 * $XDG_CACHE_HOME/sota-lua; else ~/.cache/sota-lua. SL_EIO when it cannot be
 * made: the message says which variable named it. */
SL_MUST_USE sl_status sl_cache_dir(char out[SL_PATH_MAX]);

/* mkdir -p; a new folder outlives a power cut. */
SL_MUST_USE sl_status sl_make_dirs(const char *path);

/* rm -r; what is not there is no error. Links are removed, not followed. */
SL_MUST_USE sl_status sl_remove_tree(const char *path);

/* out = dir/name; SL_EIO when that is too long. */
SL_MUST_USE sl_status sl_path_join(char out[SL_PATH_MAX], const char *dir,
                                   const char *name);

#endif
