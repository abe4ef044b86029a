/* content.c -- see content.h. */
#include "data/content.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static sl_status hash(FILE *f, const char *path, XXH128_hash_t *out) {
  char block[1 << 16];
  XXH3_state_t state;
  size_t n;
  XXH3_INITSTATE(&state);
  XXH3_128bits_reset(&state);
  while ((n = fread(block, 1, sizeof block, f)) > 0)
    XXH3_128bits_update(&state, block, n);
  SL_REQUIRE(!ferror(f), SL_EIO, "%s: cannot read: %s", path, strerror(errno));
  *out = XXH3_128bits_digest(&state);
  return SL_OK;
}

sl_status sl_content_hash(const char *path, char out[SL_CONTENT_HASH + 1]) {
  XXH128_hash_t h = {0};
  FILE *f = fopen(path, "rbe");
  SL_REQUIRE(f, SL_EIO, "%s: cannot open: %s", path, strerror(errno));
  const sl_status status = hash(f, path, &h);
  fclose(f);
  snprintf(out, SL_CONTENT_HASH + 1, "%016llx%016llx",
           (unsigned long long)h.high64, (unsigned long long)h.low64);
  return status;
}
