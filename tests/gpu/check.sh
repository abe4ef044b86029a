#!/bin/bash
# check.sh -- proves the CUDA backend on the GPU of this machine, and writes
# gpu-report.md. Wants a build with the backend (cmake -S . -B build &&
# ninja -C build). Under ten minutes: what takes longer is stopped, and has
# failed.
#   tests/gpu/check.sh [BUILD_DIR]
# With SOTA_CUDA_PLUGIN=BUILD_DIR/tests/sota_cuda_emu.so SLOW=20 STEPS=4 it
# tries itself out on the emulated GPU.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${1:-build} report=gpu-report.md failures=0
sota=$PWD/$build/bin/sota-lua
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -x "$sota" ] || { echo "no $sota: build first"; exit 2; }
if ! "$sota" --device cuda -e '' 2>"$work/why"; then
  cat "$work/why"
  exit 77
fi

say() { tee -a "$report" <<<"$*"; }

# step NAME COMMAND...: its last lines go into the report; failure counts.
step() {
  local name=$1 begin=$SECONDS status
  shift
  say "" && say "## $name" && say '```'
  "$@" >"$work/log" 2>&1
  status=$?
  tail -n "${lines:-15}" "$work/log" | tee -a "$report"
  say '```'
  if [ $status -eq 77 ]; then
    say "skipped"
  elif [ $status -eq 0 ]; then
    say "passed in $((SECONDS - begin)) s"
  else
    say "FAILED (exit $status) after $((SECONDS - begin)) s"
    failures=$((failures + 1))
  fi
}

# limited SECONDS COMMAND...: SLOW times as long, for the emulated GPU.
limited() {
  timeout $(($1 * ${SLOW:-1})) "${@:2}"
}

device() {
  "$sota" --device cuda --doctor | sed -n '/^devices/,/^$/p'
  command -v nvidia-smi >/dev/null && nvidia-smi
  return 0
}

# As cuDNN sees it: what tests/cuda/profiles.h has from data sheets.
properties() {
  limited 30 "$build/bin/properties"
}

steps() {
  limited 60 "$sota" --device cuda "$@" tests/gpu/steps.lua "${STEPS:-12}"
}

same_bits() {
  steps --deterministic >"$work/a" || return 1
  steps --deterministic >"$work/b" || return 1
  tail -n 3 "$work/a"
  diff "$work/a" "$work/b" && echo "two runs: the same bits"
}

# Engines of cuDNN that are timed, then read from disk: the training goes on as
# it does with those of the heuristics, to rounding.
timed_engines() {
  local i
  export SOTA_CUDA_TUNE=1 SOTA_CUDA_PLANS=$work/plans SOTA_CUDA_TF32=0
  for i in timed read; do
    limited 90 "$sota" --device cuda tests/cuda/train.lua cuda || return 1
    echo "$i: $(find "$work/plans" -type f | wc -l) plans are kept"
  done
}

# The most memory in use does not grow after the third step.
flat_memory() {
  awk '/^memory/ {print; found = 1; flat = $2 == $3}
       END {exit !(found && flat)}' "$work/a"
}

sanitizer() {
  command -v compute-sanitizer >/dev/null ||
    { echo "compute-sanitizer is not installed"; return 77; }
  limited 120 compute-sanitizer --error-exitcode 1 "$sota" --device cuda \
    tests/gpu/steps.lua 2 32 4
}

: >"$report"
say "# The CUDA backend on this machine"
say ""
say "$(date -u +%F), $("$sota" -v 2>&1 | head -n 1), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
lines=60
step "Device" device
step "Its properties, as cuDNN sees them" properties
lines=15
step "Every operation against the CPU, f32 and bf16" \
  limited 180 env SOTA_CUDA_TF32=0 "$build/tests/test_device"
step "A training on the CPU and on the GPU" \
  limited 90 env SOTA_CUDA_TF32=0 "$sota" tests/cuda/train.lua cuda
step "Engines of cuDNN that are timed" timed_engines
step "Determinism" same_bits
step "Memory stays flat" flat_memory
step "compute-sanitizer" sanitizer
say ""
say "$failures failed"
exit $((failures > 0))
