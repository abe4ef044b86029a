#!/bin/bash
# cmake.sh -- what CMake says when packages are missing, and that those which
# may be missing may. A package is hidden from pkg-config by giving it a folder
# without it.
source "$(dirname "$0")/check.sh"
source_dir=${SOURCE_DIR:?}
if ! command -v pkg-config >/dev/null || ! command -v ninja >/dev/null; then
  echo "pkg-config or ninja is not installed: skipped"
  exit 77
fi
folders=$(pkg-config --variable pc_path pkg-config)

# hide NAME...: a folder of links to all .pc files but those.
hide() {
  local dir file name
  rm -rf "$work/pc"
  mkdir "$work/pc"
  for dir in ${folders//:/ }; do
    for file in "$dir"/*.pc; do
      [ -e "$file" ] && ln -sf "$file" "$work/pc/"
    done
  done
  for name in "$@"; do rm -f "$work/pc/$name.pc"; done
  export PKG_CONFIG_LIBDIR=$work/pc
}

hide lua5.4 vips
try "all that is missing, in one message" 1 '*' \
  '*missing: liblua5.4-dev libvips-dev*apt-get install liblua5.4-dev libvips-dev*quickstart.sh*' \
  cmake -S "$source_dir" -B "$work/a" -G Ninja
hide check
try "check is needed for tests" 1 '*' '*missing: check*' \
  cmake -S "$source_dir" -B "$work/b" -G Ninja
try "and only for them" 0 '*' '' \
  cmake -S "$source_dir" -B "$work/c" -G Ninja -DSL_TESTS=OFF -DSL_CUDA=OFF
try "a wrong value of SL_CUDA" 1 '*' '*SL_CUDA is AUTO, ON or OFF, not MAYBE*' \
  cmake -S "$source_dir" -B "$work/c" -G Ninja -DSL_TESTS=OFF -DSL_CUDA=MAYBE

hide chafa
try "pictures without a terminal that shows them" 0 \
  '*libchafa-dev not found: no pictures inside the terminal*' '' \
  cmake -S "$source_dir" -B "$work/e" -G Ninja -DSL_TESTS=OFF -DSL_CUDA=OFF

hide libcurl libarchive libedit
try "what may be missing is named" 0 \
  '*libcurl4-openssl-dev not found: untar_data cannot download*libarchive-dev*libedit-dev*' '' \
  cmake -S "$source_dir" -B "$work/d" -G Ninja -DSL_TESTS=OFF -DSL_WERROR=ON \
  -DSL_CUDA=OFF -DSL_PICTURES=OFF -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER_LAUNCHER="$(command -v ccache)"
if timeout 500 ninja -j2 -C "$work/d" sota-lua >"$work/log" 2>&1; then
  pass
else
  fail "builds without them" "$(tail -20 "$work/log")"
fi
unset PKG_CONFIG_LIBDIR
export SOTA_DATA=$work/cache
try "--doctor says how to get them" 0 \
  '*libcurl*missing*apt-get install libcurl4-openssl-dev*libarchive-dev*libedit-dev*libcairo2-dev libpango1.0-dev*' '' \
  "$work/d/bin/sota-lua" --doctor
try "works without them" 0 '3.*' '' "$work/d/bin/sota-lua" -e '
  print(require "sota".tensor{1, 2}:sum())'
try "a download says why not" 1 '' '*built without*' "$work/d/bin/sota-lua" -e '
  require "sota.all" untar_data(URLs.IMAGENETTE_160)'
try "a picture says why not" 1 '' '*pictures need Cairo and Pango*apt-get install libcairo2-dev libpango1.0-dev*' \
  "$work/d/bin/sota-lua" -e 'require "sota".draw.Picture.new(10, 10)'
input=$'1 + 1\nx = {1,\n2}\n#x' try "the prompt without libedit" 0 $'2\n2' '' \
  "$work/d/bin/sota-lua" -i
finish
