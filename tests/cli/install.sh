#!/bin/bash
# install.sh -- cmake --install: the binary and the module find their library
# where they were put, with nothing of the build tree. BUILD_DIR is the build.
source "$(dirname "$0")/check.sh"
build=${BUILD_DIR:?BUILD_DIR names the build tree}
export SOTA_DATA=$work/cache

try "install" 0 '*' '' cmake --install "$build" --prefix "$work/usr"
bin=$work/usr/bin/sota-lua
cd / || exit 1
where='print((package.searchpath("sota", package.path)))'
try "the installed library is used" 0 "$work/usr/share/lua/5.4/sota/init.lua" '' \
  "$bin" -e "$where"
try "the installed binary" 0 '3.*' '' "$bin" -e '
  require "sota.all" print(sota.tensor{1, 2}:sum())'
ln -s "$bin" "$work/link"
try "through a link" 0 '*/usr/share/lua/*' '' "$work/link" -e "$where"
mv "$work/usr" "$work/moved"
bin=$work/moved/bin/sota-lua
try "moved elsewhere" 0 "$work/moved/share/lua/*" '' "$bin" -e "$where"
try "the recipes" 0 '*--arch*' '' \
  "$bin" "$work/moved/share/sota-lua/recipes/imagenette.lua" --help
try "editors: the stub that .luarc.json names is there" 0 'Lua 5.4*true' '' env share="$work/moved/share/sota-lua" "$bin" -e '
  local json, folder = require "sota.core".json, os.getenv "share"
  local file <close> = assert(io.open(folder .. "/.luarc.json"))
  local rc = json.decode(file:read "a")
  local stub = io.open(folder .. "/" .. rc["workspace.library"][1] .. "/sota.lua")
  print(rc["runtime.version"], stub and stub:read "l" == "---@meta sota")'
try "--luarc names the same one" 0 "*$work/moved/share/sota-lua/library*" '' "$bin" --luarc
try "--doctor" 0 '*libvips*' '' "$bin" --doctor

core=$work/moved/lib/lua/5.4/sota/core.so
if ldd "$core" | grep -q liblua; then
  fail "the module brings no Lua" "$(ldd "$core" | grep liblua)"
else
  pass
fi
if command -v lua5.4 >/dev/null; then
  export LUA_PATH="$work/moved/share/lua/5.4/?.lua;$work/moved/share/lua/5.4/?/init.lua"
  export LUA_CPATH="$work/moved/lib/lua/5.4/?.so"
  try "stock lua5.4" 0 '*4., 6.*f32 2 cpu*' '' lua5.4 -e '
    local sota = require "sota" print(sota.tensor{1, 2} + sota.tensor{3, 4})'
  try "a gradient in stock lua5.4" 0 '4.0*' '' lua5.4 -e '
    local sota = require "sota"
    local x = sota.tensor{2}
    x:requires_grad(true)
    x:square():sum():backward()
    print(x:grad():item())'
  try "an error in stock lua5.4" 1 '' '*tensor*' lua5.4 -e 'require "sota".tensor("x")'
else
  echo "lua5.4 is not installed: not tried"
fi

DESTDIR=$work/root try "DESTDIR" 0 '*' '' cmake --install "$build" --prefix /usr
if [ -x "$work/root/usr/bin/sota-lua" ]; then
  pass
else
  fail "DESTDIR" "no usr/bin/sota-lua below it"
fi
finish
