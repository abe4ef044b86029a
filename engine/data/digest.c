/* digest.c -- see digest.h. */
#include "data/digest.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/interrupt.h"

enum { BLOCK = 1 << 18 };

static sl_status feed(struct archive *out, FILE *f, const char *path) {
  char *block = sl_alloc(BLOCK, 1);
  SL_REQUIRE(block, SL_ENOMEM, "no memory to read %s", path);
  sl_status status = SL_OK;
  for (size_t n; status == SL_OK && (n = fread(block, 1, BLOCK, f)) > 0;) {
    if (archive_write_data(out, block, n) < 0)
      status = sl_fail(SL_EINTERNAL, "%s", archive_error_string(out));
    if (sl_interrupt_pending())
      status = sl_fail(SL_EINTERRUPT, "interrupted while reading %s", path);
  }
  if (status == SL_OK && ferror(f))
    status = sl_fail(SL_EIO, "%s: %s", path, strerror(errno));
  sl_free(block);
  return status;
}

/* One entry of an mtree: text[0..*used) becomes "#mtree\n./x md5digest=..". */
static sl_status describe(FILE *f, int64_t size, const char *path,
                          const char *kind, char *text, size_t room,
                          size_t *used) {
  char options[32];
  snprintf(options, sizeof options, "!all,%s", kind);
  struct archive *out = archive_write_new();
  struct archive_entry *e = archive_entry_new();
  sl_status status = SL_ENOMEM;
  if (!out || !e) goto done;
  archive_entry_set_pathname(e, "x");
  archive_entry_set_filetype(e, AE_IFREG);
  archive_entry_set_size(e, size);
  if (archive_write_set_format_mtree(out) != ARCHIVE_OK ||
      archive_write_set_options(out, options) != ARCHIVE_OK ||
      archive_write_open_memory(out, text, room, used) != ARCHIVE_OK ||
      archive_write_header(out, e) != ARCHIVE_OK) {
    status = sl_fail(SL_EINTERNAL, "%s", archive_error_string(out));
    goto done;
  }
  status = feed(out, f, path);
  archive_write_close(out);
done:
  if (e) archive_entry_free(e);
  if (out) archive_write_free(out);
  if (status == SL_ENOMEM) (void)sl_fail(status, "no memory for a checksum");
  return status;
}

static sl_status digest(FILE *f, int64_t size, const char *path,
                        const char *kind, char hex[65]) {
  char text[4096], word[32];
  size_t used = 0;
  rewind(f);
  SL_TRY(describe(f, size, path, kind, text, sizeof text - 1, &used));
  text[used] = 0;
  snprintf(word, sizeof word, "%sdigest=", kind);
  const char *at = strstr(text, word);
  SL_REQUIRE(at && sscanf(at + strlen(word), "%64[0-9a-f]", hex) == 1,
             SL_EINTERNAL, "libarchive was built without %s", kind);
  return SL_OK;
}

static sl_status compare(FILE *f, int64_t size, const char *path,
                         const char *kind, const char *want) {
  char have[65] = "";
  if (!want) return SL_OK;
  SL_TRY(digest(f, size, path, kind, have));
  SL_REQUIRE(strcasecmp(have, want) == 0, SL_EDATA,
             "%s: wrong checksum: %s is %s, published is %s", path, kind, have,
             want);
  return SL_OK;
}

sl_status sl_published_check(const sl_published *p, const char *path) {
  struct stat st;
  FILE *f = fopen(path, "rb");
  SL_REQUIRE(f, SL_EIO, "%s: %s", path, strerror(errno));
  sl_status status = SL_OK;
  if (fstat(fileno(f), &st) != 0)
    status = sl_fail(SL_EIO, "%s: %s", path, strerror(errno));
  else if (p->size && p->size != st.st_size)
    status = sl_fail(SL_EDATA, "%s: wrong size: %lld bytes, published is %lld",
                     path, (long long)st.st_size, (long long)p->size);
  if (status == SL_OK) status = compare(f, st.st_size, path, "md5", p->md5);
  if (status == SL_OK)
    status = compare(f, st.st_size, path, "sha256", p->sha256);
  fclose(f);
  return status;
}
