/* fuzz_unpack.c -- archives: whatever they are, nothing is written beside their
 * folder. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/cache_dir.h"
#include "data/unpack.h"
#include "fuzz.h"

/* Entries of the folder around the target's. */
static int entries(const char *path) {
  int n = 0;
  DIR *d = opendir(path);
  if (!d) abort();
  while (readdir(d))
    n++;
  closedir(d);
  return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char outer[256], target[300];
  snprintf(outer, sizeof outer, "%s/a", fuzz_folder());
  snprintf(target, sizeof target, "%s/b", outer);
  (void)mkdir(outer, 0700);
  (void)!sl_unpack(fuzz_file(data, size), target, NULL, NULL);
  if (sl_remove_tree(target) != SL_OK || entries(outer) != 2 ||
      entries(fuzz_folder()) != 3)
    abort();
  return 0;
}
