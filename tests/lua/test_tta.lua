-- test_tta.lua -- Learner:tta: tta.json through a loader of logits, and the
-- transforms of training over real files.
local core = require "sota.core"
local check = require "check"
local demo = require "demo"

core.set("precision", "f32") -- numbers are compared
require "sota.all"

local temporary <close> = demo.folder()
local folder = demo.write(temporary)

-- --- the combination: a loader whose epoch p has the logits of pass p -------

local golden = check.golden "tta"

-- Softmax gives the probabilities back.
local function logits(p) return core.tensor(p):log() end

local Passes = {}
Passes.__index = Passes
function Passes:__len() return 2 end
function Passes:items() return 2 end
function Passes:with(o) return setmetatable({train = o.train}, Passes) end

function Passes:spec(epoch_of)
  return {n = 2, batches = function(epoch)
    local p = self.train and golden.aug[epoch_of(epoch)] or golden.plain
    local row = 0
    return function()
      row = row + 1
      if row > 2 then return nil end
      return logits{p[row]}, core.tensor({row}, {dtype = "i32"})
    end
  end}
end

local function golden_learner()
  local dl = setmetatable({}, Passes)
  return Learner({train = dl, valid = dl}, nn.Identity(), {quiet = true})
end

check.test("the golden combinations", function()
  local learn = golden_learner()
  local preds, targs = learn:tta()
  check.close(preds, golden["beta0.25"], 1e-6)
  check.equal(targs, {1, 2})
  for _, beta in ipairs{0, 0.25, 0.5, 1} do
    local want = golden["beta" .. tostring(beta):gsub("%.0$", "")]
    check.close(learn:tta{n = 4, beta = beta}, want, 1e-6, "beta " .. beta)
  end
  check.close(learn:tta{use_max = true}, golden.use_max, 1e-6)
  check.close(learn:tta{beta = 1 / 5}, golden.book_equal_mean_of_5, 1e-6)
end)

check.test("beta = false gives both", function()
  local augmented, plain, targs = golden_learner():tta{beta = false}
  check.close(augmented, golden.mean_aug, 1e-6)
  check.close(plain, golden.plain, 1e-6)
  check.equal(targs, {1, 2})
end)

check.test("metrics take probabilities", function()
  local preds, targs = golden_learner():tta()
  check.close(accuracy(preds, targs):item(), 0.5, 1e-6)
end)

-- --- files ------------------------------------------------------------------

local function loaders(item_tfms, batch_tfms, bs)
  return DataBlock{
    splitter = GrandparentSplitter{valid_name = "val"},
    item_tfms = item_tfms, batch_tfms = batch_tfms,
  }:dataloaders(folder, {bs = bs or 8, workers = 0, seed = 3})
end

local function learner(dls)
  return Learner(dls, demo.model(dls.c), {quiet = true, metrics = accuracy})
end

check.test("equal passes add up to the plain one", function()
  local learn = learner(loaders(Resize{32, method = "squish"}))
  local plain, targs = learn:get_preds()
  local preds, same = learn:tta{n = 3}
  check.close(preds, plain, 1e-5)
  check.equal(same, targs:totable())
end)

check.test("passes draw differently, and the same again", function()
  local learn = learner(loaders(RandomResizedCrop(32), aug_transforms{}))
  local first = learn:tta{n = 1, beta = 0}
  local two = learn:tta{n = 2, beta = 0}
  local second = two * 2 - first
  assert((first - second):abs():max():item() > 1e-4, "passes are alike")
  check.close(learn:tta{n = 2, beta = 0}, two, 0)
end)

check.test("the mode and quiet are as before; mixup has no say", function()
  local dls = loaders(Resize(32))
  local learn = learner(dls)
  local before = learn:tta{n = 1}
  learn.cbs = {Mixup()}
  learn.quiet = true
  check.close(learn:tta{n = 1}, before, 0)
  check.equal(learn.quiet, true)
end)

check.test("the training set, in its own order and whole", function()
  local dls = loaders(Resize(32), nil, 16)
  local preds, targs = learner(dls):tta{ds_idx = 1, n = 1}
  check.equal(preds:shape(), {40, 10})
  local want = {}
  for i = 1, 40 do want[i] = (i - 1) // 4 + 1 end
  check.equal(targs, want)
end)

check.test("a test loader without labels", function()
  local dls = loaders(Resize{32, method = "squish"}) -- draws nothing
  local learn = learner(dls)
  local paths = get_image_files(folder .. "/val")
  local preds, targs = learn:tta{dl = dls:test_dl(paths), n = 2}
  check.equal(preds:shape(), {20, 10})
  check.equal(targs, nil)
  check.close(preds, learn:tta{n = 2}, 1e-5)
end)

