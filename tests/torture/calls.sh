#!/bin/bash
# calls.sh [CALLS [FIRST_SEED]] -- the long form of the test torture_calls: that
# many calls (100000) under ASan and UBSan, a process for each 2000. Ends with 1
# at the first process that dies, hangs or leaks, and shows its last call.
#   BUILD=build-asan tests/torture/calls.sh 100000
set -u
cd "$(dirname "$0")/../.." || exit 2
root=$PWD calls=${1:-100000} seed=${2:-1} each=2000 done=0
build=${BUILD:-build-asan}
[ "${build#/}" != "$build" ] || build=$root/$build
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1
export LSAN_OPTIONS=suppressions=$root/tests/lsan.supp:print_suppressions=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
while [ "$done" -lt "$calls" ]; do
  mkdir -p "$work/$seed"
  if ! (cd "$work/$seed" && SOTA_DATA=$PWD/cache timeout 900 "$build/tests/torture" \
    "$root/tests/torture/calls.lua" "$seed" "$each" >out 2>&1); then
    echo "seed $seed:"
    grep -a -A25 'torture:\|ERROR: \|runtime error' "$work/$seed/out" | head -60
    exit 1
  fi
  grep -a ' calls, ' "$work/$seed/out"
  rm -rf "${work:?}/$seed"
  seed=$((seed + 1)) done=$((done + each))
done
echo "$done calls, no report"
