#!/bin/bash
# faults.sh [STEP [FIRST]] -- a short training (train.lua) in which one file call
# fails: the FIRST-th (1), then the one STEP (1) later, and so on until there is
# none left, then the same with calls that fail for a while, and by kind. Each
# run must end by itself, with the right result or with a sentence about a file;
# once training has begun it must go on to its end; and the same command, run
# again without faults, must come to the result of a run that was left alone.
#   SOTA_LUA=build/bin/sota-lua FAULT=build/tests/libfault.so tests/torture/faults.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
sota=${SOTA_LUA:?names the binary to test} fault=${FAULT:?names libfault.so}
step=${1:-1} first=${2:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export FAST=1
runs=0 bad=0 failed_calls=0

train() { timeout 120 "$sota" "$here/train.lua" "$work/run" >"$work/out" 2>"$work/err"; }

complain() { # WHAT
  bad=$((bad + 1))
  echo "$SOTA_FAULT: $1"
  sed 's/^/    /' "$work/err" | tail -8
}

# A run with a fault; false: the fault was not reached.
with_fault() { # FAULT
  export SOTA_FAULT=$1
  rm -rf "$work/run" "$work/log"
  mkdir "$work/run"
  LD_PRELOAD=${PRELOAD_BEFORE:+$PRELOAD_BEFORE:}$fault \
    SOTA_FAULT_UNDER=$work/run SOTA_FAULT_LOG=$work/log train
  local code=$? result
  [ -s "$work/log" ] || return 1
  runs=$((runs + 1)) failed_calls=$((failed_calls + $(wc -l <"$work/log")))
  result=$(tail -1 "$work/out")
  case $code in
  0) [ "$result" = "$want" ] || complain "another result: $result" ;;
  1)
    grep -Eq 'cannot (write|make|read|remove)' "$work/err" ||
      complain "no sentence about the file"
    # A fit that cannot even open the history that an earlier one wrote ends.
    if grep -q ^begun "$work/out" && ! grep -q ^fitted "$work/out" &&
      ! grep -q ': open .*/history.csv' "$work/log"; then
      complain "the training ended"
    fi
    ;;
  *) complain "exit code $code" ;;
  esac
  train || complain "run again: exit code $?"
  result=$(tail -1 "$work/out")
  [ "$result" = "$want" ] || complain "run again: another result: $result"
  if ! grep -q ': unlink ' "$work/log" && ls "$work"/run/*.tmp >/dev/null 2>&1; then
    complain "left behind: $(ls "$work"/run/*.tmp)"
  fi
  return 0
}

mkdir "$work/run"
train || { cat "$work/err"; exit 1; }
want=$(tail -1 "$work/out")

# each call, once
k=$first
while with_fault "any:$k"; do k=$((k + step)); done
# a disk that is full for a while, also over the end; other errors
k=$((first + 30))
while with_fault "any:$k-$((k + 25))=ENOSPC"; do k=$((k + 10 * step)); done
# writes that do half of it, and the errors of quotas and of broken disks
for kind in short:1+ write:9-40=EDQUOT fsync:5-60 folder:9-30 rename:5-20 \
  close:9-30 unlink:1+ truncate:1+ write:8-12,truncate:1+ open:9-30=EMFILE; do
  with_fault "$kind" || [ "$kind" = truncate:1+ ] || echo "$kind: not reached"
done
echo "$runs runs with faults, $failed_calls calls failed, $bad complaints"
[ "$bad" = 0 ] && [ "$runs" -gt 0 ]
