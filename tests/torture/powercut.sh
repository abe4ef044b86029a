#!/bin/bash
# powercut.sh [STEP [FIRST [SEEDS]]] -- the power goes after each STEP-th (1) file
# call of a training (train.lua), from the FIRST-th (1) on; SEEDS (3) different
# disks are left of it (powercut.lua). The same command must go on from the newest
# checkpoint that had been synced, and come to the result of a run that was left
# alone; after the end all files must be whole.
#   SOTA_LUA=build/bin/sota-lua FAULT=build/tests/libfault.so tests/torture/powercut.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
sota=${SOTA_LUA:?names the binary to test} fault=${FAULT:?names libfault.so}
step=${1:-1} first=${2:-1} seeds=${3:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export FAST=1
cuts=0 from_checkpoint=0 bad=0

complain() { # WHAT
  bad=$((bad + 1))
  echo "cut $cut, seed $seed: $1"
  sed 's/^/    /' "$work/err" | tail -8
}

# The name of a checkpoint as its place in time: fit1-... < fit1 < fit2-...
place() { echo "$1" | sed 's/\.safetensors$/~/; s/-/ /g'; }

check_start() { # PROMISED: what it went on from is not older
  local used
  used=$(sed -n 's/^checkpoint: going on from .*\/\([^ ]*\) (.*/\1/p
    s/^checkpoint: fit .* is done, read from .*\///p' "$work/err" | tail -1)
  [ -z "$used" ] || from_checkpoint=$((from_checkpoint + 1))
  [ "$1" = none ] && return
  if [ -z "$used" ] || [[ $(LC_ALL=C place "$used") < $(LC_ALL=C place "$1") ]]; then
    complain "went on from '$used' though $1 had been written"
  fi
}

mkdir "$work/run"
LD_PRELOAD=${PRELOAD_BEFORE:+$PRELOAD_BEFORE:}$fault SOTA_FAULT_UNDER=$work/run \
  SOTA_FAULT_RECORD=$work/record "$sota" "$here/train.lua" "$work/run" \
  >"$work/out" 2>"$work/err" || { cat "$work/err"; exit 1; }
want=$(tail -1 "$work/out")
all=$("$sota" "$here/powercut.lua" "$work/record" "$work/run" - 0 0)
results="model.safetensors best.safetensors history.csv history.jsonl report.html"

for cut in $(seq "$first" "$step" "$all") "$all"; do
  for seed in $(seq 0 $((seeds - 1))); do
    rm -rf "$work/left"
    promised=$("$sota" "$here/powercut.lua" "$work/record" "$work/run" \
      "$work/left" "$cut" "$seed" 2>"$work/err") || { complain "powercut.lua"; continue; }
    cuts=$((cuts + 1))
    if [ "$promised" = finished ]; then
      for name in $results; do
        cmp -s "$work/run/$name" "$work/left/$name" || complain "$name was lost"
      done
    fi
    timeout 120 "$sota" "$here/train.lua" "$work/left" >"$work/out" 2>"$work/err" ||
      complain "exit code $?"
    [ "$(tail -1 "$work/out")" = "$want" ] ||
      complain "another result: $(tail -1 "$work/out")"
    [ "$promised" = finished ] || check_start "$promised"
  done
done
echo "$cuts power cuts, $from_checkpoint went on from a checkpoint, $bad complaints"
[ "$bad" = 0 ] && [ "$cuts" -gt 0 ]
