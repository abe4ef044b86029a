/* fuzz_json.c -- JSON to Lua and back. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_lua("local json = require 'sota.core'.json\n"
           "return function(text)\n"
           "  local v = json.decode(text)\n"
           "  if v ~= nil then json.decode(json.encode(v)) end\n"
           "end",
           data, size);
  return 0;
}
