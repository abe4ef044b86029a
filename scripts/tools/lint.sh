#!/bin/bash
# Builds everything with clang and warnings as errors, then runs clang-tidy
# over engine/ (two at a time).
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake -S . -B build-clang -G Ninja -DCMAKE_C_COMPILER=clang -DSL_WERROR=ON \
  >/dev/null
ninja -C build-clang >build-clang/log 2>&1 || { tail -40 build-clang/log; exit 1; }
git ls-files 'engine/*.c' | xargs -P 2 -n 4 \
  clang-tidy -p build-clang --quiet 2>/dev/null
