/* fuzz_arguments.c -- the command line. Arguments end in newlines. */
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "fuzz.h"

enum { MOST = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1), *argv[MOST + 1] = {0};
  int argc = 0;
  arguments a;
  memcpy(text, data, size);
  text[size] = 0;
  for (char *at = text; at && argc < MOST;) {
    argv[argc++] = at;
    at = strchr(at, '\n');
    if (at) *at++ = 0;
  }
  if (read_arguments(argc, argv, &a) == 0 && (a.script < 1 || a.script > argc))
    abort();
  free(text);
  return 0;
}
