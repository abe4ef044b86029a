#!/bin/bash
# engines.sh -- which of cuDNN's engines a convolution runs on. The fake cuDNN
# has three: 0 has tensor cores, 1 is not deterministic, and the later in its
# list the faster.
#   engines.sh SOTA_LUA CONV.lua
set -u
sota=$1 script=$2 failures=0
plans=$(mktemp -d)
trap 'rm -rf "$plans"' EXIT
export CUDA_EMU_REPORT=1 XDG_CACHE_HOME=$plans/cache

# expect WHAT PATTERN [VARIABLE=VALUE...] [-- FLAG...]
expect() {
  local what=$1 pattern=$2 settings=() out
  shift 2
  while [ $# -gt 0 ] && [ "$1" != -- ]; do settings+=("$1"); shift; done
  [ $# -eq 0 ] || shift
  out=$(env "${settings[@]}" "$sota" --device cuda "$@" "$script" 2>&1)
  if ! grep -qE "$pattern" <<<"$out"; then
    echo "FAILED: $what: $out"
    failures=$((failures + 1))
  fi
}

# Three plans, forward and both gradients, each used twice.
expect "heuristics" "3 searches, 0 plans read, runs of engines: 6 0 0"
expect "strict f32" "runs of engines: 0 6 0" SOTA_CUDA_TF32=0
expect "deterministic" "runs of engines: 0 0 6" SOTA_CUDA_TF32=0 \
  -- --deterministic
expect "the same by a variable" "runs of engines: 0 0 6" SOTA_CUDA_TF32=0 \
  SOTA_CUDA_DETERMINISTIC=1
[ ! -e "$plans/cache" ] || { echo "FAILED: plans were kept"; failures=1; }

# Each engine runs four times to be timed, then the fastest does the work.
tuned="3 searches, 0 plans read, runs of engines: 12 12 18"
expect "timing" "$tuned" SOTA_CUDA_TUNE=1
expect "timed before" "0 searches, 3 plans read, runs of engines: 0 0 6" \
  SOTA_CUDA_TUNE=1
[ "$(find "$plans/cache/sota-lua/plans" -type f | wc -l)" -eq 3 ] ||
  { echo "FAILED: three plans are kept"; failures=1; }
expect "another folder" "$tuned" SOTA_CUDA_TUNE=1 SOTA_CUDA_PLANS="$plans/a/b"
expect "other wishes" "3 searches, 0 plans read, runs of engines: 12 0 18" \
  SOTA_CUDA_TUNE=1 -- --deterministic
sed -i 's/"fake": [0-9]*/"fake": 1/' "$plans"/a/b/*
expect "a plan of another cuDNN" "$tuned" SOTA_CUDA_TUNE=1 \
  SOTA_CUDA_PLANS="$plans/a/b"
for file in "$plans"/a/b/*; do truncate -s 300 "$file"; done
expect "files that break off" "$tuned" SOTA_CUDA_TUNE=1 \
  SOTA_CUDA_PLANS="$plans/a/b"
expect "written anew" "0 searches, 3 plans read" SOTA_CUDA_TUNE=1 \
  SOTA_CUDA_PLANS="$plans/a/b"
expect "no folder" "SOTA_CUDA_PLANS: cannot write into the folder /dev/null/x" \
  SOTA_CUDA_TUNE=1 SOTA_CUDA_PLANS=/dev/null/x
expect "no cache" "$tuned" SOTA_CUDA_TUNE=1 XDG_CACHE_HOME=/dev/null

[ $failures -eq 0 ] && echo "all as it should be"
exit $failures
