#!/bin/bash
# bench.sh -- on the GPU of this machine, against PyTorch (with fastai, for its
# xresnet) where that is installed:
#   1. training steps: img/s of xresnet18 and xresnet50 at 128, 192 and 256 px,
#      f32 and bf16; runs alternate; the best and the median of each. PyTorch
#      eager, compiled, and compiled with CUDA graphs, channels_last, autocast
#   2. the same step's time, split by operation
#   3. from files to weights: an epoch of DATA (a folder with train/ and val/;
#      else the demo set), and the CIFAR-10 speedrun where CIFAR is its folder
#   tests/gpu/bench.sh [BUILD_DIR] [ROUNDS]
# Engines of cuDNN are timed at first use, as PyTorch's are; SOTA_CUDA_TUNE=0
# trusts heuristics. ARCHS, SIZES, PRECISIONS, BS, STEPS: less of it.
set -u
cd "$(dirname "$0")/../.." || exit 1
sota=$PWD/${1:-build}/bin/sota-lua rounds=${2:-3}
steps=${STEPS:-30} bs=${BS:-64} sizes=${SIZES:-128 192 256}
archs=${ARCHS:-xresnet18 xresnet50} precisions=${PRECISIONS:-f32 bf16}
export SOTA_CUDA_TUNE=${SOTA_CUDA_TUNE:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$sota" --device cuda -e '' || exit 77
torch=$(python3 -c 'import fastai, torch; print(int(torch.cuda.is_available()))' \
  2>/dev/null || echo 0)
[ "$torch" = 1 ] || echo "no PyTorch with CUDA and fastai here: sota-lua alone"

ours() {
  "$sota" --device cuda "${flags[@]}" tests/bench/train_step.lua --arch "$1" \
    --size "$2" --bs "$bs" --precision "$3" --steps "$steps"
}

theirs() {
  python3 tests/bench/peers/torch_step.py --device cuda --arch "$1" \
    --size "$2" --bs "$bs" --precision "$3" --steps "$steps" --mode "$4"
}

flags=()
echo "--- training steps"
"$sota" --device cuda --doctor | sed -n '/^devices/,/^$/p'
for arch in $archs; do
  for size in $sizes; do
    for precision in $precisions; do
      for _ in $(seq "$rounds"); do
        echo "sota-lua: $(ours "$arch" "$size" "$precision")"
        [ "$torch" = 1 ] || continue
        for mode in eager compile graphs; do
          echo "PyTorch $mode: $(theirs "$arch" "$size" "$precision" "$mode")"
        done
      done
    done
  done
done

# Work is queued: only with a wait after each kernel is its time its own.
echo "--- where the time of a step goes (with a wait after each kernel)"
flags=(--profile)
export SOTA_CUDA_SYNC=1
for arch in $archs; do ours "$arch" "${sizes%% *}" "${precisions##* }" 2>&1; done
unset SOTA_CUDA_SYNC

echo "--- from files to weights"
for arch in $archs; do
  time "$sota" --device cuda recipes/imagenette.lua --data "${DATA:-demo}" \
    --arch "$arch" --size 128 --item-size 160 --bs "$bs" --epochs 1 --seed 1 \
    --no-report --out "$work/$arch" || exit 1
done
if [ -n "${CIFAR:-}" ]; then
  time "$sota" --device cuda recipes/cifar10_speedrun.lua --data "$CIFAR" \
    --seed 1 --out "$work/cifar" || exit 1
else
  echo "CIFAR is not set: no speedrun"
fi
