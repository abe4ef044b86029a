/* unpack.c -- see unpack.h.
 *
 * libarchive checks that no entry is written through a link or ".."; since it
 * would do so for the cache folder's own path too, that is resolved first.
 * Absolute paths and links that point outside are refused here, before the
 * folder's path is put in front. */
#define _GNU_SOURCE
#include "data/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "data/cache_dir.h"

enum { BLOCK = 1 << 18 };

typedef struct unpacking {
  const char *file;
  struct archive *in, *out;
  char folder[SL_PATH_MAX]; /* absolute, no links in it */
  int64_t size;             /* of the archive */
  sl_unpack_tell *tell;     /* or NULL */
  void *context;
  double told; /* when */
} unpacking;

/* --- is an entry harmless? ------------------------------------------------ */

typedef enum component { NAME, HERE, UP } component;

/* Cuts the first component off *path. */
static component next_component(const char **path) {
  const char *begin = *path;
  const size_t n = strcspn(begin, "/");
  *path += n;
  *path += strspn(*path, "/");
  if (n == 2 && memcmp(begin, "..", 2) == 0) return UP;
  return n == 1 && *begin == '.' ? HERE : NAME;
}

/* Does path, read from a folder `depth` levels below the root, leave the root?
 * ".." counts only in front, where it goes up real folders: after a name it
 * might go up from wherever a link of that name leads. */
static int escapes(const char *path, int depth) {
  int named = 0;
  if (*path == '/') return 1;
  while (*path) {
    const component c = next_component(&path);
    if (c == UP && (named || --depth < 0)) return 1;
    named |= c == NAME;
  }
  return 0;
}

/* How many folders are above the last component. */
static int depth_of(const char *path) {
  int names = 0;
  while (*path)
    names += next_component(&path) == NAME;
  return names - 1;
}

static sl_status check_entry(const unpacking *u, struct archive_entry *e) {
  const char *path = archive_entry_pathname(e);
  const char *hard = archive_entry_hardlink(e);
  const char *soft = archive_entry_symlink(e);
  const unsigned type = archive_entry_filetype(e);
  SL_REQUIRE(path && *path, SL_EDATA, "%s: an entry without a name", u->file);
  SL_REQUIRE(!escapes(path, 0), SL_EDATA,
             "%s: refused: its entry '%s' leads out of the folder", u->file,
             path);
  SL_REQUIRE((!hard || !escapes(hard, 0)) &&
                 (!soft || !escapes(soft, depth_of(path))),
             SL_EDATA, "%s: refused: its link '%s' leads out of the folder",
             u->file, path);
  SL_REQUIRE(hard || type == AE_IFREG || type == AE_IFDIR || type == AE_IFLNK,
             SL_EDATA, "%s: refused: '%s' is no file, folder or link", u->file,
             path);
  return SL_OK;
}

/* --- writing -------------------------------------------------------------- */

static sl_status read_failed(const unpacking *u) {
  const char *why = archive_error_string(u->in);
  return sl_fail(SL_EDATA, "%s is damaged or no archive: %s", u->file,
                 why ? why : "no reason given");
}

static sl_status write_failed(const unpacking *u) {
  return sl_fail(SL_EIO, "cannot unpack %s: %s", u->file,
                 archive_error_string(u->out));
}

/* libarchive has read so much of the file. */
static sl_status tell(unpacking *u) {
  const double now = sl_clock();
  if (!u->tell || now - u->told < 0.1) return SL_OK;
  u->told = now;
  return u->tell(u->context, archive_filter_bytes(u->in, -1), u->size);
}

static sl_status copy_data(unpacking *u) {
  const void *block;
  size_t size;
  la_int64_t at;
  for (;;) {
    SL_REQUIRE(!sl_interrupt_pending(), SL_EINTERRUPT,
               "interrupted while unpacking %s", u->file);
    const int code = archive_read_data_block(u->in, &block, &size, &at);
    if (code == ARCHIVE_EOF) return SL_OK;
    if (code != ARCHIVE_OK) return read_failed(u);
    if (archive_write_data_block(u->out, block, size, at) != ARCHIVE_OK)
      return write_failed(u);
    SL_TRY(tell(u));
  }
}

/* Puts our folder in front of the entry's path, and of a hard link's target;
 * what we cannot write we could not remove. */
