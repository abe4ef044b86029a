#!/bin/sh
# Builds against oneDNN 3 (headers and library of the PyPI wheel
# onednn-devel-cpu-gomp, in a virtual environment) and runs the tests that use it.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD/build-onednn3
if [ ! -e "$root/venv/include/dnnl.h" ]; then
  python3 -m venv "$root/venv"
  "$root/venv/bin/pip" install -q onednn-devel-cpu-gomp
fi
library=$(find "$root/venv/lib" -name 'libdnnl.so.3*' | sort | head -1)
if [ -z "$library" ]; then
  echo "onednn3.sh: the wheel brought no libdnnl.so.3" >&2
  exit 1
fi
cmake -S . -B "$root/build" -G Ninja -DSL_CUDA=OFF -DDNNL_INCLUDE_DIR="$root/venv/include" \
  -DDNNL_LIBRARY="$library" | grep oneDNN
tests='conv|dnnl|linear|matmul|xresnet|registry'
targets=$(cd tests && ls test_*.c | sed 's/\.c$//' | grep -E "$tests")
# shellcheck disable=SC2086  # a list on purpose
ninja -j2 -C "$root/build" sota-lua $targets >"$root/log" 2>&1 || { tail -40 "$root/log"; exit 1; }
export LD_LIBRARY_PATH="$(dirname "$library")"
"$root/build/bin/sota-lua" --doctor | grep 'oneDNN 3\.'
ctest --test-dir "$root/build" -j 2 --output-on-failure \
  -R "$tests"
