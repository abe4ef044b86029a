#!/bin/sh
# format.sh: formats every C, C++ and CUDA file. format.sh --check: fails if one is not.
set -eu
cd "$(dirname "$0")/../.."
files=$(git ls-files '*.c' '*.h' '*.cu' '*.cpp')
if [ "${1:-}" = --check ]; then
  # shellcheck disable=SC2086
  clang-format --dry-run --Werror $files
else
  # shellcheck disable=SC2086
  clang-format -i $files
fi
