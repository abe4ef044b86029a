#!/bin/bash
# deterministic.sh -- one training, several times, with other numbers of workers,
# in f32 and bf16: the model files are equal, byte by byte.
source "$(dirname "$0")/check.sh"
export SOTA_DATA=$work/cache

cat >"$work/train.lua" <<'END'
require "sota.all"
local workers, file = tonumber(arg[1]), arg[2]
local dls = DataBlock{
  blocks = {ImageBlock, CategoryBlock},
  get_items = function(path)
    local some, files = {}, get_image_files(path)
    for i = 1, #files, 16 do some[#some + 1] = files:path(i) end
    return some
  end,
  get_y = parent_label,
  splitter = GrandparentSplitter{train_name = "train", valid_name = "val"},
  item_tfms = RandomResizedCrop(24),
  batch_tfms = {aug_transforms{size = 24}, Normalize.from_stats(imagenet_stats)},
}:dataloaders(demo_data(), {bs = 16, workers = workers})
local net = nn.Sequential{nn.ConvLayer(3, 16), nn.ResBlock(1, 16, 32, {stride = 2}),
  nn.AdaptiveAvgPool(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(32, dls.c)}
local learn = Learner(dls, net, {metrics = accuracy, quiet = true,
  cbs = {Mixup(), EMA(0.9), GradientClip(1)}})
learn:fine_tune(2, 1e-2)
learn:save(file)
END

train() { # PRECISION WORKERS FILE [OPTION...]
  local precision=$1 workers=$2 file=$3
  shift 3
  "$sota" --precision "$precision" "$@" "$work/train.lua" "$workers" \
    "$work/$file.safetensors" || fail "$file" "the training failed"
}

same() { # NAME FILE FILE
  if cmp "$work/$2.safetensors" "$work/$3.safetensors" >"$work/cmp" 2>&1; then
    pass
  else
    fail "$1" "$(cat "$work/cmp")"
  fi
}

precisions=f32
if [ "$("$sota" -e 'print(require "sota.core".can_bf16())')" = true ]; then
  precisions="f32 bf16"
fi
for p in $precisions; do
  train "$p" 0 "$p-0" --deterministic
  train "$p" 0 "$p-again" --deterministic
  same "$p: run after run" "$p-0" "$p-again"
  for workers in 1 2 4; do
    train "$p" "$workers" "$p-$workers" --deterministic
    same "$p: $workers workers" "$p-0" "$p-$workers"
  done
done

# The test can fail: another seed is another file; without the flag only the
# times differ.
train f32 0 seed --deterministic --seed 1
if cmp -s "$work/f32-0.safetensors" "$work/seed.safetensors"; then
  fail "another seed" "gives the same file"
else
  pass
fi
train f32 2 plain
cat >"$work/tensors.lua" <<'END'
local t, _, names = require("sota.core").safetensors.load(arg[1])
for _, name in ipairs(names) do
  io.write(name)
  for _, v in ipairs(t[name]:reshape{-1}:totable()) do io.write((" %a"):format(v)) end
end
END
for f in plain f32-0; do
  "$sota" "$work/tensors.lua" "$work/$f.safetensors" >"$work/$f.txt"
done
if cmp "$work/plain.txt" "$work/f32-0.txt" >"$work/cmp" 2>&1; then
  pass
else
  fail "without the flag" "$(cat "$work/cmp")"
fi
finish
