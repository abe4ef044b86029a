/* fuzz_options.c -- the options of a script. Arguments end in newlines. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_lua(
      "local options = require 'sota.options'\n"
      "return function(text)\n"
      "  local args = {}\n"
      "  for a in text:gmatch '[^\\n]*' do args[#args + 1] = a end\n"
      "  options({'fuzz', rest = #text % 2 == 0, {'epochs', 5, 'n'},\n"
      "    {'lr', 0.5, 'r'}, {'mixup', false, 'm'}, {'data', 'x', 'd'},\n"
      "    {'stages', {'a'}, 's', choices = {'a', 'b'}},\n"
      "    {'item-size', 3, 'i'}, {'out', 'string', 'o', optional = true}},\n"
      "    args)\n"
      "end",
      data, size);
  return 0;
}
