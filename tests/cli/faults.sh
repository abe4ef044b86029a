#!/bin/bash
# faults.sh -- file calls fail during a training: the short form of
# tests/torture/faults.sh, and what SOTA_FAULT does not understand.
source "$(dirname "$0")/check.sh"
fault=${FAULT:?names libfault.so}
# The sanitizers' library must come first.
first=$(ldd "$sota" | sed -n 's/.*=> \(.*lib[at]san[^ ]*\) .*/\1/p')
export PRELOAD_BEFORE=$first
preload=${first:+$first:}$fault

if SOTA_LUA=$sota FAULT=$fault \
  "$(dirname "$0")/../torture/faults.sh" 47 "$((RANDOM % 47 + 1))" \
  >"$work/faults" 2>&1; then pass; else fail faults "$(cat "$work/faults")"; fi
tail -1 "$work/faults"

for wrong in open write:0 wirte:3 write:3=EWHAT write:3x; do
  try "$wrong" 2 '' "SOTA_FAULT: '$wrong' is none; such as *" \
    env LD_PRELOAD="$preload" SOTA_FAULT="$wrong" "$sota" -e 'print(1)'
done
try "a write" 0 'nil*No space left on device*' '*' env LD_PRELOAD="$preload" \
  SOTA_FAULT=write:1+ "$sota" -e "local f = io.open('$work/x', 'w')
    f:write('x') print(f:close())"
try "elsewhere" 0 true '' env LD_PRELOAD="$preload" SOTA_FAULT=any:1+ \
  SOTA_FAULT_UNDER="$work/there" "$sota" -e "local f = io.open('$work/x', 'w')
    f:write('x') print(f:close())"
finish
