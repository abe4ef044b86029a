-- class_metrics.lua -- metrics that cannot be averaged over batches, because
-- they are made from counts of whole classes: precision, recall, f1_score,
-- ClassReport.
--
--   metrics = {accuracy, f1_score, recall{class = "tench"}}
--   f1_score(preds, targs)                          macro: mean over classes
--   precision(preds, targs, {average = "micro"})
--   precision(preds, targs, {average = "none"})     a tensor, one per class
--   f1_score_multi{thresh = 0.3}                    items with several labels
--
-- Each is an object with reset(), accumulate(learn), value(), as the loop wants
-- them (engine/lua/slua_hooks.c), and a function of (preds, targs).
local core = require "sota.core"
local check = require "sota.check"
local Confusion = require "sota.confusion"
local LabelCounts = require "sota.label_counts"

local class_metrics = {}

-- --- their common part -------------------------------------------------------

local Counted = {}
Counted.__index = Counted

function Counted:counts()
  return self.multi and LabelCounts.new(self.o) or Confusion.new()
end

function Counted:reset() self.confusion = self:counts() end

local function check_kind(self, learn)
  local multi = learn.dls and learn.dls.train.multi
  if self.multi and learn.dls and not multi then
    check.fail("%s: is for items with several labels; these are of one class "
      .. "each, for which there is %s", self.name, self.base:gsub("_multi", ""))
  elseif multi and not self.multi then
    check.fail("%s: is for items of one class each; these have several labels, "
      .. "for which there is %s_multi", self.name, self.base)
  end
end

function Counted:accumulate(learn)
  check_kind(self, learn)
  self.vocab = learn.dls and learn.dls.vocab
  self.confusion:add(learn.pred, learn.yb)
end

local AVERAGES = {"macro", "micro", "weighted", "none"}

local function class_number(class, vocab, what)
  if math.type(class) == "integer" then return class end
  for c = 1, vocab and #vocab or 0 do
    if vocab[c] == class then return c end
  end
  check.fail("%s: there is no class '%s'%s", what, class, vocab
    and check.did_you_mean(class, type(vocab) == "table" and vocab
      or vocab:totable()) or "; without class names a number is wanted")
end

-- The figure as a number, or a list with average "none".
local function figure(confusion, name, o, vocab, what)
  if o.class then
    local f = confusion:classes()[class_number(o.class, vocab, what)]
    return f and f[name] or 0
  elseif o.average == "none" then
    local list = {}
    for c, f in ipairs(confusion:classes()) do list[c] = f[name] + 0.0 end
    return list
  elseif o.average == "micro" then
    return confusion:micro(name)
  end
  return confusion:mean(name, o.average == "weighted")
end

function Counted:value()
  return figure(self.confusion, self.figure, self.o, self.vocab, self.name)
end

-- f1_score(preds, targs [, options]) or f1_score{average = "micro"}.
local function title(base, o)
  if o.class then return ("%s_%s"):format(base, o.class) end
  return o.average == "macro" and base or base .. "_" .. o.average
end

local function options_of(base, multi)
  local list = {
    {"average", "string", "macro", choices = AVERAGES},
    {"class", "string|integer"},
  }
  if multi then
    list[3] = {"thresh", "number", 0.5}
    list[4] = {"sigmoid", "boolean", true}
  end
  return check.spec(base, list)
end

local function counted(base, name, multi)
  local arguments = options_of(base, multi)
  local class = setmetatable({}, {__index = Counted})
  class.__index = class
  function class:__tostring() return self.name end
  local function make(o)
    local self = setmetatable({name = title(base, o), base = base,
      multi = multi, figure = name, o = o}, class)
    self:reset()
    return self
  end
  function class:__call(first, targs, options)
    if core.is_tensor(first) then
      local o = options and arguments(options) or self.o
      local counts = Counted.counts{multi = multi, o = o}
      return core.tensor(figure(counts:add(first, targs), name, o, nil, base))
    end
    local o = arguments(first or {})
    if o.average == "none" and not o.class then
      check.fail("%s: average = \"none\" gives one number for each class, and "
        .. "a column of the table has one; use class =", base)
    end
    return make(o)
  end
  class_metrics[base] = make(arguments())
end

--- Of the items predicted as a class, the share that is of it.
---@example precision(model(x), y)
counted("precision", "precision")
--- Of the items of a class, the share predicted as it.
---@example recall{average = "micro"}
counted("recall", "recall")
--- Harmonic mean of precision and recall.
---@example f1_score(model(x), y)
counted("f1_score", "f1")

--- precision where items have several labels, each a yes or no: targs (N, K) of
--- 0 and 1; yes where sigmoid(preds) > thresh = 0.5 (sigmoid = false: preds are
--- probabilities already).
---@example precision_multi{thresh = 0.3}
counted("precision_multi", "precision", true)
--- recall where items have several labels: see precision_multi.
---@example recall_multi{thresh = 0.3}
counted("recall_multi", "recall", true)
--- f1_score where items have several labels: see precision_multi.
---@example f1_score_multi{thresh = 0.3}
counted("f1_score_multi", "f1", true)

-- --- functions and the report ------------------------------------------------

local matrix_options = check.spec("confusion_matrix", {
  {"normalize", "boolean", false}, {"classes", "integer", min = 1},
})

--- Counts i32 (K, K): rows the actual classes, columns the predicted ones.
---@param preds tensor scores (N, K), or class numbers (N)
---@param targs tensor class numbers (N)
---@param options? {normalize: boolean, classes: integer}
---@return tensor
---@example confusion_matrix(model(x), y)
function class_metrics.confusion_matrix(preds, targs, options)
  local o = matrix_options(options or {})
  return Confusion.new(o.classes):add(preds, targs):tensor(o.normalize)
end

local Report = setmetatable({}, {__index = Counted})
Report.__index = Report

-- What it counts depends on the labels, known with the first batch.
function Report:reset() self.confusion = nil end

function Report:accumulate(learn)
  self.multi = learn.dls and learn.dls.train.multi or false
  self.confusion = self.confusion or self:counts()
  Counted.accumulate(self, learn)
end

local function counted_so_far(self)
  return self.confusion or Confusion.new()
end

function Report:value() return counted_so_far(self):mean "f1" end

--- The counts of the last validation, i32 (K, K); with several labels an item
--- (K, 2, 2): of each class {{neither, said only}, {so only, both}}.
function Report:matrix(normalize)
  return counted_so_far(self):tensor(normalize)
end

function Report:__tostring() return counted_so_far(self):report(self.vocab) end

local report_arguments = check.spec("ClassReport", {
  {"thresh", "number", 0.5}, {"sigmoid", "boolean", true},
})

--- ClassReport(): a metric whose column is f1 (macro), and that can be printed
--- after validation: a table of all classes. report:matrix() is the confusion
--- matrix. thresh and sigmoid are for items with several labels.
---@param options? {thresh: number, sigmoid: boolean}
---@example Learner(dls, model, {metrics = ClassReport()})
function class_metrics.ClassReport(options)
  return setmetatable({name = "f1_score", base = "ClassReport",
    o = report_arguments(options or {})}, Report)
end

return class_metrics
