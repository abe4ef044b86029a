-- steps.lua -- a few steps of a small training on the default device: prints
-- each loss to the last bit, and the most memory in use after the third step
-- and at the end. check.sh compares two runs.
--   sota-lua --device cuda tests/gpu/steps.lua [STEPS] [SIZE] [BATCH]
require "sota.all"
local core = require "sota.core"
local steps, size, bs = tonumber(arg[1] or 12), tonumber(arg[2] or 32), tonumber(arg[3] or 16)
core.set("seed", 5)

local dls = DataBlock{
  blocks = {ImageBlock, CategoryBlock}, get_items = get_image_files,
  get_y = parent_label, splitter = GrandparentSplitter{valid_name = "val"},
  item_tfms = Resize(size),
  batch_tfms = {aug_transforms{size = size}, Normalize.from_stats(imagenet_stats)},
}:dataloaders(demo_data(), {bs = bs, seed = 3})
local learn = Learner(dls, xresnet18{n_out = dls.c}, {loss_func = LabelSmoothingCrossEntropy()})
learn.quiet = true

local n, early = 0, nil
learn:fit_one_cycle(1, 1e-3, {cbs = Callback{name = "watch", after_batch = function(_, l)
  n = n + 1
  print(("loss %d %a"):format(n, l.loss))
  local _, peak = core.memory()
  if n == 3 then early = peak end
  if n == steps then
    print("memory", early, peak)
    error(core.cancel.fit)
  end
end}})
