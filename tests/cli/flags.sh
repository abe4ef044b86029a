#!/bin/bash
# flags.sh -- the flags of `lua` mean here what they mean there: where lua5.4 is
# installed, both run and must agree. And our own options.
source "$(dirname "$0")/check.sh"
cd "$work" || exit 1

cat >args.lua <<'END'
print(#arg, arg[0], arg[1], arg[2], arg[-1] ~= nil, ...)
END
echo 'return {x = 7}' >mod.lua
echo 'error("no")' >bad.lua
echo 'x = = 1' >syntax.lua
echo 'print(...)' >./-

# --- as in lua: compared with lua5.4 itself, to the byte and the exit code -----
same() { # NAME arguments...
  local name=$1 a b
  shift
  printf '%s' "${input:-}" >in
  a=$(LUA_PATH='./?.lua' lua5.4 "$@" <in 2>err1)$?
  b=$(LUA_PATH='./?.lua' "$sota" "$@" <in 2>err2)$?
  sed -i 's/^lua5.4: //' err1
  sed -i 's/^sota-lua: //' err2
  if [ "$a" != "$b" ]; then
    fail "$name" "stdout and code '$b', lua5.4 has '$a'"
  elif [ "$(head -1 err1)" != "$(head -1 err2)" ]; then
    fail "$name" "stderr '$(head -1 err2)', lua5.4 has '$(head -1 err1)'"
  else
    pass
  fi
}
if command -v lua5.4 >/dev/null; then
  same "script and arguments" args.lua a "b c"
  same "arguments that look like options" args.lua -e --seed
  same "arg before the script" -e 'x=1' args.lua a
  same "-e" -e 'print(1 + 1)'
  same "-e without a space" -e'print(2)'
  same "several -e in order" -e 'a = 1' -e 'print(a)'
  same "-e stops at an error" -e 'error "x"' -e 'print(1)'
  same "-e of wrong syntax" -e 'x = = 1'
  same "error()" -e 'error()'
  same "error of a table" -e 'error({})'
  same "error of a table with a text" \
    -e 'error(setmetatable({}, {__tostring = function() return "T" end}))'
  same "-l" -l mod -e 'print(mod.x)'
  same "-l g=mod" -l g=mod -e 'print(g.x, mod)'
  same "-lmod" -lmod -e 'print(mod.x)'
  same "-l then -e in order" -e 'print(mod)' -l mod -e 'print(mod.x)'
  same "--" -- args.lua x
  same "-- and a file named -" -- - x
  same "-e and no script" -e 'print(#arg, arg[1])' --
  same "a missing script" nosuch.lua
  same "a script that raises" bad.lua
  same "a script of wrong syntax" syntax.lua
  same "os.exit" -e 'os.exit(7)'
  same "os.exit(true, true)" -e 'os.exit(true, true)'
  same "warnings when asked" -W -e 'warn("@on") warn "w"'
  input='print("from stdin", ...)'
  same "stdin that is no terminal"
  same "-" - a b
  same "- with arg" -e 'x=1' - a
  same "-e does not read stdin" -e 'x=1'
  same "-l alone reads stdin" -l mod
  same "-E alone reads stdin" -E
  input='#!/usr/bin/env sota-lua
print(1)'
  same "a first line with #" -
  input=
  LUA_INIT='print "init"' same "LUA_INIT" -e 'print(1)'
  LUA_INIT='@mod.lua' same "LUA_INIT=@file" -e 'print(1)'
  LUA_INIT_5_4='print(54)' LUA_INIT='print(5)' same "LUA_INIT_5_4" -e ''
  LUA_INIT='error "x"' same "LUA_INIT that raises" -e 'print(1)'
  LUA_INIT='error "x"' same "-E ignores LUA_INIT" -E -e 'print(1)'
  LUA_INIT='error "x"' same "-E in any place" -e 'print(1)' -E
else
  echo "lua5.4 is not installed: not compared with it"
fi

# --- ours: where lua leaves with 0, we do not ---------------------------------
input='x = = 1' try "wrong syntax in stdin" 1 '' '*stdin:1:*' "$sota"
input='error "x"' try "an error in stdin" 1 '' '*stdin:1: x*' "$sota"

# --- ours ---------------------------------------------------------------------
try "--version" 0 'sota-lua [0-9]*.*.* (Lua 5.4.*)' '' "$sota" --version
try "-v" 0 'sota-lua *' '' "$sota" -v
try "-v and a script" 0 $'sota-lua *\n*args.lua*' '' "$sota" -v args.lua
LUA_INIT='print "init"' try "-v comes before LUA_INIT" 0 \
  $'sota-lua *\ninit' '' "$sota" -v
try "--help" 0 'usage: sota-lua *--doctor*' '' "$sota" --help
try "-h" 0 'usage: sota-lua *' '' "$sota" -h
try "warnings are on" 0 '' 'Lua warning: w' "$sota" -e 'warn "w"'
try "warnings can end" 0 '' '' "$sota" -e 'warn "@off" warn "w"'
try "the library is found" 0 'table' '' "$sota" -E -e 'print(type(require "sota"))'
try "traceback" 1 '' $'*bad.lua:1: no\nstack traceback:*' "$sota" bad.lua

try "--seed" 0 7 '' "$sota" --seed 7 -e 'print(require "sota".get "seed")'
try "--seed=" 0 7 '' "$sota" --seed=7 -e 'print(require "sota".get "seed")'
try "--threads" 0 1 '' "$sota" --threads 1 -e 'print(require "sota".get "threads")'
try "--device" 0 cpu '' "$sota" --device cpu -e 'print(require "sota".get "device")'
try "--precision" 0 f32 '' "$sota" --precision f32 \
  -e 'print(require "sota".get "precision")'
try "--deterministic" 0 true '' "$sota" --deterministic \
  -e 'print(require "sota".get "deterministic")'
try "options before a script" 0 '*args.lua*--seed*' '' "$sota" --seed 7 args.lua --seed
try "same seed, same numbers" 0 true '' "$sota" -e '
  local sota, s = require "sota", {}
  for i = 1, 2 do
    sota.set("seed", 5)
    s[i] = tostring(sota.randn(3))
  end
  print(s[1] == s[2])'

try "unknown option" 2 '' "*unknown option '--sed'; did you mean --seed?*" \
  "$sota" --sed 7
try "unknown option with a value" 2 '' "*did you mean --threads?*" "$sota" --thread=7
try "nothing near" 2 '' $'*unknown option \'--xyzzy\'\n*--help*' "$sota" --xyzzy
try "unknown letter" 2 '' "*unknown option '-x'*" "$sota" -x
try "joined letters" 2 '' "*unknown option '-iv'*" "$sota" -iv
try "-e without a value" 2 '' "*value is missing after '-e'*" "$sota" -e
try "-e before an option" 2 '' "*value is missing after '-e'*" "$sota" -e -v
try "--seed without a value" 2 '' "*value is missing after '--seed'*" "$sota" --seed
try "--seed before an option" 2 '' "*value is missing after '--seed'*" \
  "$sota" --seed --doctor
try "--seed of no number" 2 '' "*--seed must be a whole number*'x'*" "$sota" --seed x
try "--threads below 0" 2 '' "*--threads must be*-1*" "$sota" --threads=-1
try "--threads far too many" 2 '' "*--threads must be at most*" "$sota" --threads 9999
try "--device that is not there" 2 '' "*--device*'gpu'*there are cpu, cuda*" \
  "$sota" --device gpu
try "--device without its module" 2 '' "*cuda cannot be used*none.so*" \
  env SOTA_CUDA_PLUGIN=/none.so "$sota" --device cuda
try "--device auto says why it is the CPU" 0 cpu "*using the CPU*none.so*" \
  env SOTA_CUDA_PLUGIN=/none.so "$sota" --device auto \
  -e 'print(require "sota.core".get "device")'
try "--precision of no name" 2 '' "*--precision must be auto, f32 or bf16*" \
  "$sota" --precision f16
if "$sota" --doctor | grep -q avx512_bf16; then
  try "--precision bf16" 0 bf16 '' "$sota" --precision bf16 \
    -e 'print(require "sota".get "precision")'
  try "--precision auto" 0 bf16 '' "$sota" \
    -e 'print(require "sota".get "precision")'
elif ! "$sota" --doctor | grep -q avx512f; then
  try "--precision bf16" 2 '' "*no bf16 arithmetic*use f32 or auto*" \
    "$sota" --precision bf16
fi

try "exit code of an error object" 3 '' 'sota-lua: gone' "$sota" -e '
  error(setmetatable({code = 3}, {__tostring = function() return "gone" end}))'
try "a broken __tostring" 1 '' '*oops*' "$sota" -e '
  error(setmetatable({}, {__tostring = function() error "oops" end}))'

# --- a script's own options ----------------------------------------------------
cat >opt.lua <<'END'
local opt = require "sota".options{
  "Does things.",
  {"bs", 64, "batch"}, {"item_size", 80, "px"}, {"lr", 1e-3, "rate"},
  {"mixup", false, "mix"}, {"arch", "a", "net", choices = {"xresnet18", "a"}},
}
print(opt.bs, opt.item_size, opt.lr, opt.mixup, opt.arch)
END
try "defaults" 0 $'64\t80\t0.001\tfalse\ta' '' "$sota" opt.lua
try "all kinds" 0 $'32\t9\t0.5\ttrue\txresnet18' '' "$sota" opt.lua --bs 32 \
  --item-size=9 --lr 0.5 --mixup --arch xresnet18
try "--no-x" 0 '*false*' '' "$sota" opt.lua --mixup --no-mixup
try "a script's --help" 0 '*Does things.*--item-size*default 80*' '' "$sota" opt.lua --help
try "did you mean" 2 '' '*--epoch*' "$sota" opt.lua --epoch 1
try "did you mean a choice" 2 '' "*did you mean 'xresnet18'*" "$sota" opt.lua --arch xresnet8
try "of the wrong type" 2 '' "*--bs wants a whole number, not 'x'*" "$sota" opt.lua --bs x
try "a value too few" 2 '' '*value is missing*--bs*' "$sota" opt.lua --bs
try "one argument too many" 2 '' "*unexpected argument 'x'*" "$sota" opt.lua x

# --- doctor --------------------------------------------------------------------
export SOTA_DATA=$work/cache
try "--doctor" 0 'sota-lua *cpu *oneDNN [0-9]*cuda *libvips *[0-9]*JPEG*writable*right' \
  '' "$sota" --doctor
export SOTA_DATA=/proc/nowhere
try "--doctor without a cache folder" 1 '*/proc/nowhere*' '' "$sota" --doctor

finish
