#!/bin/sh
# Builds against oneDNN 3 (headers and library of the PyPI wheel
# onednn-devel-cpu-gomp) and runs the tests that use it.
set -eu
cd "$(dirname "$0")/../.."
root=build-onednn3/wheel
if [ ! -d "$root" ]; then
  python3 -m venv build-onednn3/venv
  build-onednn3/venv/bin/pip install -q --target "$root" onednn-devel-cpu-gomp
fi
found=$(find "$PWD/$root" build-onednn3/venv -name dnnl.h -path '*include/dnnl.h' | head -1)
prefix=$(dirname "$(dirname "$found")")
cmake -S . -B build-onednn3/build -G Ninja -DDNNL_ROOT="$prefix" \
  -DDNNL_INCLUDE_DIR="$prefix/include" >/dev/null
ninja -C build-onednn3/build >/dev/null
lib=$(dirname "$(find "$prefix" -name 'libdnnl.so.3*' | head -1)")
LD_LIBRARY_PATH="$lib" ctest --test-dir build-onednn3/build -j 2 \
  --output-on-failure -R 'conv|dnnl|linear|matmul|xresnet'
