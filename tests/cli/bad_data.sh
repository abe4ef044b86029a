#!/bin/bash
# bad_data.sh -- files that vanish, change or may not be read while a training
# runs; what a user who is not root may not read; the list at the end.
source "$(dirname "$0")/check.sh"
cd "$work" || exit 1
chmod 755 "$work"

cat >train.lua <<'END'
require "sota.all"
local core = require "sota.core"
local how, harmful, seen = arg[1], arg[2] == "harm", {}
sota.set("seed", 1)
local dls = DataBlock{splitter = GrandparentSplitter{valid_name = "val"},
  item_tfms = Resize(16)}:dataloaders("d", {bs = 6, drop_last = false,
    workers = 2, on_bad_image = how, cache = false})
local function in_train(k)
  for i = 1, #dls.train.files do
    local path = dls.train.files:path(i)
    if path:find "/train/" then k = k - 1 end
    if k == 0 then return path end
  end
end
local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end
local function harm() -- between the second and the third epoch
  assert(os.remove(in_train(1)))
  write(in_train(2), "")
  write(in_train(3), "no image any more")
  assert(os.rename(in_train(4), in_train(4) .. ".away"))
  local file <close> = io.open(in_train(5), "rb")
  local text = file:read "a"
  write(in_train(6), text:sub(1, #text // 2))
  write(in_train(7), text) -- another image: no fault
end
local model = nn.Sequential{nn.Flatten(), nn.Linear(16 * 16 * 3, dls.c)}
local learn = Learner(dls, model, {quiet = true, cbs = {
  before_epoch = function(_, l) if harmful and l.epoch == 3 then harm() end end,
  after_batch = function(_, l)
    if l.training then seen[l.epoch] = (seen[l.epoch] or 0) + l.bs end
  end}})
learn:fit(4, 1e-3)
local list = dls:bad_images "bad_images.csv"
for _, b in ipairs(list) do print(b.set, (b.reason:gsub("^.*/", ""))) end
print("images " .. table.concat(seen, " "))
END
make() {
  rm -rf d bad_images.csv
  "$sota" -e 'require("sota.core").data.demo("d", {train = 40, valid = 10, seed = 1})'
}
has() { # NAME FILE PATTERN...
  local name=$1 file=$2
  shift 2
  for pattern in "$@"; do
    grep -q "$pattern" "$file" || { fail "$name" "no '$pattern': $(cat "$file")"; return; }
  done
  pass
}

make
try "they vanish and change: left out" 0 '*images 40 40 35 35' '*' "$sota" train.lua skip harm
has "the reasons" out 'No such file' 'the file is empty' 'not an image'
has "the list" bad_images.csv '^path,set,reason$' 'd/train/.*,train,.*No such file' \
  'the file is empty' 'not an image'
[ "$(wc -l <bad_images.csv)" = 6 ] && pass || fail "the list" "$(cat bad_images.csv)"
[ "$(grep -c 'No such file' err)" = 2 ] && pass || fail "said once each" "$(cat err)"
make
try "they vanish and change: an error" 1 '' '*d/train/*.jpg: *' "$sota" train.lua error harm
make
try "none is bad" 0 'images 40 40 40 40' '' "$sota" train.lua skip
[ -e bad_images.csv ] && fail "none is bad" "a list" || pass

# As someone else, where we are root; who may not be able to read our folders,
# but an installed copy.
other=()
if [ "$(id -u)" = 0 ]; then
  other=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  cmake --install "${BUILD_DIR:?}" --prefix "$work/usr" >/dev/null
  sota=$work/usr/bin/sota-lua
fi
if "${other[@]}" "$sota" -e 'require "sota.all"' 2>err; then
  make
  mkdir d/train/locked
  cp d/train/disc/*1.jpg d/train/locked
  secret=$(ls d/train/ring/*.jpg | head -1)
  chmod 000 d/train/locked "$secret"
  chmod 777 .
  try "not readable: left out" 0 '*train*Permission denied*images 39 39 39 39' \
    '*d/train/locked: Permission denied: its files are left out*' "${other[@]}" "$sota" train.lua skip
  has "the list" bad_images.csv "^$secret,train,.*Permission denied"
  try "not readable: an error" 1 '' "*$secret*Permission denied*" "${other[@]}" "$sota" train.lua error
  "${other[@]}" "$sota" --check d >out 2>&1
  has "--check" out "1 folder could not be read" "$secret.*Permission denied"
  chmod 755 d/train/locked
else
  echo "no other user may run $sota: not tested as one"
fi
finish
