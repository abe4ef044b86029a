/* digest.h -- MD5 and SHA-256 of a file, for published checksums.
 *
 * Through libarchive, which we have anyway and whose mtree writer puts them in
 * its text: a cryptographic library as one more dependency would buy nothing.
 * MD5 only finds damage, not malice; give sha256 where it is published. */
#ifndef SL_DATA_DIGEST_H
#define SL_DATA_DIGEST_H

#include <stdint.h>

#include "base/status.h"

/* What is published about a file; unknown: 0, NULL. Hexadecimal, any case. */
typedef struct sl_published {
  int64_t size;
  const char *md5, *sha256;
} sl_published;

/* SL_EDATA when the file differs: the message has both values. */
SL_MUST_USE sl_status sl_published_check(const sl_published *p,
                                         const char *path);

#endif
