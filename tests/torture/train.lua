-- train.lua FOLDER -- the training that the scripts of this folder torment: two
-- fits, all that writes files, everything in FOLDER. It says "begun" when the
-- first batch is done, "fitted" when the last one is, and at the end what it
-- has: a number and a sum over all files. Run again, it goes on.
--   FAST=1   clocks and pauses run a thousand times as fast
--   SLOW=N   each batch takes N seconds
require "sota.all"
local core = require "sota.core"
local sota = require "sota"

local folder = arg[1]
sota.set("seed", 7)
sota.set("precision", "f32")
sota.set("threads", 1)

local persist = require "sota.train.persist"
if os.getenv "FAST" and persist.pause > 1 then
  local clock = core.profile.clock
  core.profile.clock = function() return 1000 * clock() end
  persist.pause = 0.005
end

local slow = tonumber(os.getenv "SLOW" or 0)

-- Batches that are a function of their number: a loader as learners want them.
local Loader = {}
Loader.__index = Loader
function Loader:__len() return self.n end
function Loader:items() return 4 * self.n end
function Loader:spec()
  return {n = self.n, batches = function(_, start)
    return function()
      if start >= self.n then return nil end
      start = start + 1
      local x, y = {}, {}
      for i = 1, 4 do
        y[i] = (i + start) % 3 + 1
        x[i] = {math.sin(start + i), math.cos(i * start), y[i] / 3, 1}
      end
      return core.tensor(x), core.tensor(y, {dtype = "i32"})
    end
  end}
end
local function loader(n) return setmetatable({n = n}, Loader) end

local function descriptors() return #core.list_dir "/proc/self/fd" end

local function run()
  local checkpoint = Checkpoint{folder .. "/checkpoint", keep = 2,
                                every = os.getenv "EVERY" or "1 batches"}
  local begun
  local learn = Learner({train = loader(4), valid = loader(1), c = 3},
    nn.Sequential{nn.Linear(4, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.2),
                  nn.Linear(8, 3)},
    {metrics = accuracy, path = folder, history = folder .. "/history.csv",
     cbs = {
      EMA(0.9), checkpoint, JSONLogger(folder .. "/history.jsonl"),
      SaveModel{fname = folder .. "/best.safetensors"},
      Report{fname = folder .. "/report.html"},
      TensorBoard{folder = folder .. "/runs", n = 0},
      {order = 99, after_batch = function()
        core.sleep(slow)
        if not begun then print "begun" end
        begun = true
      end}}})
  learn:fit_one_cycle(2, 1e-2)
  learn:fit(1, 1e-3)
  print "fitted"
  learn:save(folder .. "/model.safetensors")
  checkpoint:finish()
  for _, cb in ipairs(learn.cbs) do
    if cb.events then cb.events:close() end
  end
  learn.opt:close()
  return learn:validate().valid_loss
end

-- All that must be equal after all that happens: without times.
local function text_of(name, pattern)
  local file <close> = assert(io.open(folder .. "/" .. name, "rb"))
  return (file:read "a":gsub(pattern, ""))
end

-- Objects whose keys come in any order.
local function lines_of(name)
  local out = {}
  for line in io.lines(folder .. "/" .. name) do
    local list = {}
    for key, v in pairs(core.json.decode(line)) do
      if key ~= "time" then list[#list + 1] = key .. tostring(v) end
    end
    table.sort(list)
    out[#out + 1] = table.concat(list, " ")
  end
  return table.concat(out, "\n")
end

local function numbers_of(name)
  local list = {}
  local tensors, _, names = core.safetensors.load(folder .. "/" .. name)
  for _, key in ipairs(names) do
    for _, v in ipairs(tensors[key]:reshape{-1}:totable()) do
      list[#list + 1] = ("%a"):format(v)
    end
    tensors[key]:close()
  end
  return table.concat(list, " ")
end

local function sum(text)
  local h = 5381
  for i = 1, #text do h = (h * 33 + text:byte(i)) & 0xffffffff end
  return h
end

collectgarbage()
local tensors, open = core.live_tensors(), descriptors()
local loss = run()
collectgarbage()
collectgarbage()
assert(core.live_tensors() <= tensors, "tensors leaked")
assert(descriptors() <= open, "files are still open")
print(("%a %08x %08x %08x %08x"):format(loss,
  sum(text_of("history.csv", ",[%d:]*\n")),
  sum(lines_of "history.jsonl"),
  sum(numbers_of "model.safetensors"), sum(numbers_of "best.safetensors")))
