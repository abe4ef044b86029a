-- test_progressive.lua -- ProgressiveResize and learn.dls = other.
local check = require "check"
local demo = require "demo"
require "sota.all"

local temporary <close> = demo.folder()
local folder = demo.write(temporary)

-- --- sizes over epochs ------------------------------------------------------

-- {options, to, n_epoch, sizes}
local tables = {
  {{from = 64, to = 128, start = 0.3, finish = 0.8, step = 32}, 128, 10,
   {64, 64, 64, 64, 64, 96, 96, 128, 128, 128}},
  {{from = 128, to = 224}, 224, 10,
   {128, 128, 128, 128, 160, 160, 192, 192, 224, 224}},
  {{from = 128, to = 224, start = 0, finish = 1}, 224, 4,
   {128, 160, 192, 224}}, -- the last epoch is at the full size
  {{from = 128, to = 224, start = 0.5, finish = 0.5}, 224, 4,
   {128, 128, 224, 224}},
  {{from = 128, to = 224, start = 0, finish = 0}, 224, 2, {224, 224}},
  {{from = 100, to = 224, step = 50, start = 0, finish = 0.8}, 224, 5,
   {100, 150, 150, 200, 224}},
  {{from = 128, to = 128}, 128, 3, {128, 128, 128}},
  {{from = 128, to = 224}, 224, 1, {128}},
}

check.test("sizes over epochs", function()
  for i, row in ipairs(tables) do
    local cb, got = ProgressiveResize(row[1]), {}
    for epoch = 1, row[3] do got[epoch] = cb:size_at(epoch, row[3], row[2]) end
    check.equal(got, row[4], "row " .. i)
  end
end)

-- --- in a fit ---------------------------------------------------------------

local function loaders(size, item_size, bs)
  return DataBlock{
    splitter = GrandparentSplitter{valid_name = "val"},
    item_tfms = Resize(item_size or size),
    batch_tfms = {aug_transforms{size = size, min_scale = 0.75}, Normalize()},
  }:dataloaders(folder, {bs = bs or 16, workers = 0, seed = 3})
end

local function learner(dls, options)
  local o = {quiet = true, metrics = accuracy}
  for k, v in pairs(options or {}) do o[k] = v end
  return Learner(dls, demo.model(dls.c), o)
end

-- Notes the shapes of the batches of training and of validation.
local function watcher()
  local seen = {train = {}, valid = {}, n = {}}
  seen.cb = {order = 2, before_batch = function(_, learn)
    local which = learn.training and seen.train or seen.valid
    which[#which + 1] = table.concat(learn.xb:shape(), "x")
    if learn.training and learn.iter == 1 then
      seen.n[#seen.n + 1] = learn.n_iter
    end
  end}
  return seen
end

check.test("sizes of batches: training grows, validation is full", function()
  local dls, seen = loaders(64, 80), watcher()
  local learn = learner(dls)
  local resize = ProgressiveResize{from = 32, step = 16, start = 0,
                                   finish = 0.7}
  learn:fit(3, 1e-3, {cbs = {seen.cb, resize}})
  check.equal(resize.sizes, {32, 48, 64})
  check.equal(seen.train, {"16x32x32x3", "16x32x32x3", "16x48x48x3",
                           "16x48x48x3", "16x64x64x3", "16x64x64x3"})
  for _, shape in ipairs(seen.valid) do
    assert(shape:find "x64x64x3$", shape)
  end
  check.equal({dls.train:size()}, {64, 64})
  check.equal(learn.epochs_done, 3)
end)

check.test("the decoded images are small too", function()
  local resize = require "sota.data.resize"
  local dls = loaders(64, 80)
  local small <close> = resize.loader(dls.train, 32)
  check.equal({small.source:size()}, {40, 40})
  check.equal({small:size()}, {32, 32})
  check.equal({small.augment:statistics()}, {dls.train.augment:statistics()})
  local wide <close> = resize.loader(loaders({32, 64}, {40, 80}).train, 32)
  check.equal({wide.source:size()}, {20, 40})
  check.equal({wide:size()}, {16, 32})
end)

check.test("bs = memory: as many pixels in a batch", function()
  local dls, seen = loaders(64, 64, 8), watcher()
  learner(dls):fit(2, 1e-3, {cbs = {seen.cb, ProgressiveResize{from = 32,
    start = 0, finish = 0.5, bs = "memory"}}})
  check.equal(seen.train[1], "32x32x32x3")
  check.equal(seen.train[#seen.train], "8x64x64x3")
  check.equal(seen.n, {1, 5})
end)

check.test("an error in the middle leaves the full size", function()
  local dls = loaders(64)
  local learn = learner(dls)
  local resize = ProgressiveResize{from = 32}
  local bad = {before_batch = function() error "broken" end}
  check.fails("broken", learn.fit, learn, 2, 1e-3, {cbs = {resize, bad}})
  assert(resize.current == dls.train)
  check.equal({dls.train:size()}, {64, 64})
end)

check.test("mistakes", function()
  check.fails("'from' (224) is larger than 'to' (128)", ProgressiveResize,
    {from = 224, to = 128})
  check.fails("'start' (0.9) is after 'finish' (0.8)", ProgressiveResize,
    {start = 0.9})
  check.fails("did you mean 'finish'?", ProgressiveResize, {finsh = 1})
  check.fails("'from' must be at least 1", ProgressiveResize, {from = 0})
  local learn = learner(loaders(32))
  check.fails("'from' is 128, but the training images are only 32", learn.fit,
    learn, 1, 1e-3, {cbs = ProgressiveResize})
end)

-- --- other data in the middle -----------------------------------------------

check.test("learn.dls = other keeps the model and its optimiser", function()
  local learn = learner(loaders(32))
  learn:fit_one_cycle(1, 1e-3)
  local opt = learn.opt
  learn.dls = loaders(48)
  check.equal({learn.dls.train:size()}, {48, 48})
  learn:fit_one_cycle(1, 1e-3)
  assert(learn.opt == opt, "the optimiser was made anew")
end)

check.test("other classes are refused", function()
  local learn = learner(loaders(32))
  local other = DataBlock{
    get_y = function(path) return path:find "d" and "a" or "b" end,
    item_tfms = Resize(32),
  }:dataloaders(folder, {bs = 8, workers = 0})
  local function set(dls) learn.dls = dls end
  check.fails("made for the classes checkers, cross", set, other)
  check.fails("learn.dls must be DataLoaders, not 3", set, 3)
end)

check.done()
