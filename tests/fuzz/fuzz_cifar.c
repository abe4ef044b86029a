/* fuzz_cifar.c -- CIFAR-10's files: the first line names classes, the rest is
 * each of the six files. */
#include <stdio.h>
#include <string.h>

#include "data/cifar.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"data_batch_1", "data_batch_2",
                                      "data_batch_3", "data_batch_4",
                                      "data_batch_5", "test_batch"};
  const uint8_t *end = memchr(data, '\xff', size);
  const size_t n = end ? (size_t)(end - data) : size;
  char path[256];
  snprintf(path, sizeof path, "%s/batches.meta.txt", fuzz_folder());
  fuzz_write(path, data, n);
  for (int i = 0; i < 6; i++) {
    snprintf(path, sizeof path, "%s/%s.bin", fuzz_folder(), names[i]);
    fuzz_write(path, data + n, size - n);
  }
  sl_files *files;
  sl_cifar c;
  if (sl_files_new(&files) != SL_OK) return 0;
  if (sl_cifar_open(fuzz_folder(), files, &c) == SL_OK) sl_cifar_clear(&c);
  sl_files_release(files);
  return 0;
}
