/* unpack.h -- an archive becomes a folder, whole or not at all. */
#ifndef SL_DATA_UNPACK_H
#define SL_DATA_UNPACK_H

#include <stdint.h>

#include "base/status.h"

/* How far it is, in bytes of the archive; anything but SL_OK ends it so. */
typedef sl_status sl_unpack_tell(void *context, int64_t done, int64_t total);

/* Unpacks archive (tar or zip; gzip, bzip2, xz, zstd, lz4 or plain) as the
 * folder target, which must not exist. When all of the archive lies in one
 * folder, that folder becomes target. Work is done in target.unpacking beside
 * it and renamed at the end; whatever happens before, nothing of it remains.
 * Entries that lead out of the folder (absolute, "..", through or by a link)
 * and entries that are neither file, folder nor link make it an SL_EDATA
 * error. One process at a time per target. SL_EINTERRUPT when the user asks.
 * tell, which may be NULL, is called a few times a second. */
SL_MUST_USE sl_status sl_unpack(const char *archive, const char *target,
                                sl_unpack_tell *tell, void *context);

#endif
