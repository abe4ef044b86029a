-- subjects.lua -- what there is to call: found in the registry, the modules and
-- the metatables, so that what is new is called too.
local core = require "sota.core"
local sota = require "sota"
local check = require "sota.check"

local subjects = {}

-- Never called: they end the process or wait for a person, or for ever.
local left_out = {
  ["core.profile.peak"] = true, -- measures for seconds
  ["core.sleep"] = true, -- does as it is told, for 1e308 seconds
  ["sota.options"] = true,      -- ends the process: tests/torture/exits.lua
}

-- --- operations ----------------------------------------------------------------

subjects.ops = {}
for i, op in ipairs(core.ops()) do
  local inputs = op.args:gsub("%[.*", "")
  local n = 0
  for _ in inputs:gmatch "[%w_]+" do n = n + 1 end
  local variadic = op.args == "tensors"
  subjects.ops[i] = {name = op.name, options = op.options, variadic = variadic,
                     inputs = variadic and 3 or n}
end

-- --- functions -------------------------------------------------------------------

subjects.functions, subjects.described = {}, {}

local paths = {} -- function or class -> its path

local function add(path, v)
  if left_out[path] or paths[v] then return end
  paths[v] = path
  subjects.functions[#subjects.functions + 1] = path
end

local function key_text(k) return k:match "^[%a_][%w_]*$" and "." .. k or ("[%q]"):format(k) end

local seen = {}
local function walk(path, v, depth)
  if depth > 4 or seen[v] then return end
  if type(v) == "function" then return add(path, v) end
  if type(v) ~= "table" then return end
  seen[v] = true
  local meta = getmetatable(v)
  if meta and meta.__call then add(path, v) end
  local names = {}
  for k in pairs(v) do if type(k) == "string" then names[#names + 1] = k end end
  table.sort(names)
  for _, k in ipairs(names) do walk(path .. key_text(k), rawget(v, k), depth + 1) end
end

local parts = {"nn", "models", "losses", "metrics", "data", "draw", "optim", "callbacks",
               "Learner", "Interpretation", "model_file", "profile", "show", "help"}
walk("core", core, 0)
for _, part in ipairs(parts) do walk("sota." .. part, sota[part], 0) end
for _, name in ipairs(sota.models.list()) do add("sota.models." .. name, sota.models[name]) end

-- Those that say what their options are.
local by_name = {}
for v, path in pairs(paths) do by_name[path:match "[%w_]+$"] = path end
local function describe(list)
  for _, d in ipairs(list) do
    if by_name[d.name] then
      subjects.described[#subjects.described + 1] = {path = by_name[d.name], options = d.options}
    end
  end
end
describe(core.data.transforms())
describe(core.augment.transforms())
describe(check.functions())
table.sort(subjects.functions)

-- --- objects ---------------------------------------------------------------------

-- Names of what can be called with v first.
function subjects.methods(v)
  local meta, names, have = getmetatable(v), {}, {}
  local function take(t)
    for level = 1, 5 do
      if type(t) ~= "table" then return end
      for k, f in next, t do
        if type(k) == "string" and type(f) == "function" and not have[k] then
          have[k] = true
          names[#names + 1] = k
        end
      end
      local up = getmetatable(t)
      t = type(up) == "table" and rawget(up, "__index") or level == 1 and type(up) == "table"
        and up.methods
    end
  end
  if type(v) == "table" then take(v) end
  if type(meta) == "table" then
    take(rawget(meta, "__index"))
    take(rawget(meta, "methods"))
    if type(v) == "userdata" then take(meta) end
  end
  for i = #names, 1, -1 do -- the collector's, not the user's
    if names[i] == "__gc" or names[i] == "peak" then table.remove(names, i) end
  end
  table.sort(names)
  return names
end

local Loader = {}
Loader.__index = Loader
function Loader:__len() return self.n end
function Loader:items() return 4 * self.n end
function Loader:spec()
  return {n = self.n, batches = function(_, start)
    return function()
      if start >= self.n then return nil end
      start = start + 1
      return sota.randn{4, 4}, core.tensor({1, 2, 3, 1}, {dtype = "i32"})
    end
  end}
end

--- A loader of n batches of four rows of four numbers.
function subjects.loader(n) return setmetatable({n = n}, Loader) end

function subjects.model()
  local nn = sota.nn
  return nn.Sequential{nn.Linear(4, 5), nn.BatchNorm(5), nn.ReLU(), nn.Linear(5, 3)}
end

function subjects.learner()
  return sota.Learner({train = subjects.loader(2), valid = subjects.loader(1), c = 3},
    subjects.model(), {quiet = true})
end

local folder

--- Makes a folder with a few images and leaves for it.
function subjects.images()
  if not folder then
    folder = "data"
    core.data.demo(folder, {train = 20, valid = 10, seed = 1})
    local file <close> = assert(io.open("junk.bin", "w"))
    file:write(("junk"):rep(100))
  end
  return folder
end

function subjects.image_loaders()
  local data = sota.data
  return data.DataBlock{splitter = data.GrandparentSplitter{valid_name = "val"},
    item_tfms = data.Resize(16)}:dataloaders(subjects.images(), {bs = 5, workers = 1, seed = 1})
end

--- Things that calls begin with; what calls return comes to them.
function subjects.objects()
  core.set("seed", 1)
  local list, model = {}, subjects.model()
  local function take(v) list[#list + 1] = v end
  local function try(f, ...)
    local ok, v = pcall(f, ...)
    assert(ok, v)
    take(v)
    return v
  end
  take(model)
  take(subjects.learner())
  local dls = try(subjects.image_loaders)
  take(dls.train)
  try(core.data.scan, "data")
  try(sota.optim.make, sota.optim.Adam(), model, {})
  try(core.draw.canvas, 50, 50)
  try(core.data.rows, {1, 2, 3})
  try(core.data.vocab, {"a", "b"})
  try(sota.losses.CrossEntropyLossFlat)
  try(sota.nn.Conv2d, 3, 4, 3)
  try(sota.nn.BatchNorm, 3)
  try(sota.callbacks.EMA, {decay = 0.9})
  take(sota.randn{2, 5, 5, 3})
  take(core.zeros{0, 3})
  take(core.ones({3}, {dtype = "i32"}))
  return list
end

-- --- is the engine as it was? ----------------------------------------------------

local function probe()
  local w = core.tensor{{1, -2}, {3, 4}}
  w:requires_grad(true)
  local loss = core.enable_grad(function()
    return core.cross_entropy(w, core.tensor({1, 2}, {dtype = "i32"}))
  end)
  loss:backward()
  return w:grad():totable()[1][1]
end

function subjects.ready() return probe() end

--- After all that was done to it, the engine still computes.
function subjects.still_there(before)
  torture.watch "probe"
  assert(math.abs(probe() - before) < 1e-6, "a gradient is another one now")
end

return subjects
