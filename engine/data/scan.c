/* scan.c -- see scan.h.
 *
 * Each folder is read whole, closed, sorted, and then walked: one open folder
 * at a time whatever the depth, and the order of the walk is the order of the
 * result. */
#define _GNU_SOURCE /* qsort_r */
#include "data/scan.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "data/names.h"

enum { MAX_PATH = 4096 };

const char *const sl_image_extensions[] = {"jpg", "jpeg", "jpe",  "png",  "bmp",
                                           "gif", "tif",  "tiff", "webp", "ppm",
                                           "pgm", "pbm",  "pnm",  NULL};

/* The folders we are in, innermost first: a link back to one is a loop. */
typedef struct inside {
  dev_t device;
  ino_t inode;
  const struct inside *above;
} inside;

typedef struct entry {
  uint32_t name; /* in listing.text */
  unsigned char type;
} entry;

typedef struct listing {
  sl_text text;
  entry *entries;
  int64_t n, room;
} listing;

typedef struct scan {
  const sl_scan_opts *opts;
  const char *const *extensions;
  sl_files *files;
  sl_scan_seen seen;
  char path[MAX_PATH]; /* of what is looked at now */
} scan;

static void listing_close(listing *l) {
  sl_text_close(&l->text);
  sl_free(l->entries);
}

static sl_status listing_add(listing *l, const struct dirent *d) {
  if (l->n == l->room) {
    const int64_t room = l->room ? 2 * l->room : 64;
    entry *wide = sl_realloc(l->entries, (size_t)room * sizeof *wide);
    SL_REQUIRE(wide, SL_ENOMEM, "no memory for a folder of %lld files",
               (long long)room);
    l->entries = wide;
    l->room = room;
  }
  entry *e = &l->entries[l->n];
  e->type = d->d_type;
  SL_TRY(sl_text_add(&l->text, d->d_name, strlen(d->d_name), &e->name));
  l->n++;
  return SL_OK;
}

static int by_name(const void *a, const void *b, void *text) {
  const char *names = text;
  return strcmp(names + ((const entry *)a)->name,
                names + ((const entry *)b)->name);
}

/* Reads the open folder d whole, without what begins with '.'. */
static sl_status read_folder(scan *s, DIR *d, listing *l) {
  const struct dirent *next;
  for (errno = 0; (next = readdir(d)) != NULL; errno = 0) {
    const char *name = next->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    if (name[0] == '.')
      s->seen.hidden++;
    else
      SL_TRY(listing_add(l, next));
  }
  SL_REQUIRE(errno == 0, SL_EIO, "%s: %s", s->path, strerror(errno));
  if (l->n)
    qsort_r(l->entries, (size_t)l->n, sizeof *l->entries, by_name,
            l->text.bytes);
  return SL_OK;
}

static int wanted_extension(const scan *s, const char *name) {
  const char *dot = strrchr(name, '.');
  if (!dot) return 0;
  for (const char *const *e = s->extensions; *e; e++)
    if (strcasecmp(dot + 1, *e) == 0) return 1;
  return 0;
}

static int wanted_folder(const scan *s, int depth, const char *name) {
  if (s->opts->flat) return 0;
  if (depth > 0 || s->opts->n_folders == 0) return 1;
  for (int i = 0; i < s->opts->n_folders; i++)
    if (strcmp(s->opts->folders[i], name) == 0) return 1;
  return 0;
}

static void tell(const scan *s) {
  if (s->opts->progress) s->opts->progress(s->opts->context, s->seen.files);
}

static sl_status take_file(scan *s, int depth, const char *name) {
  if (depth == 0 && s->opts->n_folders > 0) return SL_OK;
  if (!wanted_extension(s, name)) {
    s->seen.others++;
    return SL_OK;
  }
  if (++s->seen.files % 1000 == 0) tell(s);
  return sl_files_add(s->files, s->path);
}

static int is_loop(const inside *in, const struct stat *st) {
  for (; in; in = in->above)
    if (in->device == st->st_dev && in->inode == st->st_ino) return 1;
  return 0;
}

static sl_status walk(scan *s, size_t len, int depth, const inside *above);

