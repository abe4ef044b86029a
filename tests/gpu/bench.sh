#!/bin/bash
# bench.sh -- training steps on the GPU of this machine, against PyTorch where
# it is installed: img/s of xresnet18 and xresnet50 at 128, 192 and 256 px, f32
# and bf16, runs alternating, the best and the median of each.
#   tests/gpu/bench.sh [BUILD_DIR] [ROUNDS]
set -u
cd "$(dirname "$0")/../.." || exit 1
sota=$PWD/${1:-build}/bin/sota-lua rounds=${2:-3}
steps=${STEPS:-30} bs=${BS:-64} sizes=${SIZES:-128 192 256}
"$sota" --device cuda -e '' || exit 77
torch=$(python3 -c 'import torch; print(int(torch.cuda.is_available()))' \
  2>/dev/null || echo 0)
[ "$torch" = 1 ] || echo "no PyTorch with CUDA here: sota-lua alone"

ours() {
  "$sota" --device cuda tests/bench/train_step.lua --arch "$1" --size "$2" \
    --bs "$bs" --precision "$3" --steps "$steps"
}

theirs() {
  python3 tests/bench/peers/torch_step.py --device cuda --arch "$1" \
    --size "$2" --bs "$bs" --precision "$3" --steps "$steps" --mode "$4"
}

for arch in ${ARCHS:-xresnet18 xresnet50}; do
  for size in $sizes; do
    for precision in ${PRECISIONS:-f32 bf16}; do
      for _ in $(seq "$rounds"); do
        echo "sota-lua: $(ours "$arch" "$size" "$precision")"
        [ "$torch" = 1 ] || continue
        for mode in eager compile; do
          echo "PyTorch $mode: $(theirs "$arch" "$size" "$precision" "$mode")"
        done
      done
    done
  done
done
