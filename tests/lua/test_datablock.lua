-- DataBlock: from a folder to batches; and what it says when that fails.
local core = require "sota.core"
local sota = require "sota"
local check = require "check"
local demo = require "demo"

core.set("precision", "f32") -- numbers are compared

local data = sota.data
local folder <close> = demo.folder()
local path = demo.write(folder)

local function numbers(n)
  local t = {}
  for i = 1, n do t[i] = i end
  return t
end

-- --- splitters --------------------------------------------------------------

local function plus_one(list)
  local t = {}
  for i, v in ipairs(list) do t[i] = v + 1 end
  return t
end

check.test("RandomSplitter is fastai's, for the same seed", function()
  local want = check.golden "randperm".random_splitter_seed42_n13
  local train, valid = data.RandomSplitter{seed = 42}(numbers(13))
  check.equal(train:totable(), plus_one(want.train))
  check.equal(valid:totable(), plus_one(want.valid))
end)

check.test("RandomSplitter without a seed takes the run's", function()
  local function split(seed, pct)
    core.set("seed", seed)
    local _, valid = data.RandomSplitter(pct)(numbers(100))
    return valid:totable()
  end
  check.equal(split(3), split(3))
  assert(table.concat(split(3), " ") ~= table.concat(split(4), " "))
  check.equal({#split(3), #split(3, 0.35)}, {20, 35})
end)

check.test("splitters by place, function and folder", function()
  local files = data.get_image_files(path)
  check.equal(#files, 60)
  local train, valid = data.IndexSplitter{2, 60}(files)
  check.equal({#train, valid:totable()}, {58, {2, 60}})
  local is_ring = data.FuncSplitter(function(p) return p:find "/ring/" end)
  train, valid = is_ring(files)
  check.equal({#train, #valid}, {54, 6})
  train, valid = data.GrandparentSplitter{valid_name = "val"}(files)
  check.equal({#train, #valid}, {40, 20})
  check.fails("no file lies two levels below a folder named 'valid'; the "
    .. "folders there are 'train', 'val'", data.GrandparentSplitter(), files)
  check.fails("RandomSplitter: 'valid_pct' must be at least 0 and at most 1",
    data.RandomSplitter, 20)
  check.fails("unknown option 'sed'; did you mean 'seed'?", data.RandomSplitter,
    {sed = 1})
end)

-- --- blocks -----------------------------------------------------------------

check.test("the defaults: folders are classes, a fifth is for validation",
  function()
    local dls = data.DataBlock{item_tfms = data.Resize(16)}
      :dataloaders(path .. "/train", {bs = 8, seed = 1, workers = 0})
    check.equal({dls.train:items(), dls.valid:items(), dls.c}, {32, 8, 10})
    check.equal({#dls.train, #dls.valid}, {4, 1})
    local x, y = dls:one_batch()
    check.equal({x:shape(), y:shape(), x:dtype(), y:dtype()},
      {{8, 16, 16, 3}, {8}, "f32", "i32"})
    assert(x:min():item() >= 0 and x:max():item() <= 1)
  end)

check.test("get_items and get_x may be functions; labels too", function()
  local list = {}
  for i, class in ipairs{"ring", "star", "disc", "ring"} do
    local found = data.get_image_files(path .. "/train/" .. class)
    list[i] = {file = found:path(1), kind = class:upper()}
  end
  local dls = data.DataBlock{
    get_items = function(source) return source end,
    get_x = function(item) return item.file end,
    get_y = function(item) return item.kind end,
    splitter = data.FuncSplitter(function(item) return item == list[4] end),
    item_tfms = data.Resize(16),
  }:dataloaders(list, {bs = 1, workers = 0})
  check.equal(dls.vocab:totable(), {"DISC", "RING", "STAR"})
  for _, _, y in dls.valid:batches() do check.equal(y, {2}) end
end)

check.test("several labels of an image", function()
  local dls = data.DataBlock{
    blocks = {data.ImageBlock, data.MultiCategoryBlock},
    get_y = function(p)
      local class = data.parent_label(p)
      return class == "ring" and {"ring", "round"}
        or class == "disc" and {"round"} or {}
    end,
    item_tfms = data.Resize(16),
  }:dataloaders(path, {bs = 60, val_bs = 60, workers = 0, drop_last = false})
  check.equal(dls.vocab:totable(), {"ring", "round"})
  local sums = {0, 0}
  for _, dl in ipairs{dls.train, dls.valid} do
    for _, _, y in dl:batches() do
      local sum = y:sum{1}:totable()
      sums = {sums[1] + sum[1], sums[2] + sum[2]}
    end
  end
  check.equal(sums, {6, 12})
  local learn = sota.Learner(dls, demo.model(2), {quiet = true,
    metrics = sota.metrics.accuracy_multi})
  assert(tostring(learn.loss_func):find "BCE")
  learn:fit(1, 1e-3)
  check.equal(#learn.recorder.values, 1)

  local image = dls.valid.files:path(1)
  local labels, classes, p = learn:predict(image)
  for i, k in ipairs(classes) do check.equal(labels[i], dls.vocab[k]) end
  for k = 1, 2 do
    local named = classes[1] == k or classes[2] == k
    check.equal(named, p:totable()[k] > 0.5)
  end
  local file = learn:save(folder.path .. "/multi.safetensors")
  local alone = {sota.model_file.load_learner(file):predict(image)}
  check.equal(alone, {labels, classes, p:totable()})
end)

check.test("CategoryBlock{vocab} fixes the classes", function()
  local vocab = {"ring", "star", "moon"}
  local dls = data.DataBlock{
    blocks = {data.ImageBlock, data.CategoryBlock{vocab = vocab}},
    get_items = function(p)
      return data.get_image_files(p, {folders = {"ring", "star"}})
    end, item_tfms = data.Resize(16),
  }:dataloaders(path .. "/train", {bs = 2, workers = 0})
  check.equal(dls.vocab:totable(), vocab)
end)

-- --- in words ---------------------------------------------------------------

-- A DataBlock with these options, opened on a folder, fails with that.
-- in one sentence, told at the line of the user.
local function fails(want, options, source, loader_options)
  local o = {item_tfms = data.Resize(16)}
  for k, v in pairs(options) do o[k] = v end
  local why = check.fails(want, function()
    data.DataBlock(o):dataloaders(source or path, loader_options
      or {workers = 0})
  end)
  assert(why:find "^tests/lua/test_datablock.lua:%d+: " or
    why:find "^/.*/test_datablock.lua:%d+: ", why)
  assert(not why:find "\n", why)
end

check.test("folders", function()
  core.make_dirs(folder.path .. "/empty")
  fails("no images in " .. folder.path .. "/empty", {}, folder.path .. "/empty")
  fails(folder.path .. "/none: No such file", {}, folder.path .. "/none")
  fails("get_items gave 3; a list of items", {
    get_items = function() return 3 end})
  fails("get_items found no items", {get_items = function() return {} end})
  fails("item 1 gives 7, not the path of an image", {
    get_items = function() return {7} end})
end)

check.test("labels", function()
  fails("get_y gave nil for " .. path, {get_y = function() end})
  fails("get_y gave a table for", {get_y = function() return {"a"} end})
  fails("RegexLabeller: '(%d+)%.png$' does not match " .. path, {
    get_y = data.RegexLabeller "(%d+)%.png$"})
  fails("ring/0001.jpg has class 'ring', which is not one of the 9 classes of "
    .. "the training items: checkers, cross,", {
    splitter = data.FuncSplitter(function(p) return p:find "/ring/" end)})
  fails("which is not one of the 1 classes", {
    blocks = {data.ImageBlock, data.CategoryBlock{vocab = {"a"}}}})
end)

check.test("options", function()
  check.fails("DataBlock: unknown option 'item_tfm'; did you mean 'item_tfms'?",
    data.DataBlock, {item_tfm = data.Resize(16)})
  check.fails("blocks must be {ImageBlock, CategoryBlock}", data.DataBlock,
    {blocks = {data.CategoryBlock}})
  check.fails("item_tfms: Normalize works on batches; put it in batch_tfms",
    data.DataBlock, {item_tfms = data.Normalize()})
  check.fails("item_tfms: call Resize() to get the transform", data.DataBlock,
    {item_tfms = data.Resize})
  fails("dataloaders: unknown option 'batch_size'", {}, path, {batch_size = 3})
  fails("'bs' must be at least 1, not 0", {}, path, {bs = 0})
  fails("'on_bad_image' must be one of error, skip, not \"skp\"; did you mean "
    .. "'skip'?", {}, path, {on_bad_image = "skp"})
  fails("the splitter must return the rows", {splitter = function() end})
  check.fails("Resize: size must be from 1 to 16384, not 0", data.Resize, 0)
  check.fails("aug_transforms: unknown option 'min_scal'; did you mean "
    .. "'min_scale'?", data.aug_transforms, {min_scal = 1})
end)

check.test("crops that are enlarged: a warning", function()
  local function told(item, min_scale)
    return table.concat(check.warnings(function()
      data.DataBlock{item_tfms = data.Resize(item), batch_tfms =
        data.aug_transforms{size = 32, min_scale = min_scale}}:dataloaders(path,
        {workers = 0}):close()
    end))
  end
  assert(told(32, 0.75):find("enlarged to 32", 1, true), told(32, 0.75))
  assert(told(32, 0.75):find("such as Resize(37)", 1, true))
  check.equal(told(37, 0.75), "")
  check.equal(told(32, 1), "")
end)

check.test("images of several sizes need Resize", function()
  check.fails("add Resize(size) or RandomResizedCrop(size)", function()
    data.DataBlock{}:dataloaders(path, {workers = 0})
  end)
end)

check.test("a batch larger than the set is the whole set", function()
  local dls = data.DataBlock{item_tfms = data.Resize(16)}:dataloaders(path,
    {bs = 1000, workers = 0}) -- and a warning
  check.equal({#dls.train, dls.train.bs}, {1, 48})
  check.equal(dls:one_batch():shape(), {48, 16, 16, 3})
end)

check.test("nothing to train on", function()
  local all = data.FuncSplitter(function() return true end)
  fails("the split leaves no items to train with (60 to validate)",
    {splitter = all})
end)

check.test("an image that cannot be read: by name, or passed over", function()
  local bad = folder.path .. "/bad"
  os.execute(("cp -r '%s/train' '%s'"):format(path, bad))
  local file <close> = assert(io.open(bad .. "/ring/zzz.jpg", "wb"))
  file:write "no image"
  file:close()
  local function read(how)
    local dls = data.DataBlock{item_tfms = data.Resize(16)}:dataloaders(bad,
      {bs = 41, drop_last = false, workers = 2, seed = 2, on_bad_image = how})
    local n = 0
    for _, dl in ipairs{dls.train, dls.valid} do
      for _, x in dl:batches() do n = n + x:shape(1) end
    end
    local list = folder.path .. "/bad_images.csv"
    local skipped = dls:bad_images(list)
    local csv = data.read_csv(list)
    check.equal({#csv, csv[1].path, csv[1].reason}, {1, skipped[1].path, skipped[1].reason})
    assert(csv[1].path:find "zzz.jpg$" and csv[1].reason:find "not an image")
    return n, #dls.train:bad() + #dls.valid:bad()
  end
  check.fails("zzz.jpg", read, "error")
  check.equal({read "skip"}, {40, 1})
end)

check.test("cache: the same bits wherever images are kept", function()
  local function open(cache)
    return data.DataBlock{item_tfms = data.Resize(16)}:dataloaders(path,
      {bs = 4, workers = 0, seed = 2, cache = cache})
  end
  local function sums(dls)
    local list = {}
    for epoch = 1, 2 do
      for _, x in dls.train:batches(epoch) do
        list[#list + 1] = x:sum():item()
      end
    end
    return list
  end
  local plain = open(false)
  local want = sums(plain)
  check.equal({plain.train:cached()}, {0, 0})
  local auto = open()
  check.equal(sums(auto), want)
  local memory, disk = auto.train:cached()
  assert(memory > 0 and disk == 0, "a small set stays in memory")
  for _ = 1, 2 do -- the second finds the file
    local filed = open{memory = 0, disk = 100, folder = path .. "/../kept"}
    check.equal(sums(filed), want)
    memory, disk = filed.train:cached()
    assert(memory == 0 and disk > 0)
    filed.train.o.decoded:close()
    filed:close()
  end
  check.fails("'cache' must be one of auto, not \"disc\"", open, "disc")
  check.fails("cache: unknown option 'memroy'; did you mean 'memory'", open,
    {memroy = 1})
  check.fails("must be at least 0", open, -1)
end)

check.test("what prints", function()
  local block = data.DataBlock{item_tfms = data.Resize(16)}
  assert(tostring(block):find("Resize{", 1, true))
  local text = tostring(block:dataloaders(path, {bs = 8, workers = 0}))
  assert(text:find "48 items, 6 batches of 8, 16x16" and text:find "triangle",
    text)
end)

check.done()
