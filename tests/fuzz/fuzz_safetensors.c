/* fuzz_safetensors.c -- the reader of model files, and every tensor in one. */
#include "fuzz.h"
#include "train/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sl_st_file f;
  if (sl_st_open(&f, fuzz_file(data, size)) != SL_OK) return 0;
  for (int i = 0; i < f.n; i++) {
    sl_tensor *t = NULL;
    if (sl_st_read(&f, i, i % 2 ? SL_ST_OIHW : 0, &sl_cpu, &t) == SL_OK)
      sl_tensor_release(t);
  }
  sl_st_close(&f);
  return 0;
}
