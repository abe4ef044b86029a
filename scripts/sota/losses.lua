-- losses.lua -- loss functions: callable objects that also know how to turn
-- logits into probabilities (activation) and into answers (decodes).
--
--   local loss = losses.LabelSmoothingCrossEntropy{eps = 0.1}
--   loss(logits, targets):backward()
--
-- Class numbers in targets are 1..K. `reduction` is "mean", "sum" or "none"
-- (one loss per item), and may be changed: loss.reduction = "none".
local core = require "sota.core"
local check = require "sota.check"

local losses = {}

local reductions = {"mean", "sum", "none"}

local function reduce(values, how)
  if how == "mean" then return values:mean() end
  return how == "sum" and values:sum() or values
end

-- A class of losses. compute(self, logits, targets) gives the loss; Class{...}
-- makes an instance, with the fields that list describes and reduction.
local function class(name, list, compute)
  local c = {name = name, is_loss = true}
  list[#list + 1] = {"reduction", "string", "mean", choices = reductions}
  local arguments = check.spec(name, list)
  c.__index = c
  c.__name = name
  c.__call = compute
  function c.__tostring(self)
    local shown = {}
    for _, p in ipairs(arguments) do
      local v = self[p[1]]
      if v ~= nil and v ~= p[3] then
        shown[#shown + 1] = p[1] .. "=" .. tostring(v)
      end
    end
    return name .. "(" .. table.concat(shown, ", ") .. ")"
  end
  losses[name] = setmetatable(c, {
    __call = function(_, ...) return setmetatable(arguments(...), c) end,
    __tostring = function() return "class " .. name end,
  })
  return c
end

-- Logits (.., K) as rows, and targets to match: a number or a row for each.
local function rows(logits, targets)
  local k = logits:shape(-1)
  if logits:dim() == 2 then return logits, targets end
  local soft = targets:dim() == logits:dim()
  return logits:reshape{-1, k}, soft and targets:reshape{-1, k}
    or targets:reshape{-1}
end

local function softmax(_, x) return core.softmax(x) end
local function best(_, x) return x:argmax(-1) end

--- CrossEntropyLossFlat{weight =, reduction =}: -log softmax(logits) at the
--- target; weight (K) counts classes differently. Targets may be rows of
--- probabilities too.
---@example CrossEntropyLossFlat()(model(x), y)
local CrossEntropy = class("CrossEntropyLossFlat", {{"weight", "tensor"}},
  function(self, logits, targets)
    logits, targets = rows(logits, targets)
    return core.cross_entropy(logits, targets, self.weight,
      {reduction = self.reduction})
  end)
CrossEntropy.activation, CrossEntropy.decodes = softmax, best

--- LabelSmoothingCrossEntropy{eps = 0.1, weight =, reduction =}: targets give
--- eps of their share to all classes alike. Weights enter only the other part.
---@example LabelSmoothingCrossEntropy{eps = 0.1}(model(x), y)
local Smoothing = class("LabelSmoothingCrossEntropy", {
  {"eps", "number", 0.1, min = 0, max = 1}, {"weight", "tensor"},
}, function(self, logits, targets)
  logits, targets = rows(logits, targets)
  return core.cross_entropy(logits, targets, self.weight,
    {reduction = self.reduction, label_smoothing = self.eps})
end)
Smoothing.activation, Smoothing.decodes = softmax, best
losses.LabelSmoothingCrossEntropyFlat = Smoothing

--- FocalLossFlat{gamma = 2, weight =, reduction =}: (1 - p)^gamma times the
--- cross-entropy, p = exp(-cross-entropy): easy items count less.
---@example FocalLossFlat{gamma = 2}(model(x), y)
local Focal = class("FocalLossFlat", {
  {"gamma", "number", 2, min = 0}, {"weight", "tensor"},
}, function(self, logits, targets)
  logits, targets = rows(logits, targets)
  local ce = core.cross_entropy(logits, targets, self.weight,
    {reduction = "none"})
  return reduce((1 - (-ce):exp()) ^ self.gamma * ce, self.reduction)
end)
Focal.activation, Focal.decodes = softmax, best

--- BCEWithLogitsLossFlat{thresh = 0.5, pos_weight =, reduction =}: each class
--- a yes or no of its own; targets (N, K) of 0 and 1, or between. decodes: 1
--- where the probability is above thresh.
---@example BCEWithLogitsLossFlat{thresh = 0.5}
local BCE = class("BCEWithLogitsLossFlat", {
  {"thresh", "number", 0.5, min = 0, max = 1}, {"pos_weight", "tensor"},
}, function(self, logits, targets)
  return core.bce_with_logits(logits, targets:to "f32", self.pos_weight,
    {reduction = self.reduction})
end)
function BCE:activation(x) return core.sigmoid(x) end
function BCE:decodes(x) return core.gt(core.sigmoid(x), self.thresh) end

local function difference(preds, targets)
  return preds:reshape{-1} - targets:to "f32":reshape{-1}
end

--- MSELossFlat{reduction =}: mean of squared differences.
---@example MSELossFlat()(t, t * 2)
local MSE = class("MSELossFlat", {}, function(self, preds, targets)
  return reduce(difference(preds, targets):square(), self.reduction)
end)

--- L1LossFlat{reduction =}: mean of absolute differences.
---@example L1LossFlat()(t, t * 2)
local L1 = class("L1LossFlat", {}, function(self, preds, targets)
  return reduce(difference(preds, targets):abs(), self.reduction)
end)

for _, c in ipairs {MSE, L1} do
  function c:activation(x) return x end
  function c:decodes(x) return x end
end

--- A loss to call, from what a user gave: an instance, a class (made with its
--- defaults), or any function (preds, targets) -> number of no dimensions.
---@param what string for messages: which option
---@example sota.losses.resolve(CrossEntropyLossFlat)
function losses.resolve(v, what)
  if type(v) == "table" and rawget(v, "is_loss") then return v() end
  local meta = getmetatable(v)
  if type(v) == "function" or type(meta) == "table" and meta.__call then
    return v
  end
  check.fail("%s must be a loss, such as CrossEntropyLossFlat(), or a function "
    .. "(preds, targets), not %s", what or "loss_func", check.describe(v))
end

return losses
