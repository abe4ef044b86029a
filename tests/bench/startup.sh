#!/bin/bash
# startup.sh -- how long the command takes to be there: wall milliseconds of
# sota-lua -e "" (to be under 30), with the library (under 60) and, for
# comparison, of the stock interpreter. The median and the least of many runs.
#
#   tests/bench/startup.sh [RUNS]        SOTA_LUA=build/bin/sota-lua
#
# With --key, lines "name milliseconds" for compare.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
sota=${SOTA_LUA:-build/bin/sota-lua}
bare=
if [ "${1:-}" = --key ]; then bare=1 && shift; fi
runs=${1:-41}

# Milliseconds of each run of the command, sorted.
times() {
  local i began
  for ((i = 0; i < runs; i++)); do
    began=${EPOCHREALTIME/./}
    "$@" >/dev/null
    echo $((${EPOCHREALTIME/./} - began))
  done | sort -n | awk '{printf "%.2f\n", $1 / 1000}'
}

row() { # KEY NAME command...
  local key=$1 name=$2 list middle least
  shift 2
  "$@" >/dev/null # the files are in memory now
  list=$(times "$@")
  middle=$(sed -n "$((runs / 2 + 1))p" <<<"$list")
  least=$(head -1 <<<"$list")
  if [ -n "$bare" ]; then
    echo "$key $middle"
  else
    printf '%-36s %7s ms  (least %s)\n' "$name" "$middle" "$least"
  fi
}

row empty 'sota-lua -e ""' "$sota" -e ''
row all 'sota-lua -e '\''require "sota.all"'\''' "$sota" -e 'require "sota.all"'
if [ -z "$bare" ] && command -v lua5.4 >/dev/null; then
  row lua 'lua5.4 -e ""' lua5.4 -e ''
fi
