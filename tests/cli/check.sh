# check.sh -- what the tests of the command line share; sourced by them.
#
#   try NAME CODE OUT ERR command...
#
# runs the command with standard input from $input (a text; empty if unset) and
# compares: the exit code exactly, stdout and stderr with bash patterns.
# SOTA_LUA is the binary. `finish` prints "N passed, N failed".
# shellcheck shell=bash
set -u
passed=0 failed=0
sota=${SOTA_LUA:?SOTA_LUA names the binary to test}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_CPATH LUA_PATH_5_4 LUA_CPATH_5_4

pass() { passed=$((passed + 1)); }

fail() { # NAME WHAT
  failed=$((failed + 1))
  printf 'FAILED %s: %s\n' "$1" "$2"
}

try() {
  local name=$1 code=$2 out=$3 err=$4 got
  shift 4
  printf '%s' "${input:-}" >"$work/in"
  timeout 60 "$@" <"$work/in" >"$work/out" 2>"$work/err"
  got=$?
  # shellcheck disable=SC2053  # patterns on purpose
  if [ $got != "$code" ]; then
    fail "$name" "exit code $got, not $code; stderr: $(cat "$work/err")"
  elif [[ $(cat "$work/out") != $out ]]; then
    fail "$name" "stdout '$(cat "$work/out")' is not like '$out'"
  elif [[ $(cat "$work/err") != $err ]]; then
    fail "$name" "stderr '$(cat "$work/err")' is not like '$err'"
  else
    pass
  fi
}

# Waits up to a minute until the command succeeds.
await() {
  for _ in $(seq 600); do
    if "$@"; then return 0; fi
    sleep 0.1
  done
  return 1
}

finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
