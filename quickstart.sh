#!/bin/sh
# ./quickstart.sh [options of the recipe]  install what is missing, build, and
#                                          train on the built-in demo data set
# ./quickstart.sh test                     the same set-up, then all tests
set -eu
cd "$(dirname "$0")"

scripts/tools/install.sh
cmake -S . -B build -G Ninja >build.log 2>&1 && ninja -C build >>build.log 2>&1 || {
  tail -40 build.log >&2
  echo "quickstart.sh: the build failed; all of it is in build.log" >&2
  exit 1
}

if [ "${1:-}" = test ]; then
  shift
  status=0
  ctest --test-dir build --output-on-failure -j 2 "$@" || status=$?
  scripts/tools/count_tests.sh build/Testing/Temporary/LastTest.log || status=1
  exit $status
fi
exec build/bin/sota-lua recipes/imagenette.lua "$@"
