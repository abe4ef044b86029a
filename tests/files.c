/* files.c -- see files.h. */
#define _GNU_SOURCE /* nftw */
#include "files.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static char folder[64];
static int n_files;

void t_folder_make(void) {
  snprintf(folder, sizeof folder, "/tmp/sota_test_XXXXXX");
  ck_assert_msg(mkdtemp(folder) != NULL, "cannot make %s", folder);
}

static int drop(const char *path, const struct stat *st, int kind,
                struct FTW *f) {
  (void)st, (void)kind, (void)f;
  return remove(path);
}

void t_folder_remove(void) {
  nftw(folder, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static int count(const char *path, const struct stat *st, int kind,
                 struct FTW *f) {
  (void)path, (void)st, (void)f;
  n_files += kind == FTW_F;
  return 0;
}

int t_count_files(void) {
  n_files = 0;
  nftw(folder, count, 16, FTW_PHYS);
  return n_files;
}

const char *t_path(const char *name) {
  static char paths[8][512];
  static int turn;
  char *path = paths[turn++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

const char *t_write(const char *name, const void *bytes, size_t n) {
  const char *path = t_path(name);
  FILE *f = fopen(path, "wb");
  ck_assert_msg(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0,
                "cannot write %s", path);
  return path;
}