static sl_status place(const unpacking *u, struct archive_entry *e) {
  char path[SL_PATH_MAX];
  const char *hard = archive_entry_hardlink(e);
  if (hard) {
    SL_TRY(sl_path_join(path, u->folder, hard));
    archive_entry_set_hardlink(e, path);
  }
  SL_TRY(sl_path_join(path, u->folder, archive_entry_pathname(e)));
  archive_entry_set_pathname(e, path);
  const mode_t own = archive_entry_filetype(e) == AE_IFDIR ? 0700 : 0600;
  archive_entry_set_perm(e, (archive_entry_perm(e) & 0777) | own);
  return SL_OK;
}

static sl_status unpack_all(unpacking *u) {
  struct archive_entry *e;
  for (;;) {
    const int code = archive_read_next_header(u->in, &e);
    if (code == ARCHIVE_EOF) break;
    if (code < ARCHIVE_WARN) return read_failed(u);
    SL_TRY(check_entry(u, e));
    SL_TRY(place(u, e));
    if (archive_write_header(u->out, e) < ARCHIVE_WARN) return write_failed(u);
    SL_TRY(copy_data(u));
    if (archive_write_finish_entry(u->out) < ARCHIVE_WARN)
      return write_failed(u);
  }
  return archive_write_close(u->out) < ARCHIVE_WARN ? write_failed(u) : SL_OK;
}

static sl_status open_and_unpack(unpacking *u) {
  archive_read_support_format_tar(u->in);
  archive_read_support_format_zip(u->in);
  archive_read_support_filter_gzip(u->in);
  archive_read_support_filter_bzip2(u->in);
  archive_read_support_filter_xz(u->in);
  archive_read_support_filter_zstd(u->in);
  archive_read_support_filter_lz4(u->in);
  archive_write_disk_set_options(u->out, ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                             ARCHIVE_EXTRACT_SECURE_NODOTDOT);
  if (archive_read_open_filename(u->in, u->file, BLOCK) != ARCHIVE_OK)
    return read_failed(u);
  return unpack_all(u);
}

static int64_t size_of(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static sl_status unpack_into(const char *archive, const char *folder,
                             sl_unpack_tell *tell_function, void *context) {
  unpacking u = {.file = archive,
                 .size = size_of(archive),
                 .tell = tell_function,
                 .context = context};
  SL_REQUIRE(realpath(folder, u.folder), SL_EIO, "%s: %s", folder,
             strerror(errno));
  u.in = archive_read_new();
  u.out = archive_write_disk_new();
  const sl_status status = u.in && u.out
                               ? open_and_unpack(&u)
                               : sl_fail(SL_ENOMEM, "no memory to unpack");
  archive_write_free(u.out);
  archive_read_free(u.in);
  return status;
}

/* --- the folder ----------------------------------------------------------- */

/* name: the only entry of the folder, if there is one and it is a folder. */
static int only_folder(const char *folder, char name[SL_PATH_MAX]) {
  int n = 0;
  DIR *d = opendir(folder);
  if (!d) return 0;
  for (const struct dirent *e; (e = readdir(d)) != NULL;) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    if (n++ == 0 && sl_path_join(name, folder, e->d_name) != SL_OK) n++;
  }
  closedir(d);
  struct stat st;
  return n == 1 && lstat(name, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The files must be on the disk before the name says that they are. */
static void sync_disk(const char *folder) {
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)syncfs(fd);
  close(fd);
}

static sl_status put_in_place(const char *folder, const char *target) {
  char inner[SL_PATH_MAX];
  sync_disk(folder);
  const char *from = only_folder(folder, inner) ? inner : folder;
  SL_REQUIRE(rename(from, target) == 0, SL_EIO, "cannot make %s: %s", target,
             strerror(errno));
  return SL_OK;
}

sl_status sl_unpack(const char *archive, const char *target,
                    sl_unpack_tell *tell_function, void *context) {
  char folder[SL_PATH_MAX];
  struct stat st;
  SL_REQUIRE(lstat(target, &st) != 0, SL_EIO, "%s exists already", target);
  const int n = snprintf(folder, sizeof folder, "%s.unpacking", target);
  SL_REQUIRE(n > 0 && n < SL_PATH_MAX - 256, SL_EIO, "the path is too long: %s",
             target);
  SL_TRY(sl_remove_tree(folder)); /* of a process that was killed */
  SL_TRY(sl_make_dirs(folder));
  sl_status status = unpack_into(archive, folder, tell_function, context);
  if (status == SL_OK) status = put_in_place(folder, target);
  char why[1024];
  snprintf(why, sizeof why, "%s", sl_error());
  if (sl_remove_tree(folder) != SL_OK) sl_log(SL_LOG_WARN, "%s", sl_error());
  return status == SL_OK ? SL_OK : sl_fail(status, "%s", why);
}