check.test("kept images change no bit", function()
  local item_tfms = {RandomResizedCrop(8), FlipItem()} -- shrinks on load
  local learn = learner(loaders(item_tfms))
  local want = learn:tta{n = 2, cache = 0}
  check.close(learn:tta{n = 2}, want, 0)
  check.close(learn:tta{n = 2, cache = 1}, want, 0)
  local dls = DataBlock{
    splitter = GrandparentSplitter{valid_name = "val"},
    item_tfms = item_tfms,
  }:dataloaders(folder, {bs = 8, workers = 0, seed = 3, cache = 64})
  learn.dls = dls
  check.close(learn:tta{n = 2}, want, 0)
  assert(dls.valid.o.decoded:bytes() > 0, "nothing was kept")
end)

check.test("views: the image and its mirror image", function()
  local dls = loaders(Resize(32))
  local learn = learner(dls)
  local x = dls.valid:one_batch()
  local want = core.no_grad(function()
    learn.model:eval()
    return (learn.model(x):softmax(-1)
      + learn.model(x:flip{dims = {3}}):softmax(-1)) / 2
  end)
  local preds, targs = learn:tta{views = "flip"}
  check.equal(preds:shape(), {20, 10})
  check.equal(targs:shape(), {20})
  check.close(preds:slice{dim = 1, first = 1, last = 8}, want, 1e-5)
end)

check.test("views: five and ten crops", function()
  local dls = loaders(Resize(40), aug_transforms{size = 32, min_scale = 0.75})
  local learn = learner(dls)
  local five = learn:tta{views = "fivecrop"}
  local ten = learn:tta{views = "tencrop"}
  check.equal(five:shape(), {20, 10})
  check.close(ten:sum(-1), core.ones{20}, 1e-5)
  assert((five - ten):abs():max():item() > 1e-6, "crops were not mirrored")
end)

check.test("mistakes", function()
  local learn = golden_learner()
  check.fails("'n' must be at least 1", learn.tta, learn, {n = 0})
  check.fails("did you mean 'beta'?", learn.tta, learn, {bta = 1})
  check.fails("beta is a number, or false", learn.tta, learn, {beta = true})
  check.fails("must be one of flip, fivecrop, tencrop", learn.tta, learn,
    {views = "flop"})
  check.fails("need a loader of images", learn.tta, learn, {views = "flip"})
  check.fails("dl must be a loader", learn.tta, learn, {dl = {}})
end)

check.test("other transforms for the passes", function()
  local stats = Normalize.from_stats(imagenet_stats)
  local dls = loaders(Resize{32, method = "squish"},
    {aug_transforms{size = 32}, stats})
  local learn = learner(dls)
  local plain = learn:get_preds()
  -- nothing random in them: all passes are the plain one, normalised as before
  check.close(learn:tta{n = 2, batch_tfms = {}}, plain:totable(), 1e-5)
  check.close(learn:tta{n = 1, batch_tfms = Flip{p = 0}, views = "flip"},
    learn:tta{views = "flip"}:totable(), 1e-5)
  -- as a loader made with them
  local other = loaders(Resize{48, method = "squish"}, {stats})
  check.close(learn:tta{n = 1, item_tfms = Resize{48, method = "squish"},
    batch_tfms = {}}, learn:get_preds{dl = other.valid}:totable(), 1e-5)
  check.fails("tta: unknown option 'item_tfm'", learn.tta, learn,
    {item_tfm = Resize(48)})
  check.fails("Resize works on single images; put it in item_tfms", learn.tta,
    learn, {batch_tfms = Resize(48)})
  check.fails("need a loader of images", golden_learner().tta,
    golden_learner(), {batch_tfms = {}})
end)

check.test("views of any loader", function()
  local dls = loaders(Resize(32), aug_transforms{size = 32})
  local learn = learner(dls)
  local preds, targs = learn:tta{dl = dls.train, views = "flip"}
  check.equal({preds:shape(1), targs:shape(1)},
    {dls.train:items(), dls.train:items()})
  local test = dls:test_dl{dls.valid.files:path(1), dls.valid.files:path(2),
                           dls.valid.files:path(3)}
  for _, views in ipairs{"flip", "fivecrop", "tencrop"} do
    local p, none = learn:tta{dl = test, views = views}
    check.equal({p:shape(1), none}, {3})
  end
end)

check.done()
