/* libraries.h -- which libraries the data side has, for --doctor. */
#ifndef SL_DATA_LIBRARIES_H
#define SL_DATA_LIBRARIES_H

#include "base/status.h"

typedef struct sl_library {
  const char *name;
  char version[48];    /* empty: this build is without it */
  const char *package; /* Debian's, to build with it */
  const char *without; /* what does not work then */
} sl_library;

enum { SL_N_LIBRARIES = 3, SL_N_FORMATS = 9 };

/* libvips, libcurl, libarchive. */
void sl_libraries(sl_library out[SL_N_LIBRARIES]);

typedef struct sl_format {
  const char *name;
  int readable;
  int blocked; /* only with --allow-untrusted-images */
} sl_format;

/* Image formats, and whether the installed libvips reads them. */
SL_MUST_USE sl_status sl_formats(sl_format out[SL_N_FORMATS]);

#endif
