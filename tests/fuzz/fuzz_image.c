/* fuzz_image.c -- an image file of any kind, at several sizes. */
#include "data/decode.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *path = fuzz_file(data, size);
  sl_image image = {0};
  for (int shrink = 1; shrink <= 8; shrink *= 8) {
    sl_decoder d;
    if (sl_decode_open(path, 1 << 20, &d) == SL_OK &&
        (shrink == 1 || d.can_shrink))
      (void)!sl_decode_read(&d, shrink, &image);
    sl_decode_close(&d);
  }
  sl_image_clear(&image);
  return 0;
}
