-- metrics.lua -- figures for people: functions (preds, targs) that return a
-- number, or a tensor of no dimensions. Any Lua function is a metric; to choose
-- its column's title: metrics.named("dice", function(preds, targs) ... end).
--
-- preds are what the model gave, (N, K); targs class numbers 1..K, i32 (N).
local core = require "sota.core"
local check = require "sota.check"

local metrics = {}

local names = setmetatable({}, {__mode = "k"})

--- Gives a metric its title. Returns f.
---@param name string
---@param f function
function metrics.named(name, f)
  names[f] = name
  return f
end

--- The title of a metric: the one given, else the global it is in, else where
--- it was defined.
---@return string
function metrics.name_of(f)
  if names[f] then return names[f] end
  for key, value in pairs(_G) do
    if value == f and type(key) == "string" then return key end
  end
  if type(f) ~= "function" then return tostring(f) end
  local info = debug.getinfo(f, "S")
  return ("%s:%d"):format(info.short_src:match "[^/]*$", info.linedefined)
end

local function check_sizes(what, preds, targs)
  if #preds ~= #targs then
    check.fail("%s: %d predictions but %d targets", what, #preds, #targs)
  end
end

--- Share of items whose largest prediction is the target.
---@param preds tensor (N, K)
---@param targs tensor i32 (N)
---@return tensor
function metrics.accuracy(preds, targs)
  check_sizes("accuracy", preds, targs)
  return preds:argmax(-1):eq(targs):mean()
end

--- 1 - accuracy.
function metrics.error_rate(preds, targs)
  return 1 - metrics.accuracy(preds, targs)
end

-- A metric that may be used as it is, or called with options to get another:
-- top_k_accuracy, top_k_accuracy{k = 3}. title(o) names the second kind.
local function with_options(name, list, title, compute)
  local arguments = check.spec(name, list)
  local defaults = arguments()
  local function metric(first, targs)
    if core.is_tensor(first) then return compute(defaults, first, targs) end
    local o = arguments(first)
    return metrics.named(title(o), function(preds, targets)
      return compute(o, preds, targets)
    end)
  end
  metrics[name] = metrics.named(name, metric)
end

--- Share of items with the target among the k = 5 largest predictions.
with_options("top_k_accuracy", {{"k", "integer", 5, min = 1}},
  function(o) return ("top_%d_accuracy"):format(o.k) end,
  function(o, preds, targs)
    check_sizes("top_k_accuracy", preds, targs)
    if o.k > preds:shape(2) then
      check.fail("top_k_accuracy: k = %d of %d classes", o.k, preds:shape(2))
    end
    local _, found = preds:topk{k = o.k, dim = 2}
    return found:eq(targs:reshape{-1, 1}):to "f32":sum{dims = 2}:mean()
  end)

--- Share of right answers when each class is a yes or no: targs (N, K) of 0
--- and 1; yes where sigmoid(preds) is above thresh = 0.5 (sigmoid = false:
--- preds are probabilities already).
with_options("accuracy_multi", {
  {"thresh", "number", 0.5, min = 0, max = 1}, {"sigmoid", "boolean", true},
}, function() return "accuracy_multi" end,
  function(o, preds, targs)
    check_sizes("accuracy_multi", preds, targs)
    if o.sigmoid then preds = core.sigmoid(preds) end
    return preds:gt(o.thresh):eq(targs:gt(0.5)):mean()
  end)

metrics.named("accuracy", metrics.accuracy)
metrics.named("error_rate", metrics.error_rate)

return metrics
