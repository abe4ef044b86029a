-- soak.lua SECONDS FOLDER -- trains over and over on the demo set with everything
-- switched on, and looks after each round at what the process holds: memory, open
-- files, threads. Ends with 1 if one of them grows. soak.sh runs it.
require "sota.all"
local core = require "sota.core"
local seconds, folder = tonumber(arg[1]), arg[2]
local LEAST = 6 -- rounds, however long they take
local MIB = 16 -- by which memory may grow; see grown()

-- --- what the process holds --------------------------------------------------------

local function status(key)
  for line in io.lines "/proc/self/status" do
    local n = line:match("^" .. key .. ":%s+(%d+)")
    if n then return tonumber(n) end
  end
end

local function sample()
  collectgarbage()
  collectgarbage()
  return {rss = status "VmRSS" / 1024, threads = status "Threads",
          fds = #core.list_dir "/proc/self/fd", tensors = core.live_tensors(),
          lua = collectgarbage "count" / 1024}
end

-- --- a round -------------------------------------------------------------------------

local path = demo_data()

local function some_images(root)
  local list, files = {}, get_image_files(root)
  for i = 1, #files, 24 do list[#list + 1] = files:path(i) end
  return list
end

local function loaders(round)
  return DataBlock{
    blocks = {ImageBlock, CategoryBlock}, get_items = some_images,
    get_y = parent_label, splitter = GrandparentSplitter{valid_name = "val"},
    item_tfms = Resize(32),
    batch_tfms = {aug_transforms{size = 24}, Normalize.from_stats(imagenet_stats)},
  }:dataloaders(path, {bs = 16, workers = round % 3})
end

local function model(n_out)
  return nn.Sequential{nn.ConvLayer(3, 16), nn.ResBlock(1, 16, 32, {stride = 2}),
    nn.AdaptiveAvgPool(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(32, n_out)}
end

local function callbacks(round, out)
  return {round % 2 == 0 and Mixup(0.4) or CutMix(), EMA(0.9), GradientClip(1),
    round % 4 == 1 and GradientAccumulation(32) or false, TerminateOnNaN,
    Checkpoint{out .. "/checkpoint", every = "2 batches"},
    CSVLogger{fname = out .. "/log.csv"}, JSONLogger(out .. "/log.jsonl"),
    TensorBoard{folder = out .. "/runs", histograms = true},
    Report{fname = out .. "/report.html"},
    SaveModel{fname = "best"}, ProgressiveResize{from = 16, to = 24, step = 4}}
end

local function quietly(f, ...)
  local old = warn
  warn = function() end
  local back <close> = setmetatable({}, {__close = function() warn = old end})
  return f(...)
end

local function one_round(round)
  local out = folder .. "/round"
  core.make_dirs(out)
  local dls <close> = loaders(round)
  local checkpoints
  local cbs = callbacks(round, out)
  for _, cb in ipairs(cbs) do
    if type(cb) == "table" and cb.resume_fit and cb.finish then checkpoints = cb end
  end
  local learn = Learner(dls, model(dls.c), {metrics = accuracy, quiet = true,
    path = out, cbs = cbs,
    precision = round % 2 == 0 and core.can_bf16() and "bf16" or "f32"})
  learn:fit_one_cycle(2, 1e-2)
  learn:lr_find{num_it = 8}
  learn:tta{n = 1}
  learn:predict(some_images(path)[1])
  learn:load(learn:save "model")
  pcall(learn.fit, learn, 1, 1e-2, {cbs = {after_step = function() error "broken" end}})
  checkpoints:finish()
  learn.opt:close()
  os.execute("rm -rf '" .. out .. "'")
end

-- --- over and over -------------------------------------------------------------------

local function median(list, key, first, last)
  local values = {}
  for i = first, last do values[#values + 1] = list[i][key] end
  table.sort(values)
  return values[#values // 2 + 1]
end

-- Caches fill in the first third; after it the middle of the run and its end must
-- hold alike. Memory that is in use goes up and down by some MiB.
local function grown(list)
  local n = #list
  local third = n // 3
  local bad = {}
  for key, slack in pairs{rss = MIB, threads = 0, fds = 0, tensors = 0, lua = 1} do
    local before = median(list, key, third + 1, 2 * third)
    local after = median(list, key, n - third + 1, n)
    if after > before + slack then
      bad[#bad + 1] = ("%s: %.1f in the middle, %.1f at the end"):format(key, before, after)
    end
  end
  return bad
end

local function line(label, s)
  print(("%-12s %7.1f MiB resident, %5.1f MiB Lua, %3d files, %2d threads, %d tensors")
    :format(label, s.rss, s.lua, s.fds, s.threads, s.tensors))
end

local list, began, said = {}, os.time(), os.time()
while os.time() - began < seconds or #list < LEAST do
  quietly(one_round, #list)
  list[#list + 1] = sample()
  if #list <= 2 or os.time() - said >= 60 then
    said = os.time()
    line("round " .. #list, list[#list])
  end
end
line("round " .. #list, list[#list])
local bad = grown(list)
print(("%d rounds in %d s: %s"):format(#list, os.time() - began,
  #bad == 0 and "nothing grows" or "GROWS: " .. table.concat(bad, "; ")))
os.exit(#bad == 0, true)
