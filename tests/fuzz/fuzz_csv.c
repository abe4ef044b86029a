/* fuzz_csv.c -- tables of labels. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_lua("local csv = require 'sota.data.csv'\n"
           "return function(text)\n"
           "  csv.parse(text, ',', 'fuzz')\n"
           "  csv.parse(text:sub(2), text:sub(1, 1), 'fuzz')\n"
           "end",
           data, size);
  return 0;
}
