#!/bin/bash
# check_path.sh -- --check of model files and folders, and the options about
# images and memory.
source "$(dirname "$0")/check.sh"
cd "$work" || exit 1

run() { out=$("$sota" "$@" 2>&1) && code=0 || code=$?; }
wants() { # NAME CODE TEXT...
  local name=$1 want=$2 text
  shift 2
  for text in "$@"; do
    case $out in
      *"$text"*) ;;
      *) fail "$name" "'$text' is not in: $out"; return ;;
    esac
  done
  [ "$code" = "$want" ] && pass || fail "$name" "exit code $code, not $want"
}

"$sota" - <<'END'
local core = require "sota.core"
core.data.demo("d", {train = 20, valid = 10, seed = 1})
core.safetensors.save("good.safetensors", {"a"}, {a = core.ones{2, 3}}, {classes = '["x","y"]'})
core.safetensors.save("nan.safetensors", {"a", "b"},
  {a = core.ones{2, 3}, b = core.tensor{1, 0/0, 1/0}})
END

run --check good.safetensors
wants "a good model" 0 "every byte is accounted for" "classes      2: x, y" "1, of 6 numbers" sound
run --check nan.safetensors
wants "NaN in a model" 1 "b: 2 of its 3 numbers are NaN or infinite" "1 problem"
head -c 60 good.safetensors >cut.safetensors
run --check cut.safetensors
wants "a model cut off" 1 "cut.safetensors is not a safetensors file"
run --check none.safetensors
wants "no such file" 1 "No such file"
run --check
wants "no path" 2 "a value is missing after '--check'"

run --check d
wants "a good folder" 0 "30, 0 cannot be" "copies       none" "star: train 2, valid 1" sound
mkdir -p d/val/star d/train/star
cp d/train/disc/*1.jpg d/val/star/copy.jpg
head -c 300 d/val/star/copy.jpg >d/train/star/cut.jpg
: >d/train/star/empty.png
ln -s loop.jpg d/train/star/loop.jpg
printf 'P6\n1 1\n255\nabc' >d/train/star/a.ppm
cp d/train/star/a.ppm "$(printf 'd/train/star/\377\376.jpg')"
run --check d
wants "a bad folder" 1 "cut.jpg: " "empty.png: the file is empty" \
  "a.ppm: a PNM file needs --allow-untrusted-images" \
  "leakage: the same image is for training and for validation" "copy.jpg" \
  "copies: "
run --allow-untrusted-images --check d
case $out in *"a PNM file needs"*) fail "--allow-untrusted-images" "$out" ;; *) pass ;; esac
mkdir e && run --check e
wants "an empty folder" 1 "no image"

run --doctor
wants "--doctor says what is blocked" 0 "blocked      PNM, BMP"
run --memory-limit 300MB -e 'require("sota.core").zeros{1000, 1000, 1000}'
wants "more than the limit" 1 "no memory on cpu for a tensor of 3814.7 MiB" "are in use" "are free"
run --memory-limit much -e 'x = 1'
wants "a limit that is none" 2 "a size such as 4GB or 500MB"
run -e 'require("sota.core").zeros{1 << 21, 1 << 21}'
wants "more than the machine has" 1 "MiB are free"

# --- os.exit wherever Lua is called back ---------------------------------------
cat >exits.lua <<'END'
local sota = require "sota"
local core, place, close = sota, arg[1], arg[2] == "close"
local function leave() os.exit(7, close) end
local Loader = {}
Loader.__index = Loader
function Loader:__len() return 2 end
function Loader:items() return 8 end
function Loader:spec()
  return {n = 2, batches = function(_, start)
    return function()
      if place == "loader" then leave() end
      if start >= 2 then return nil end
      start = start + 1
      return core.randn{4, 4}, core.tensor({1, 2, 3, 1}, {dtype = "i32"})
    end
  end}
end
local model = sota.nn.Sequential{sota.nn.Linear(4, 3)}
local o = {quiet = true}
if place == "loss" then o.loss_func = function(p) leave() return p:sum() end end
if place == "metric" then o.metrics = function() leave() end end
local learn = sota.Learner({train = setmetatable({}, Loader), valid = setmetatable({}, Loader),
  c = 3}, model, o)
if place == "scope" then core.scope(leave) end
if place == "no_grad" then core.no_grad(leave) end
if place == "coroutine" then coroutine.wrap(function() core.scope(leave) end)() end
if place == "gc" then setmetatable({}, {__gc = leave}) collectgarbage() end
if place == "images" then
  local data = sota.data
  local dls = data.DataBlock{splitter = data.GrandparentSplitter{valid_name = "val"},
    item_tfms = data.Resize(16)}:dataloaders("d", {bs = 5, workers = 2, on_bad_image = "skip"})
  for _ in dls.train:batches(1) do leave() end
end
learn:fit(1, {cbs = {[place] = leave}})
END
for place in before_fit before_batch after_pred after_loss before_step after_step after_epoch \
  after_fit loader loss metric images scope no_grad coroutine gc; do
  for close in close not; do
    run exits.lua "$place" "$close"
    wants "os.exit in $place, $close" 7
  done
done
finish
