#!/bin/bash
# guard.sh -- a recipe whose training diverges: exit code 3, a sentence, and
# checkpoints that are whole and finite.
source "$(dirname "$0")/check.sh"
export SOTA_DATA=$work/cache
"$sota" -e 'require "sota.all" demo_data()' || fail "demo data" "not made"
recipe=${RECIPES:?RECIPES is the folder of the recipes}/imagenette.lua

diverges() { # NAME PRECISION
  try "$1" 3 '*' '*training has diverged: in epoch 1, batch * learning rate *' \
    "$sota" "$recipe" --epochs 1 --size 32 --item-size 32 --lr 1e30 \
    --opt SGD --precision "$2" --no-report --out "$work/$2"
  for file in "$work/$2"/checkpoint/*.safetensors; do
    try "$1: $(basename "$file")" 0 '*sound*' '*' "$sota" --check "$file"
  done
  [ -f "$file" ] || fail "$1" "there is no checkpoint"
}

diverges "f32" f32
if [ "$("$sota" -e 'print(require "sota.core".can_bf16())')" = true ]; then
  diverges "bf16" bf16
fi
finish
