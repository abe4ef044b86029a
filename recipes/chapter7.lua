-- chapter7.lua -- the chapter "Training a State-of-the-Art Model", in order:
-- a baseline, normalisation, progressive resizing, test-time augmentation,
-- mixup, label smoothing; then the table of what each gave.
--
--   sota-lua recipes/chapter7.lua --data imagenette --arch xresnet50 \
--     --item-size 460 --size 224 --from 128
--
-- Without options: the demo data set at a small size, in minutes.
require "sota.all"

local opt = sota.options{
  "Runs the whole chapter and prints its table.",
  {"data", "demo", "\"demo\", \"imagenette\", \"imagenette-320\", \"imagenette-160\" or a folder with train/ and val/"},
  {"arch", "xresnet18", "the network", choices = sota.models.list()},
  {"size", 64, "height and width that the network sees"},
  {"item_size", 80, "height and width of images before they are augmented"},
  {"epochs", 5, "how often the training set is seen"},
  {"from", 32, "the small size of progressive resizing"},
  {"bs", 64, "images in a batch"},
  {"lr", 3e-3, "largest learning rate of the cycle"},
  {"seed", "integer", "where all random numbers come from", optional = true},
  {"workers", -1, "threads that read images; -1: one per core"},
  {"precision", "auto", "of the arithmetic", choices = {"auto", "f32", "bf16"}},
}
if opt.seed then sota.set("seed", opt.seed) end
sota.set("precision", opt.precision)

local path, rows = open_data(opt.data), {}

local function get_dls(bs, size, ...)
  return DataBlock{
    splitter = GrandparentSplitter{train_name = "train", valid_name = "val"},
    item_tfms = Resize(opt.item_size),
    batch_tfms = {aug_transforms{size = size, min_scale = 0.75}, ...},
  }:dataloaders(path, {bs = bs, workers = opt.workers})
end

local function new_learner(dls, options)
  options = options or {}
  options.metrics = accuracy
  return Learner(dls, sota.models[opt.arch]{n_out = dls.c}, options)
end

local function note(name, value, seconds)
  rows[#rows + 1] = ("%-22s %8.4f   %s"):format(name, value,
    sota.format_time(seconds))
end

-- train() trains a learner and returns it.
local function run(name, train)
  print("\n" .. name)
  local begin = os.time()
  local learn = train()
  note(name, learn:validate().accuracy, os.time() - begin)
  return learn
end

local function one_cycle(dls, options)
  return function()
    local learn = new_learner(dls, options)
    learn:fit_one_cycle(opt.epochs, opt.lr)
    return learn
  end
end

run("baseline", one_cycle(get_dls(opt.bs, opt.size)))

local stats = Normalize.from_stats(imagenet_stats)
local full = get_dls(opt.bs, opt.size, stats)
run("normalisation", one_cycle(full))

local learn = run("progressive resizing", function()
  local learn = new_learner(get_dls(2 * opt.bs, opt.from, stats))
  learn:fit_one_cycle(math.max(1, opt.epochs - 1), opt.lr)
  learn.dls = full
  learn:fine_tune(opt.epochs, opt.lr / 3)
  return learn
end)

local begin = os.time()
note("  and tta", accuracy(learn:tta()):item(), os.time() - begin)

run("mixup", one_cycle(full, {cbs = Mixup()}))
local smooth = LabelSmoothingCrossEntropy()
run("label smoothing", one_cycle(full, {loss_func = smooth}))
run("both", one_cycle(full, {loss_func = smooth, cbs = Mixup()}))

print("\n                       accuracy   time")
print(table.concat(rows, "\n"))
