/* fuzz_pixel_file.c -- a file of decoded images in the cache. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pixel_file.h"
#include "fuzz.h"

enum { ROWS = 4 };

static sl_files *files;
static char path[512];

/* What a new file is called. */
static void prepare(void) {
  sl_pixel_file *f;
  if (sl_files_new(&files) != SL_OK) abort();
  for (int i = 0; i < ROWS; i++) {
    snprintf(path, sizeof path, "/nowhere/%d.jpg", i);
    if (sl_files_add(files, path) != SL_OK) abort();
  }
  if (sl_pixel_file_open(fuzz_folder(), files, 1 << 20, &f) != SL_OK) abort();
  uint8_t px[12] = {1, 2, 3};
  for (int i = 0; i < 2; i++)
    sl_pixel_file_put(
        f, i,
        &(sl_kept){
            .h = 2, .w = 2, .shrink = 1, .image = {.h = 2, .w = 2, .px = px}});
  sl_pixel_file_close(f);
  DIR *d = opendir(fuzz_folder());
  for (const struct dirent *e; d && (e = readdir(d));)
    if (e->d_name[0] != '.')
      snprintf(path, sizeof path, "%s/%s", fuzz_folder(), e->d_name);
  closedir(d);
}

/* The bytes take the place of the file's, from the first byte's 8-fold on. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t whole[4096];
  static size_t n;
  if (!files) {
    prepare();
    FILE *f = fopen(path, "rb");
    n = f ? fread(whole, 1, sizeof whole, f) : 0;
    if (f) fclose(f);
  }
  if (size < 1) return 0;
  uint8_t mixed[4096 + 2048];
  const size_t at = (size_t)data[0] * 8 % (n + 1);
  const size_t add = size - 1 < 2048 ? size - 1 : 2048;
  memcpy(mixed, whole, n);
  memcpy(mixed + at, data + 1, add);
  fuzz_write(path, mixed, at + add > n || data[0] & 1 ? at + add : n);
  sl_pixel_file *f;
  sl_kept out = {0};
  const sl_file_id id = {0};
  if (sl_pixel_file_open(fuzz_folder(), files, 1 << 20, &f) != SL_OK) return 0;
  for (int i = 0; i < ROWS; i++)
    (void)sl_pixel_file_get(f, i, &id, &out);
  sl_image_clear(&out.image);
  sl_pixel_file_close(f);
  return 0;
}
