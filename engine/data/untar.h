/* untar.h -- from a URL to a folder in the cache: the engine of untar_data.
 *
 * Always there: in a build without libcurl or libarchive it still finds data
 * sets that are in the cache, and says what to install for others. */
#ifndef SL_DATA_UNTAR_H
#define SL_DATA_UNTAR_H

#include <stdint.h>

#include "base/status.h"
#include "data/cache_dir.h"
#include "data/digest.h"
#include "data/fetch.h"

typedef struct sl_untar_opts {
  const char *cache;      /* folder; NULL: sl_cache_dir */
  sl_published published; /* checked before unpacking, where known */
  sl_fetch_opts fetch;    /* .retries = -1 for the default */
  /* As fetch.progress, with its context, while the archive is unpacked. */
  sl_status (*unpacking)(void *context, int64_t done, int64_t total);
  int keep_archive; /* else it is removed once it is unpacked */
} sl_untar_opts;

/* out: the folder of the data set, CACHE/NAME for .../NAME.tgz (or .tar.gz,
 * .tar, .zip, ...). Found there, nothing is downloaded; otherwise fetched,
 * checked, unpacked. An archive with a wrong checksum is removed. Several
 * processes may ask for the same: one works, the others wait. opts may be NULL.
 * SL_EIO when it cannot be had: the message says what was tried, why it failed
 * and how to use a folder instead. */
SL_MUST_USE sl_status sl_untar(const char *url, const sl_untar_opts *opts,
                               char out[SL_PATH_MAX]);

/* Could it download at all? */
int sl_untar_can_download(void);

#endif
