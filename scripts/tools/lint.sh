#!/bin/bash
# Builds everything but the CUDA backend with clang and warnings as errors, then
# runs clang-tidy over engine/ (two at a time) and prints what it found. The
# backend's C files are only looked at, where its headers are: they are compiled
# by gcc, for nvcc's sake.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p build-clang/cuda
configure() { # FOLDER CUDA
  cmake -S . -B "$1" -G Ninja -DCMAKE_C_COMPILER=clang -DSL_WERROR=ON \
    -DCMAKE_BUILD_TYPE=Debug -DSL_CUDA="$2"
}
if ! { configure build-clang OFF && ninja -j2 -C build-clang &&
  configure build-clang/cuda AUTO; } >build-clang/log 2>&1; then
  grep -A20 'FAILED\|CMake Error' build-clang/log | head -100
  exit 1
fi

# On stderr is only how many warnings of system headers were left out.
tidy() { # FOLDER: reads names
  xargs -r -P 2 -n 4 clang-tidy -p "$1" --quiet 2>/dev/null
}
git ls-files 'engine/*.c' | grep -v '^engine/cuda/' | tidy build-clang
if grep -q 'engine/cuda/' build-clang/cuda/compile_commands.json; then
  git ls-files 'engine/cuda/*.c' | tidy build-clang/cuda
fi
