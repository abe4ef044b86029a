-- train.lua -- the same small training on the CPU and on another device: the
-- same losses, step by step.
--   sota-lua tests/cuda/train.lua [DEVICE] [STEPS] [PRECISION...]
require "sota.all"
local core = require "sota.core"
local device, steps = arg[1] or "cuda", tonumber(arg[2] or 4)
local precisions = arg[3] and {table.unpack(arg, 3)} or {"f32", "bf16"}

local function run(on, precision)
  core.set("device", on)
  core.set("seed", 5)
  core.set("precision", precision)
  local dls = DataBlock{
    blocks = {ImageBlock, CategoryBlock}, get_items = get_image_files,
    get_y = parent_label, splitter = GrandparentSplitter{valid_name = "val"},
    item_tfms = Resize(32),
    batch_tfms = {aug_transforms{size = 16}, Normalize.from_stats(imagenet_stats)},
  }:dataloaders(demo_data(), {bs = 4, seed = 3})
  local learn = Learner(dls, xresnet18{n_out = dls.c},
    {loss_func = LabelSmoothingCrossEntropy(), metrics = accuracy})
  local losses = {}
  local Stop = Callback{name = "stop", after_batch = function(_, l)
    losses[#losses + 1] = l.loss
    if #losses == steps then error(core.cancel.fit) end
  end}
  learn:fit_one_cycle(1, 1e-3, {cbs = Stop})
  return losses
end

local failures = 0
for _, precision in ipairs(precisions) do
  local want, got = run("cpu", precision), run(device, precision)
  local room = precision == "f32" and 2e-3 or 5e-2
  for i = 1, steps do
    local off = math.abs(want[i] - got[i])
    print(("%s step %d: cpu %.6f, %s %.6f"):format(precision, i, want[i], device, got[i]))
    if not (off <= room * want[i]) then failures = failures + 1 end
  end
end
os.exit(failures == 0)
