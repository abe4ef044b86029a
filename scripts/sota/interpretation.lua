-- interpretation.lua -- Interpretation: where a model is wrong.
--
--   local interp = Interpretation.from_learner(learn)
--   print(interp)                      the table of all classes
--   interp:most_confused(2)            {{"beagle", "basenji", 5}, ...}
--   interp:top_losses(9)               the worst items
local core = require "sota.core"
local check = require "sota.check"
local Confusion = require "sota.confusion"

local Interpretation = {__name = "Interpretation"}
Interpretation.__index = Interpretation

--- From predictions: {preds = probabilities (N, K) or class numbers (N), targs
--- = class numbers (N), losses = (N), vocab = names, dl = the loader}. The last
--- three may be missing, with what needs them.
---@param o table
---@example local preds, targs = learn:get_preds(); Interpretation.new{preds = preds, targs = targs}
function Interpretation.new(o)
  local self = setmetatable({}, Interpretation)
  for _, key in ipairs{"preds", "targs", "losses"} do
    self[key] = o[key] and o[key]:keep()
  end
  self.vocab, self.dl = o.vocab, o.dl
  self.confusion = Confusion.new(o.vocab and #o.vocab)
  self.confusion:add(o.preds, o.targs)
  return self
end

-- One loss per item.
local function item_losses(loss_func, logits, targs)
  if type(loss_func) ~= "table" or not loss_func.reduction then return nil end
  local before <close> = setmetatable({loss_func.reduction}, {
    __close = function(b) loss_func.reduction = b[1] end,
  })
  loss_func.reduction = "none"
  return core.no_grad(loss_func, logits, targs):detach()
end

local arguments = check.spec("Interpretation.from_learner", {
  {"dl", "table"}, {"cbs", "any"},
})

--- Predicts the validation set, or a loader's, once.
---@param learn table
---@param options? {dl: DataLoader}
---@example Interpretation.from_learner(learn)
function Interpretation.from_learner(learn, options)
  if type(learn) ~= "table" or not learn.get_preds then
    check.fail("Interpretation.from_learner: wants a Learner, not %s",
      check.describe(learn))
  end
  local a = arguments(options or {})
  local dl = a.dl or learn.dls.valid
  local logits, targs = learn:get_preds{dl = dl, act = false, cbs = a.cbs}
  if not targs then
    check.fail("Interpretation.from_learner: the loader has no labels")
  end
  if targs:dim() ~= 1 then
    check.fail("Interpretation.from_learner: each item must have one class; "
      .. "these have several labels; use the metric ClassReport()")
  end
  local loss_func, preds = learn.loss_func, logits
  if type(loss_func) == "table" and loss_func.activation then
    preds = loss_func:activation(logits)
  end
  return Interpretation.new{preds = preds, targs = targs, dl = dl,
    losses = item_losses(learn.loss_func, logits, targs),
    vocab = learn.dls.vocab and learn.dls.vocab:totable()}
end

--- Counts i32 (K, K), rows the actual classes; normalize: shares of each row.
---@param options? {normalize: boolean}
---@return tensor
---@example interp:confusion_matrix{normalize = true}
function Interpretation:confusion_matrix(options)
  local normalize = options and options.normalize
  return self.confusion:tensor(normalize)
end

--- Pairs of classes that are confused at least min_val times, most often first:
--- a list of {actual, predicted, count}.
---@param min_val? integer 1
---@example interp:most_confused(2)
function Interpretation:most_confused(min_val)
  return self.confusion:most_confused(min_val, self.vocab)
end

--- Precision, recall, f1 and number of items of each class, as text.
---@return string
---@example interp:classification_report()
function Interpretation:classification_report()
  return self.confusion:report(self.vocab)
end

-- --- the worst items ---------------------------------------------------------

local Items = {__name = "top_losses"}
Items.__index = Items

local function line(e)
  local text = ("%s/%s / %.2f / %.2f"):format(e.predicted, e.actual, e.loss,
    e.probability)
  return e.path and text .. "  " .. e.path or text
end

function Items:__tostring()
  local lines = {"prediction/actual / loss / probability"}
  for i, e in ipairs(self) do lines[i + 1] = line(e) end
  return table.concat(lines, "\n")
end

-- Item numbers by falling (or rising) loss, equal ones in their order.
local function by_loss(losses, largest)
  local order = {}
  for i = 1, #losses do order[i] = i end
  table.sort(order, function(i, j)
    local a, b = losses[i], losses[j]
    if a == b then return i < j end
    if largest then return a > b end
    return a < b
  end)
  return order
end

local function named(self, class)
  return self.vocab and self.vocab[class] or class
end

-- The probability that the model gave to its answer, and that answer.
local function answer(self, i)
  if self.preds:dim() == 1 then return self.preds[i], 1 end
  local row <close> = self.preds:select{dim = 1, index = i}
  local class = row:argmax(1):item()
  return class, row[class]
end

local function path_of(self, i)
  local o = self.dl and self.dl.o
  return o and o.files and o.rows and o.files:path(o.rows[i]) or nil
end

local top_arguments = check.spec("top_losses", {
  {"k", "integer", min = 1}, {"largest", "boolean", true},
})

--- The items with the largest losses (largest = false: the smallest), worst
--- first: a list of {index =, loss =, actual =, predicted =, probability =,
--- path =}. Prints as a table.
---@param k? integer how many; all unless given
---@param options? {largest: boolean}
---@example interp:top_losses(5)
function Interpretation:top_losses(...)
  local a = top_arguments(...)
  if not self.losses then
    check.fail("top_losses: the loss of each item is not known; loss_func must "
      .. "be one of sota.losses, such as CrossEntropyLossFlat()")
  end
  local losses, targs = self.losses:totable(), self.targs:totable()
  local order, list = by_loss(losses, a.largest), {}
  for rank = 1, math.min(a.k or #order, #order) do
    local i = order[rank]
    local class, probability = answer(self, i)
    list[rank] = {index = i, loss = losses[i], actual = named(self, targs[i]),
                  predicted = named(self, class), probability = probability,
                  path = path_of(self, i)}
  end
  return setmetatable(list, Items)
end

--- A picture of the confusion matrix: draw/answers.lua.
---@param options? {normalize: boolean, title: string, numbers: boolean, to: string}
---@return Picture
function Interpretation:plot_confusion_matrix(...)
  return require "sota.draw.answers".plot_confusion_matrix(self, ...)
end

--- A picture of the items with the largest losses: draw/answers.lua.
---@param k? integer 9
---@param options? {largest: boolean, nrow: integer, ncol: integer, to: string}
---@return Picture
function Interpretation:plot_top_losses(...)
  return require "sota.draw.answers".plot_top_losses(self, ...)
end

function Interpretation:__tostring() return self:classification_report() end

return Interpretation
