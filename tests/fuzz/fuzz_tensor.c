/* fuzz_tensor.c -- tensors from literals. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_lua("local core = require 'sota.core'\n"
           "core.set('memory-limit', '1GB')\n"
           "return function(text)\n"
           "  local f = load('return ' .. text, '=fuzz', 't', {})\n"
           "  if not f then return end\n"
           "  local t <close> = core.tensor(f())\n"
           "  core.tensor(t:totable()):close()\n"
           "end",
           data, size);
  return 0;
}
