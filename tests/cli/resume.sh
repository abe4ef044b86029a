#!/bin/bash
# resume.sh -- a real training, killed with SIGKILL and SIGTERM at random moments
# and started again, against one that was left alone. KILLS: how many (5).
source "$(dirname "$0")/check.sh"
kills=${KILLS:-5}
export SOTA_DATA=$work/cache RESULT

cat >"$work/train.lua" <<'END'
require "sota.all"
local sota = require "sota"
local folder = arg[1]
sota.set("seed", 7)
sota.set("precision", "f32")
local dls = DataBlock{
  blocks = {ImageBlock, CategoryBlock},
  get_items = function(path)
    local some, files = {}, get_image_files(path)
    for i = 1, #files, 16 do some[#some + 1] = files:path(i) end
    return some
  end,
  get_y = parent_label,
  splitter = GrandparentSplitter{train_name = "train", valid_name = "val"},
  item_tfms = Resize(24),
  batch_tfms = {aug_transforms{size = 16}, Normalize.from_stats(imagenet_stats)},
}:dataloaders(demo_data(), {bs = 16})
local net = nn.Sequential{nn.ConvLayer(3, 8), nn.ResBlock(1, 8, 16, {stride = 2}),
  nn.AdaptiveAvgPool(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(16, dls.c)}
local checkpoint = Checkpoint{folder, every = arg[2] or "1 batches", keep = 2}
local learn = Learner(dls, net, {metrics = accuracy, history = folder .. ".csv",
  cbs = {Mixup(), EMA(0.9), checkpoint}})
learn:fine_tune(3, 1e-2)
learn:save(folder .. "/model.safetensors")
print(("%a"):format(learn:validate().valid_loss))
END

train() { exec "$sota" "$work/train.lua" "$@"; }
# What a model holds, without the times of its history.
cat >"$work/tensors.lua" <<'END'
local t, _, names = require("sota.core").safetensors.load(arg[1])
for _, name in ipairs(names) do
  for _, v in ipairs(t[name]:reshape{-1}:totable()) do
    io.write(("%a "):format(v))
  end
end
END
tensors() { "$sota" "$work/tensors.lua" "$1" | cksum; }

want=$( (train "$work/whole") | tail -1)
if [ -z "$want" ]; then
  fail "the run left alone" "has no result"
  finish
fi
died=0
for i in $(seq 1 "$kills"); do
  signal=KILL
  [ $((i % 3)) = 0 ] && signal=TERM
  train "$work/broken" >"$work/out" 2>"$work/err" &
  runner=$!
  # From the first moments, when nothing is written, to late ones.
  sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
  kill -$signal $runner 2>/dev/null && died=$((died + 1))
  wait $runner 2>/dev/null
done
got=$( (train "$work/broken" 2>"$work/err") | tail -1)
[ "$died" -gt 0 ] && pass || fail "kills" "none of $kills runs was killed"
if [ "$got" = "$want" ]; then pass; else
  fail "$died kills" "validation loss '$got', not '$want': $(tail -3 "$work/err")"
fi
if [ "$(tensors "$work/broken/model.safetensors")" = \
  "$(tensors "$work/whole/model.safetensors")" ]; then pass; else
  fail "$died kills" "another model"
fi
rows() { sed 's/,[0-9:]*$//' "$1"; }
if [ "$(rows "$work/whole.csv")" = "$(rows "$work/broken.csv")" ]; then pass; else
  fail "history.csv" "$(rows "$work/broken.csv") is not $(rows "$work/whole.csv")"
fi
echo "$died of $kills runs killed"
finish
