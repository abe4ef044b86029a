/* fuzz_exif.c -- the orientation of a JPEG, whose EXIF data are the bytes. */
#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>

#include "data/decode.h"
#include "fuzz.h"

static uint8_t *jpeg;
static size_t n_jpeg;

static void make_jpeg(void) {
  VipsImage *black = NULL;
  void *buffer = NULL;
  if (sl_vips_start() != SL_OK || vips_black(&black, 8, 4, "bands", 3, NULL) ||
      vips_jpegsave_buffer(black, &buffer, &n_jpeg, "strip", TRUE, NULL))
    abort();
  g_object_unref(black);
  jpeg = buffer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t file[1 << 16];
  if (!jpeg) make_jpeg();
  if (size > 60000 || n_jpeg > 4000) return 0;
  const size_t marker = size + 8; /* its own length and "Exif\0\0" */
  memcpy(file, jpeg, 2);
  const uint8_t head[] = {
      0xff, 0xe1, (uint8_t)(marker >> 8), (uint8_t)marker, 'E', 'x', 'i', 'f',
      0,    0};
  memcpy(file + 2, head, sizeof head);
  memcpy(file + 12, data, size);
  memcpy(file + 12 + size, jpeg + 2, n_jpeg - 2);
  sl_image image = {0};
  if (sl_decode(fuzz_file(file, 10 + size + n_jpeg), &image) == SL_OK &&
      image.h * image.w != 32)
    abort(); /* turned, but no pixel more or less */
  sl_image_clear(&image);
  return 0;
}
