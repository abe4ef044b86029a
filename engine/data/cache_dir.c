/* cache_dir.c -- see cache_dir.h. */
#define _GNU_SOURCE
#include "data/cache_dir.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/whole_file.h"

sl_status sl_path_join(char out[SL_PATH_MAX], const char *dir,
                       const char *name) {
  const int n = snprintf(out, SL_PATH_MAX, "%s/%s", dir, name);
  SL_REQUIRE(n > 0 && n < SL_PATH_MAX, SL_EIO, "the path is too long: %s/%s",
             dir, name);
  return SL_OK;
}

static sl_status make_dir(const char *path) {
  struct stat st;
  if (mkdir(path, 0777) == 0) return sl_sync_folder_of(path);
  const int why = errno;
  if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return SL_OK;
  return sl_fail(SL_EIO, "cannot make the folder %s: %s", path, strerror(why));
}

sl_status sl_make_dirs(const char *path) {
  char part[SL_PATH_MAX];
  const size_t len = strlen(path);
  SL_REQUIRE(len > 0 && len < sizeof part, SL_EIO,
             "the path is empty or too long: %s", path);
  memcpy(part, path, len + 1);
  for (char *p = strchr(part + 1, '/'); p; p = strchr(p + 1, '/')) {
    *p = 0;
    SL_TRY(make_dir(part));
    *p = '/';
  }
  return make_dir(part);
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *at) {
  (void)st;
  (void)type;
  (void)at;
  return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

sl_status sl_remove_tree(const char *path) {
  enum { OPEN_FOLDERS = 16 };
  struct stat st;
  if (lstat(path, &st) != 0 && errno == ENOENT) return SL_OK;
  SL_REQUIRE(nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) == 0,
             SL_EIO, "cannot remove %s: %s", path, strerror(errno));
  return SL_OK;
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

/* Writes the folder to out, and what named it to *by. */
static sl_status choose(char out[SL_PATH_MAX], const char **by) {
  const char *own = variable("SOTA_DATA"), *xdg = variable("XDG_CACHE_HOME"),
             *home = variable("HOME");
  if (own) {
    *by = "SOTA_DATA";
    return sl_path_join(out, own, ".");
  }
  if (xdg && *xdg == '/') { /* its standard: a relative one is ignored */
    *by = "XDG_CACHE_HOME";
    return sl_path_join(out, xdg, "sota-lua");
  }
  *by = "HOME";
  SL_REQUIRE(home, SL_EIO,
             "no place for data sets: set SOTA_DATA to a folder (neither it "
             "nor HOME is set)");
  return sl_path_join(out, home, ".cache/sota-lua");
}

sl_status sl_cache_dir(char out[SL_PATH_MAX]) {
  const char *by;
  SL_TRY(choose(out, &by));
  size_t n = strlen(out);
  if (n > 2 && strcmp(out + n - 2, "/.") == 0) out[n - 2] = 0;
  const sl_status status = sl_make_dirs(out);
  return status ? sl_fail_in(status, "$%s names the data folder; ", by) : SL_OK;
}
