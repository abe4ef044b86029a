#!/bin/bash
# soak.sh -- trains over and over with all callbacks and fails when memory, open
# files or threads grow. 20 seconds, or MINUTES:
#   MINUTES=60 SOTA_LUA=build/bin/sota-lua tests/torture/soak.sh
set -u
cd "$(dirname "$0")/../.." || exit 2
sota=${SOTA_LUA:-build/bin/sota-lua}
seconds=20
[ -z "${MINUTES:-}" ] || seconds=$((MINUTES * 60))
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SOTA_DATA=${SOTA_DATA:-$work/cache}
"$sota" tests/torture/soak.lua "$seconds" "$work"
