#!/bin/bash
# full_disk.sh -- a disk that really is full: a small tmpfs that is filled while
# a training writes to it, and freed again: at once, when the training is over
# and waits, or after it was killed. Skipped where no file system may be mounted.
source "$(dirname "$0")/check.sh"
disk=$work/disk
mkdir "$disk"
if [ "$(id -u)" != 0 ] && [ -z "${INSIDE:-}" ]; then
  INSIDE=1 exec unshare -rm "$0" 2>/dev/null || exit 77
fi
mount -t tmpfs -o size=2m full "$disk" 2>/dev/null || exit 77
trap 'umount "$disk"; rm -rf "$work"' EXIT
export FAST=1
script=$(dirname "$0")/../torture/train.lua

fill() { head -c 10000000 /dev/zero >"$disk/filler" 2>/dev/null; }
free() { rm -f "$disk/filler"; }
said() { grep -q "$1" "$work/err"; }
begun() { grep -q "$1" "$work/out"; }

start() { # SECONDS of each batch
  rm -rf "${disk:?}"/*
  mkdir "$disk/run"
  SLOW=$1 "$sota" "$script" "$disk/run" >"$work/out" 2>"$work/err" &
  runner=$!
}

check_end() { # NAME
  if wait $runner && [ "$(tail -1 "$work/out")" = "$want" ] &&
    [ ! -e "$disk/run/checkpoint" ] && [ -z "$(find "$disk" -name '*.tmp')" ]; then
    pass
  else
    fail "$1" "'$(tail -1 "$work/out")', not '$want'; $(tail -5 "$work/err")"
  fi
}

start 0
wait $runner
want=$(tail -1 "$work/out")
case $want in 0x*) pass ;; *) fail "on a disk with room" "$(tail -5 "$work/err")" ;; esac

start 0.3
await begun begun && fill
await said 'No space left on device; training goes on' && pass || fail "full" "is not said"
free
await said 'written again' && pass || fail "freed" "is not said"
check_end "freed while it trains"

start 0.1
await begun begun && fill
await said 'waiting until it can be written' && pass || fail "the end" "does not wait"
free
check_end "freed while it waits"
once=$(grep -c '^checkpoint: cannot write .*training goes on' "$work/err")
[ "$once" -le 2 ] && pass || fail "said once" "$once times in two fits"

start 0.1
await begun begun && fill
await said 'training goes on' && kill -KILL $runner
wait $runner 2>/dev/null
free
FAST=1 "$sota" "$script" "$disk/run" >"$work/out" 2>"$work/err" &
runner=$!
check_end "killed while it was full"
said '^checkpoint: going on from' && pass || fail "killed while full" "began anew"

rm -rf "${disk:?}"/*
mkdir "$disk/run"
fill
timeout 60 "$sota" "$script" "$disk/run" >"$work/out" 2>"$work/err"
code=$?
if [ $code = 1 ] && said 'cannot .*: No space left on device' && ! begun begun; then pass; else
  fail "full from the beginning" "exit code $code: $(tail -5 "$work/err")"
fi
finish
