#!/bin/bash
# interrupt.sh -- kill -INT while a script runs. RECIPES is the recipes' folder.
source "$(dirname "$0")/check.sh"
recipe=${RECIPES:?}/imagenette.lua
export SOTA_DATA=$work/cache

# stopped NAME WANT_ERR KILLS command...: starts it, waits for a line "READY" or
# the file $work/ready, sends SIGINT that many times, expects 130.
stopped() {
  local name=$1 err=$2 kills=$3 pid got
  shift 3
  rm -f "$work/ready"
  READY=$work/ready timeout 120 "$@" >"$work/out" 2>"$work/err" &
  local runner=$!
  if ! await test -e "$work/ready"; then
    kill $runner
    fail "$name" "does not start: $(cat "$work/out" "$work/err")"
    return
  fi
  pid=$(cat "$work/ready")
  for _ in $(seq "$kills"); do
    kill -INT "$pid" 2>/dev/null
    sleep 0.2
  done
  wait $runner
  got=$?
  # shellcheck disable=SC2053
  if [ $got != 130 ]; then
    fail "$name" "exit code $got, not 130: $(cat "$work/err")"
  elif [[ $(cat "$work/err") != $err ]]; then
    fail "$name" "stderr '$(cat "$work/err")' is not like '$err'"
  else
    pass
  fi
}

cat >"$work/ready.lua" <<'END'
return function()
  local pid = io.open "/proc/self/stat":read "n"
  local f = assert(io.open(os.getenv "READY" .. ".new", "w"))
  f:write(pid)
  f:close()
  os.rename(os.getenv "READY" .. ".new", os.getenv "READY")
end
END
export LUA_PATH="$work/?.lua;;"
stopped "a loop" '*interrupted!*' 1 "$sota" -l ready -e 'ready() while true do end'
stopped "a loop that catches" '*' 3 "$sota" -l ready -e '
  ready() while true do pcall(function() while true do end end) end'
stopped "a loop of tensors" '*interrupted!*' 1 "$sota" -l ready -e '
  local sota = require "sota"
  local x = sota.zeros(64, 64)
  ready()
  while true do x = (x + 1):matmul(x) end'

# The recipe, unchanged, on a few small files; a module loaded first tells when
# the first batches are done.
cat >"$work/tiny.lua" <<'END'
require "sota.all"
local ready = require "ready"
local fit = require "sota.core".fit
require "sota.core".fit = function(spec)
  local n = 0
  table.insert(spec.cbs, {after_batch = function()
    n = n + 1
    if n == 2 then ready() end
  end})
  return fit(spec)
end
END
stopped "the recipe, within an epoch" '*interrupted!' 1 "$sota" -l tiny "$recipe" \
  --data demo --size 32 --item-size 32 --bs 16 --epochs 50 --out "$work/out.d"
stopped "the recipe, with two workers, twice" '*interrupted!*' 2 "$sota" -l tiny "$recipe" \
  --data demo --size 32 --item-size 32 --bs 16 --epochs 50 --workers 2 --out "$work/out.d"
if [ -e "$work/out.d/model.safetensors" ]; then
  fail "nothing is saved as if it were done" "there is a model"
else
  pass
fi
finish
