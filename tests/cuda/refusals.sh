#!/bin/bash
# refusals.sh -- every way in which a GPU can be missing is one clear sentence,
# and --device auto goes on with the CPU. The emulator plays the machines.
#   refusals.sh SOTA_LUA EMULATED_PLUGIN PLUGIN_WITHOUT_ITS_LIBRARY OLD_PLUGIN
set -u
sota=$1 plugin=$2 bare=$3 old=$4 failures=0
print_device='print((require "sota.core".get "device"))'

# refuses WHAT PATTERN VARIABLE=VALUE...: --device cuda is an error that says
# why; --device auto says the same, in one line, and uses the CPU.
refuses() {
  local what=$1 pattern=$2 out status
  shift 2
  out=$(env "$@" "$sota" --device cuda -e "$print_device" 2>&1)
  status=$?
  if [ $status -ne 2 ] || [ "$(wc -l <<<"$out")" -ne 1 ] ||
    ! grep -qE "$pattern" <<<"$out"; then
    echo "FAILED: $what: exit $status: $out"
    failures=$((failures + 1))
  fi
  out=$(env "$@" "$sota" --device auto -e "$print_device" 2>&1)
  status=$?
  if [ $status -ne 0 ] || [ "$(wc -l <<<"$out")" -ne 2 ] ||
    ! grep -qx cpu <<<"$out" || ! grep -qE "using the CPU.*$pattern" <<<"$out"
  then
    echo "FAILED: $what, auto: exit $status: $out"
    failures=$((failures + 1))
  fi
}

emulated() {
  refuses "$1" "$2" "SOTA_CUDA_PLUGIN=$plugin" "${@:3}"
}

refuses "no plugin" "none.so: cannot open" SOTA_CUDA_PLUGIN=/none.so
refuses "not a plugin" "libm.so.6 is not a module of sota-lua" \
  SOTA_CUDA_PLUGIN=libm.so.6
refuses "no cuDNN" "libcudnn_of_this_test.so.9 is not installed" \
  "SOTA_CUDA_PLUGIN=$bare"
refuses "another version" "was built for another version of sota-lua" \
  "SOTA_CUDA_PLUGIN=$old"
emulated "no driver" "no NVIDIA driver is installed" CUDA_EMU_DRIVER=0
emulated "driver too old" \
  "driver is too old: it is for CUDA 12.0, and 13.0 is needed" \
  CUDA_EMU_DRIVER=12000
emulated "no GPU" "the NVIDIA driver sees no GPU" CUDA_EMU_DEVICES=0
emulated "unsupported GPU" "compute capability is 5.2, and this build is for" \
  CUDA_EMU_CC=52
emulated "cuDNN does not start" "cuDNN failed in opening" CUDA_EMU_CUDNN=0
emulated "cuBLASLt does not start" "cuBLASLt failed in opening" \
  CUDA_EMU_CUBLASLT=0

# What works: numbers, a second device in one process, memory that runs out.
export SOTA_CUDA_PLUGIN=$plugin CUDA_EMU_DEVICES=2
expect() {
  local what=$1 pattern=$2 out
  shift 2
  out=$("$@" 2>&1)
  if ! grep -qE "$pattern" <<<"$out"; then
    echo "FAILED: $what: $out"
    failures=$((failures + 1))
  fi
}
expect "auto" '^cuda:0$' "$sota" --device auto -e "$print_device"
expect "no --device" '^cuda:0$' "$sota" -e "$print_device"
expect "a number" '^cuda:1$' "$sota" --device cuda:1 -e "$print_device"
expect "too high a number" "there is no GPU 2: there are 2" \
  "$sota" --device cuda:2 -e ''
expect "two in one process" "this process uses cuda:0 already" \
  "$sota" --device cuda -e 'require "sota.core".set("device", "cuda:1")'
expect "out of memory" \
  "no memory on cuda:0 for a tensor of 2.0 MiB; 0.0 MiB are in use, 1.0 MiB" \
  env CUDA_EMU_MEMORY=1 "$sota" --device cuda \
  -e 'return require "sota".uniform{512, 1024}'
expect "doctor" "cuda:0 +Emulated GPU 0, compute capability 8.0.*cuDNN 9" \
  "$sota" --device cuda --doctor

[ $failures -eq 0 ] && echo "all as it should be"
exit $failures
