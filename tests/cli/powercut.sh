#!/bin/bash
# powercut.sh -- the power goes during a training: the short form of
# tests/torture/powercut.sh.
source "$(dirname "$0")/check.sh"
export PRELOAD_BEFORE FAULT=${FAULT:?names libfault.so} SOTA_LUA=$sota
# The sanitizers' library must come first.
PRELOAD_BEFORE=$(ldd "$sota" | sed -n 's/.*=> \(.*lib[at]san[^ ]*\) .*/\1/p')
if "$(dirname "$0")/../torture/powercut.sh" 61 "$((RANDOM % 61 + 1))" \
  >"$work/cuts" 2>&1; then pass; else fail cuts "$(cat "$work/cuts")"; fi
tail -1 "$work/cuts"
finish
