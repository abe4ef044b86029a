-- train_step.lua -- a whole training step on a made-up batch: forward, smoothed
-- cross-entropy, backward, AdamW. Everything but the loading of images.
--
--   sota-lua tests/bench/train_step.lua [--arch xresnet50] [--size 128]
--     [--bs 64] [--precision auto] [--steps 6] [--json]
--
-- Two steps before do not count. Prints the median and the best, and the most
-- memory that the process had. tests/bench/peers/torch_step.py is the same in
-- PyTorch; compare.sh runs both.
require "sota.all"
local core = require "sota.core"
local profile = core.profile

local WARM_UP = 2

local opt = sota.options{
  "Times the training step of a network.",
  {"arch", "xresnet50", "the network", choices = sota.models.list()},
  {"size", 128, "height and width of the images"},
  {"bs", 64, "images in a batch"},
  {"precision", "auto", "of the arithmetic", choices = {"auto", "f32", "bf16"}},
  {"steps", 6, "steps that are timed"},
  {"json", false, "one line of JSON instead of a sentence"},
}
local ok, why = pcall(sota.set, "precision", opt.precision)
if not ok then
  io.stderr:write("train_step: ", tostring(why), "\n")
  os.exit(1)
end

-- The process's peak, in MiB.
local function peak_memory()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmHWM:%s+(%d+)"
    if kib then return tonumber(kib) // 1024 end
  end
end

local memory_before = peak_memory()
local CLASSES = 10
local labels = {}
for i = 1, opt.bs do labels[i] = (i - 1) % CLASSES + 1 end
local x = randn(opt.bs, opt.size, opt.size, 3):keep()
local y = tensor(labels, {dtype = "i32"}):keep()

-- What a Learner needs of a loader: the same batch over and over. It is asked
-- for the next one when a step is done, and so knows when steps end.
local ends = {}
local loader = setmetatable({}, {__len = function() return opt.steps end})

function loader:items() return opt.bs * (opt.steps + WARM_UP) end

function loader:spec()
  return {n = opt.steps + WARM_UP, batches = function()
    return function()
      ends[#ends + 1] = profile.clock()
      if #ends <= opt.steps + WARM_UP then return x, y end
    end
  end}
end

local learn = Learner({train = loader}, sota.models[opt.arch]{n_out = CLASSES}, {
  loss_func = LabelSmoothingCrossEntropy{eps = 0.1}, opt_func = AdamW,
})
learn.quiet = true
learn:fit(1, 1e-3)

local times = {}
for i = 1, opt.steps do times[i] = ends[i + WARM_UP + 1] - ends[i + WARM_UP] end
table.sort(times)
local best = opt.bs / times[1]
local median = opt.bs / times[#times // 2 + 1]

local result = {
  arch = opt.arch, size = opt.size, bs = opt.bs, steps = opt.steps,
  precision = sota.get "precision", threads = sota.get "threads",
  median = median, best = best, peak_rss_mib = peak_memory(),
  rss_before_mib = memory_before,
  loss = learn.recorder.losses[#learn.recorder.losses],
}
if opt.json then
  print(core.json.encode(result))
else
  print(("%s, %d px, batch %d, %s, %d threads: median %.1f img/s, best %.1f, "
    .. "%d MiB"):format(opt.arch, opt.size, opt.bs, result.precision,
    result.threads, median, best, result.peak_rss_mib))
end
