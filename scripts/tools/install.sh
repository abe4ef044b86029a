#!/bin/sh
# Installs what sota-lua builds with, on Debian 12 or newer, as root or with
# sudo. `install.sh check` adds what the checks need (clang, linters, tmux).
set -eu

build="gcc libc6-dev make cmake ninja-build pkg-config liblua5.4-dev lua5.4
 libvips-dev libdnnl-dev libjansson-dev libxxhash-dev libcurl4-openssl-dev
 libarchive-dev libedit-dev libcairo2-dev libpango1.0-dev libchafa-dev
 fonts-dejavu-core check libsubunit-dev python3"
checks="clang clang-format clang-tidy libclang-rt-14-dev valgrind tmux git
 python3-venv pngquant"

wanted="$build"
[ "${1:-}" = check ] && wanted="$build $checks"

missing=""
for p in $wanted; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q "install ok" ||
    missing="$missing $p"
done
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "install.sh: no apt-get here; please install:$missing" >&2
  exit 1
fi
as_root=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || {
    echo "install.sh: neither root nor sudo; please install:$missing" >&2
    exit 1
  }
  as_root="sudo"
fi
echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086  # a list on purpose
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
