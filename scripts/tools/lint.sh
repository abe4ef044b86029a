#!/bin/bash
# Builds everything with clang and warnings as errors, then runs clang-tidy
# over engine/ (two at a time) and prints what it found.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p build-clang
if ! { cmake -S . -B build-clang -G Ninja -DCMAKE_C_COMPILER=clang \
  -DSL_WERROR=ON && ninja -j2 -C build-clang; } >build-clang/log 2>&1; then
  grep -A20 'FAILED\|CMake Error' build-clang/log | head -100
  exit 1
fi
# On stderr is only how many warnings of system headers were left out.
git ls-files 'engine/*.c' | xargs -P 2 -n 4 \
  clang-tidy -p build-clang --quiet 2>/dev/null
