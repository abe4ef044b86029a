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
---@example sota.metrics.named("twice", function(preds, targs) return 2 * accuracy(preds, targs) end)
function metrics.named(name, f)
  names[f] = name
  return f
end

--- The title of a metric: the one given, else the global it is in, else where
--- it was defined.
---@return string
---@example sota.metrics.name_of(accuracy)
function metrics.name_of(f)
  if names[f] then return names[f] end
  for key, value in pairs(_G) do
    if value == f and type(key) == "string" then return key end
  end
  if type(f) ~= "function" then return tostring(f) end
  local info = debug.getinfo(f, "S")
  return ("%s:%d"):format(info.short_src:match "[^/]*$", info.linedefined)
end

-- The counting is the engine's (train/metrics.h), exact over a batch.
local count = core.metrics

--- Share of items whose largest prediction is the target.
---@param preds tensor (N, K)
---@param targs tensor i32 (N), or (N, K), whose largest is the target
---@return tensor
---@example accuracy(model(x), y)
metrics.accuracy = metrics.named("accuracy", count.accuracy)

--- 1 - accuracy.
---@example error_rate(model(x), y)
metrics.error_rate = metrics.named("error_rate", count.error_rate)

-- A metric that may be used as it is, or called with options to get another:
-- top_k_accuracy, top_k_accuracy{k = 3}. title(o) names the second kind.
local function with_options(name, list, title, compute)
  local arguments = check.spec(name, list)
  local defaults = arguments()
  local function metric(first, targs)
    if core.is_tensor(first) then return compute(first, targs, defaults) end
    local o = arguments(first)
    return metrics.named(title(o), function(preds, targets)
      return compute(preds, targets, o)
    end)
  end
  metrics[name] = metrics.named(name, metric)
end

--- Share of items with the target among the k = 5 largest predictions.
---@example top_k_accuracy{k = 3}
with_options("top_k_accuracy", {{"k", "integer", 5, min = 1}},
  function(o) return ("top_%d_accuracy"):format(o.k) end,
  count.top_k_accuracy)

--- Share of right answers when each class is a yes or no: targs (N, K) of 0
--- and 1; yes where sigmoid(preds) is above thresh = 0.5 (sigmoid = false:
--- preds are probabilities already).
---@example Learner(dls, model, {metrics = accuracy_multi{thresh = 0.3}})
with_options("accuracy_multi", {
  {"thresh", "number", 0.5}, {"sigmoid", "boolean", true},
}, function() return "accuracy_multi" end, count.accuracy_multi)

for name, metric in pairs(require "sota.class_metrics") do
  metrics[name] = metric
end

return metrics
