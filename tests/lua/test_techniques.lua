-- test_techniques.lua -- every combination of the techniques trains, and learns
-- an easy set better than chance: 4 colours, 12 and 4 pictures of each.
require "sota.all"
local core = require "sota.core"
local check = require "check"
local demo = require "demo"

core.set("allow-untrusted-images", true) -- PNM is easy to write

local folder <close> = demo.folder()

local colours = {red = {220, 40, 30}, green = {30, 200, 60},
                 blue = {40, 50, 210}, white = {230, 230, 220}}

-- A picture of one colour, a little different in each.
local function write(set, class, number)
  local dir = ("%s/%s/%s"):format(folder.path, set, class)
  core.make_dirs(dir)
  local bytes = {}
  for c, v in ipairs(colours[class]) do
    bytes[c] = string.char((v + 7 * number + 3 * c) % 25 + v - v % 25)
  end
  local file <close> = assert(io.open(dir .. "/" .. number .. ".ppm", "wb"))
  file:write("P6\n24 20\n255\n", table.concat(bytes):rep(24 * 20))
end

for class in pairs(colours) do
  for number = 1, 16 do
    write(number <= 12 and "train" or "valid", class, number)
  end
end

local function loaders()
  return DataBlock{
    splitter = GrandparentSplitter(), item_tfms = Resize(20),
    batch_tfms = {aug_transforms{size = 16, min_scale = 0.75}, Normalize()},
  }:dataloaders(folder.path, {bs = 8, workers = 0, seed = 1})
end

local function model(c)
  return Sequential{ConvLayer(3, 16, {stride = 2}), ConvLayer(16, 16),
                    AdaptiveAvgPool(1), Flatten(), Linear(16, c)}
end

-- Of the techniques that are on: a learner, trained, and its accuracy.
local function train(on)
  core.set("seed", 1)
  core.set("precision", on.bf16 and "bf16" or "f32")
  local dls <close> = setmetatable({dls = loaders()},
    {__close = function(t) t.dls:close() end})
  local cbs = {on.mixup and Mixup() or nil}
  cbs[#cbs + 1] = on.sizes and ProgressiveResize{from = 8, step = 4} or nil
  cbs[#cbs + 1] = on.ema and EMA{decay = 0.8} or nil
  local learn = Learner(dls.dls, model(dls.dls.c), {
    loss_func = on.smoothing and LabelSmoothingCrossEntropy()
      or CrossEntropyLossFlat(),
    metrics = accuracy, cbs = cbs, quiet = true})
  learn:fit_one_cycle(5, 3e-2)
  if not on.tta then return learn:validate().accuracy end
  return accuracy(learn:tta{n = 2}):item()
end

local techniques = {"mixup", "smoothing", "sizes", "tta", "ema"}
if pcall(core.set, "precision", "bf16") then -- where the device has it
  techniques[#techniques + 1] = "bf16"
end

for code = 0, (1 << #techniques) - 1 do
  local on, names = {}, {}
  for i, name in ipairs(techniques) do
    on[name] = code >> (i - 1) & 1 == 1
    if on[name] then names[#names + 1] = name end
  end
  local title = #names > 0 and table.concat(names, ", ") or "none of them"
  check.test(title, function()
    local got = train(on)
    assert(got > 0.5, ("accuracy %.4f, chance is 0.25"):format(got))
  end)
end

core.set("precision", "auto")
check.done()
