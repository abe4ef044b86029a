-- test_cifar.lua -- CIFAR-10's binary files as loaders, what a learner does with
-- them, and the recipe that is made for them.
require "sota.all"
local core = require "sota.core"
local check = require "check"
local cifar = require "cifar"
local demo = require "demo"

core.set("allow-untrusted-images", true) -- PNM is easy to write

core.set("precision", "f32") -- numbers are compared

local temporary <close> = demo.folder()
local folder = cifar.write(temporary.path .. "/set", 6)

local function loaders(options)
  local o = {bs = 10, workers = 0, seed = 1}
  for k, v in pairs(options or {}) do o[k] = v end
  return ImageDataLoaders.from_cifar10(folder, o)
end

check.test("items, classes and sizes", function()
  local dls = loaders()
  check.equal({dls.train:items(), dls.valid:items(), dls.c}, {30, 6, 3})
  check.equal(dls.vocab:totable(), cifar.names)
  check.equal(dls.train:counts(), {10, 10, 10})
  check.equal({#dls.train, #dls.valid}, {3, 1})
  check.equal({dls.train:size()}, {32, 32})
  local x, y = dls:one_batch()
  check.equal(x:shape(), {10, 32, 32, 3})
  check.equal(y:shape(), {10})
end)

-- Value of colour c at column x (from 1) of a record.
local function value(record, c, x)
  return record:byte(1 + (c - 1) * 1024 + x)
end

check.test("validation has the pixels of the files, normalised", function()
  local dls = loaders()
  local mean, std = table.unpack(cifar10_stats)
  for _, x, y in dls.valid:batches() do
    check.equal(y:totable(), {2, 3, 1, 2, 3, 1})
    for r = 1, 6 do
      local record = cifar.record(y[r] - 1, 60 + r)
      local got = x:select{dim = 1, index = r}:select{dim = 1, index = 5}:totable()
      for column = 1, 32 do
        for c = 1, 3 do
          check.close(got[column][c],
            (value(record, c, column) / 255 - mean[c]) / std[c], 1e-5)
        end
      end
    end
  end
end)

-- Row -> its image in an epoch.
local function images(dls, epoch)
  local by_row = {}
  for _, x, _, rows in dls.train:batches(epoch) do
    for i, row in ipairs(rows:totable()) do
      by_row[row] = x:select{dim = 1, index = i}:clone()
    end
  end
  return by_row
end

local function same(a, b)
  return (a - b):abs():max():item() < 1e-5
end

check.test("the flip alternates, and half of the images begin mirrored", function()
  local dls = loaders{item_tfms = {Resize(32), AlternatingFlip()}}
  local plain = loaders{item_tfms = Resize(32)}
  local original, mirrored = images(plain, 1), 0
  local epochs = {images(dls, 1), images(dls, 2), images(dls, 3)}
  local again = loaders{item_tfms = {Resize(32), AlternatingFlip()},
                                workers = 2}
  local fourth, fourth_again = images(dls, 4), images(again, 4)
  for row, x in pairs(original) do
    local flipped = x:flip{dims = {2}}
    local first = same(epochs[1][row], flipped)
    if first then mirrored = mirrored + 1 end
    assert(same(epochs[1][row], first and flipped or x))
    assert(same(epochs[2][row], first and x or flipped))
    assert(same(epochs[3][row], epochs[1][row]))
    assert(same(fourth[row], fourth_again[row]))
  end
  assert(mirrored > 7 and mirrored < 23, mirrored)
end)

check.test("the whole set stays in memory, at other sizes too", function()
  local own = cifar.write(temporary.path .. "/gone", 4)
  local dls = ImageDataLoaders.from_cifar10(own, {bs = 5, workers = 0})
  os.execute("rm -r '" .. own .. "'")
  local n = 0
  for _, x in dls.train:batches() do n = n + x:shape(1) end
  check.equal(n, 20)
  local small <close> = require("sota.data.resize").loader(dls.train, 16)
  for _, x in small:batches() do check.equal(x:shape(), {5, 16, 16, 3}) end
end)

check.test("a user's own transforms and statistics", function()
  local dls = loaders{item_tfms = Resize(24), batch_tfms = Normalize()}
  local x = dls:one_batch()
  check.equal(x:shape(), {10, 24, 24, 3})
  check.close(x:mean{1, 2, 3}, {0, 0, 0}, 0.5)
end)

-- The message of a folder that is wrong in one point.
local function wrong(name, change)
  local own = cifar.write(temporary.path .. "/wrong-" .. name, 2)
  change(own)
  local why = check.fails(own, ImageDataLoaders.from_cifar10, own)
  assert(not why:find "\n", why)
  return why
end

check.test("mistakes in the files name the file", function()
  local function has(text, want) assert(text:find(want, 1, true), text) end
  check.fails("no-such: there is no such folder", ImageDataLoaders.from_cifar10,
    folder .. "/no-such")
  has(wrong("missing", function(f) os.remove(f .. "/data_batch_4.bin") end),
    "data_batch_4.bin: No such file")
  has(wrong("cut", function(f)
    cifar.put(f, "data_batch_2.bin", cifar.record(0, 1):sub(1, 3000))
  end), "data_batch_2.bin: its 3000 bytes are not a number of records")
  has(wrong("cut between records", function(f)
    cifar.put(f, "test_batch.bin", cifar.record(0, 1))
  end), "test_batch.bin: 1 records, where others of its folder have 2")
  has(wrong("class", function(f)
    cifar.put(f, "data_batch_5.bin", cifar.record(0, 1) .. "\9"
      .. cifar.record(1, 1):sub(2))
  end), "data_batch_5.bin: record 2 is of class 9, but")
  check.fails("unknown option 'batchsize'", ImageDataLoaders.from_cifar10,
    folder, {batchsize = 3})
  check.fails("RandomCrop: option 'pad' must be a whole number", RandomCrop,
    {32, pad = 1.5})
  check.fails("pad must be from 0", RandomCrop, {32, pad = -1})
end)

-- --- the recipe ---------------------------------------------------------------

local function program()
  local link <close> = assert(io.popen "readlink /proc/$PPID/exe")
  return link:read "l"
end

local here = debug.getinfo(1, "S").source:match "^@(.*)tests/lua/[^/]*$"

local function run(arguments)
  local out <close> = io.popen(("%s %srecipes/cifar10_speedrun.lua %s 2>&1")
    :format(program(), here, arguments))
  local text = out:read "a"
  local ok, _, code = out:close()
  return text, ok and 0 or code
end

check.test("the recipe learns the set", function()
  local text, code = run(("--data %s --epochs 3.5 --bs 10 --seed 1 --precision f32 "
    .. "--workers 0 --out %s/a"):format(folder, temporary.path))
  assert(code == 0, text)
  local result = tonumber(text:match "\naccuracy (%d%.%d+)\n$")
  assert(result and result > 0.6, text) -- chance is a third
  assert(text:find("accuracy without tta", 1, true), text)
end)

check.test("what it saved predicts", function()
  local learner = load_learner(temporary.path .. "/a/model.safetensors")
  local picture = temporary.path .. "/green.ppm"
  local file = assert(io.open(picture, "wb"))
  file:write("P6\n40 40\n255\n", string.char(60, 200, 80):rep(1600))
  file:close()
  local label, class, p = learner:predict(picture)
  assert(cifar.names[class] == label)
  check.close(p:sum(), 1, 1e-5)
end)

check.test("the recipe takes folders of images, and says what is wrong", function()
  local images_folder = demo.write(temporary)
  local text, code = run(("--data %s --epochs 0.5 --bs 10 --workers 0 --no-tta "
    .. "--out %s/b"):format(images_folder, temporary.path))
  assert(code == 0 and text:find "\naccuracy %d", text)
  assert(not text:find("without tta", 1, true), text)
  text, code = run "--help"
  assert(code == 0 and text:find("--epochs", 1, true), text)
  text, code = run "--epoch 3"
  assert(code == 2 and text:find("did you mean --epochs?", 1, true), text)
  text, code = run "--data nowhere"
  assert(code == 1 and text:find("nowhere: there is no such folder", 1, true),
    text)
end)

check.done()
