#!/bin/bash
# must_fail.sh PATTERN COMMAND...: succeeds when the command fails and says why:
# its output matches the pattern. A command that cannot be run is no success.
pattern=$1
shift
[ -x "$1" ] || { echo "there is no $1"; exit 1; }
output=$("$@" 2>&1)
status=$?
if [ $status -ne 0 ] && grep -qE "$pattern" <<<"$output"; then exit 0; fi
printf '%s\nstatus %d\n' "$output" $status
exit 1
