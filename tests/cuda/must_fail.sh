#!/bin/bash
# must_fail.sh COMMAND...: succeeds when the command fails, and shows why it
# did. (CTest's WILL_FAIL takes no death by a signal for a failure.)
output=$("$@" 2>&1)
status=$?
echo "$output"
echo "status $status"
[ $status -ne 0 ]
