/* content.h -- a number for a file's bytes: which files are copies of others?
 */
#ifndef SL_DATA_CONTENT_H
#define SL_DATA_CONTENT_H

#include "base/status.h"

enum { SL_CONTENT_HASH = 32 };

/* XXH3's 128 bits as hexadecimal digits. It finds copies; it is no protection
 * against files that were made to be mistaken for others. SL_EIO. */
SL_MUST_USE sl_status sl_content_hash(const char *path,
                                      char out[SL_CONTENT_HASH + 1]);

#endif