/* s->path[0..len) is the entry's path; its name begins after the last '/'. */
static sl_status visit(scan *s, size_t len, int depth, unsigned char type,
                       const inside *here) {
  const char *name = strrchr(s->path, '/') + 1;
  if (type == DT_REG) return take_file(s, depth, name);
  struct stat st;
  if (stat(s->path, &st) != 0) { /* a link to nowhere, or gone meanwhile */
    s->seen.others++;
    return SL_OK;
  }
  if (S_ISREG(st.st_mode)) return take_file(s, depth, name);
  if (!S_ISDIR(st.st_mode) || !wanted_folder(s, depth, name)) return SL_OK;
  if (is_loop(here, &st)) return SL_OK;
  const inside in = {st.st_dev, st.st_ino, here};
  return walk(s, len, depth + 1, &in);
}

static sl_status visit_all(scan *s, const listing *l, size_t len, int depth,
                           const inside *here) {
  if (len > 0 && s->path[len - 1] != '/') s->path[len++] = '/';
  for (int64_t i = 0; i < l->n; i++) {
    const char *name = l->text.bytes + l->entries[i].name;
    const size_t whole = len + strlen(name);
    SL_REQUIRE(whole < MAX_PATH - 1, SL_EIO, "%.*s%s: the path is too long",
               (int)len, s->path, name);
    memcpy(s->path + len, name, whole - len + 1);
    SL_TRY(visit(s, whole, depth, l->entries[i].type, here));
  }
  return sl_interrupt_pending() ? sl_fail(SL_EINTERRUPT, "interrupted") : SL_OK;
}

static sl_status walk(scan *s, size_t len, int depth, const inside *here) {
  DIR *d = opendir(s->path);
  if (!d) {
    SL_REQUIRE(depth > 0 && errno != ENOMEM, SL_EIO, "%s: %s", s->path,
               strerror(errno));
    s->seen.unreadable++;
    sl_log(SL_LOG_WARN, "%s: %s: its files are left out", s->path,
           strerror(errno));
    return SL_OK;
  }
  listing l = {0};
  tell(s);
  sl_status status = read_folder(s, d, &l);
  closedir(d);
  if (status == SL_OK) status = visit_all(s, &l, len, depth, here);
  listing_close(&l);
  return status;
}

/* Each of the folders asked for must be there. */
static sl_status check_folders(const char *path, const sl_scan_opts *o) {
  for (int i = 0; i < o->n_folders; i++) {
    char whole[MAX_PATH];
    struct stat st;
    snprintf(whole, sizeof whole, "%s/%s", path, o->folders[i]);
    SL_REQUIRE(stat(whole, &st) == 0 && S_ISDIR(st.st_mode), SL_EIO,
               "%s has no folder '%s'", path, o->folders[i]);
  }
  return SL_OK;
}

static sl_status nothing_found(const scan *s, const char *path) {
  char list[256] = "";
  size_t n = 0;
  for (const char *const *e = s->extensions; *e && n < sizeof list; e++)
    n += (size_t)snprintf(list + n, sizeof list - n, " .%s", *e);
  return sl_fail(
      SL_EDATA,
      "no %s in %s%s: looked for%s; found %lld files of other types%s",
      s->opts->extensions ? "such files" : "images", path,
      s->opts->flat ? " (its subfolders were not searched)" : "", list,
      (long long)s->seen.others,
      s->seen.hidden ? ", and hidden ones, which are not read" : "");
}

sl_status sl_scan(const char *path, const sl_scan_opts *opts, sl_files *f,
                  sl_scan_seen *seen) {
  static const sl_scan_opts all;
  struct stat st;
  const size_t len = strlen(path);
  SL_REQUIRE(stat(path, &st) == 0, SL_EIO, "%s: %s", path, strerror(errno));
  SL_REQUIRE(S_ISDIR(st.st_mode), SL_EIO, "%s is a file, not a folder", path);
  SL_REQUIRE(len < MAX_PATH - 1, SL_EIO, "the path is too long: %s", path);
  scan *s = sl_alloc(1, sizeof *s);
  SL_REQUIRE(s, SL_ENOMEM, "no memory to search %s", path);
  s->opts = opts ? opts : &all;
  s->extensions =
      s->opts->extensions ? s->opts->extensions : sl_image_extensions;
  s->files = f;
  memcpy(s->path, path, len + 1);
  const inside here = {st.st_dev, st.st_ino, NULL};
  sl_status status = check_folders(path, s->opts);
  if (status == SL_OK) status = walk(s, len, 0, &here);
  if (status == SL_OK && s->seen.files == 0) status = nothing_found(s, path);
  if (seen) *seen = s->seen;
  sl_free(s);
  return status;
}
