-- The chapter's way of training, in small, as it is typed: progressive resizing
-- with fine_tune, then what is looked at afterwards.
require "sota.all"
local core = require "sota.core"
local check = require "check"
local demo = require "demo"

local folder <close> = demo.folder()
local dir = demo.write(folder)

local function get_dls(bs, size)
  return DataBlock{
    blocks = {ImageBlock, CategoryBlock}, get_items = get_image_files,
    get_y = parent_label, splitter = GrandparentSplitter{valid_name = "val"},
    item_tfms = Resize(64),
    batch_tfms = {aug_transforms{size = size, min_scale = 0.75},
                  Normalize.from_stats(imagenet_stats)},
  }:dataloaders(dir, {bs = bs, workers = 1, seed = 1})
end

-- A small network on purpose: this is about the learner.
local function model(c)
  return Sequential{ConvLayer(3, 8, {stride = 2}), ConvLayer(8, 16, {stride = 2}),
                    AdaptiveAvgPool(1), Flatten(), Linear(16, c)}
end

check.test("progressive resizing", function()
  core.set("seed", 1)
  local dls = get_dls(8, 32)
  local learn = Learner(dls, model(dls.c), {loss_func = CrossEntropyLossFlat(),
    metrics = {accuracy, f1_score}, quiet = true, path = dir})
  learn:fit_one_cycle(1, 3e-3)
  learn.dls = get_dls(4, 48)
  learn:fine_tune(1, 1e-3)
  check.equal(learn.epochs_done, 3)
  local found, why = learn:lr_find{num_it = 12, start_lr = 1e-4}
  assert(found or why)
  check.equal(learn.epochs_done, 3)
  dls:close()
  learn.dls:close()
end)

check.test("what is validated is what SaveModel leaves in the file and the model", function()
  core.set("seed", 1)
  local dls = get_dls(8, 32)
  local learn = Learner(dls, model(dls.c), {quiet = true, path = dir,
    splitter = function(m) return {{m[1], m[2]}, {m[5]}} end,
    cbs = {EMA{decay = 0.9}, SaveModel{fname = "best"}}})
  learn:fine_tune(3, 1e-2)
  local best
  for _, row in ipairs(learn.recorder.values) do
    best = math.min(best or math.huge, row.valid_loss)
  end
  check.close(learn:validate().valid_loss, best, 1e-6)
  local other = Learner(dls, model(dls.c), {quiet = true, path = dir})
  other:load "best"
  check.close(other:validate().valid_loss, best, 1e-6)
  dls:close()
end)

check.test("interpretation knows the files", function()
  local dls = get_dls(8, 32)
  local learn = Learner(dls, model(dls.c), {quiet = true})
  local interp = Interpretation.from_learner(learn)
  local worst = interp:top_losses(1)[1]
  check.equal(worst.path:match "([^/]+)/[^/]+$", worst.actual)
  assert(io.open(worst.path)):close()
  check.equal(interp:confusion_matrix():sum():item(), 20)
  assert(tostring(interp):find(dls.vocab[1], 1, true))
  dls:close()
end)

check.done()
