-- label_counts.lua -- items with several labels: for each class, how often it
-- was said, how often it was so, how often both. The figures are Confusion's.
local core = require "sota.core"
local check = require "sota.check"
local Confusion = require "sota.confusion"

local LabelCounts = setmetatable({__name = "LabelCounts"},
  {__index = Confusion})
LabelCounts.__index = LabelCounts

--- An empty count. A class is said where sigmoid(preds) > thresh; sigmoid =
--- false: where preds are, being probabilities already.
---@param o? {thresh: number, sigmoid: boolean} 0.5, true
function LabelCounts.new(o)
  o = o or {}
  return setmetatable({n = 0, items = 0, thresh = o.thresh or 0.5,
    sigmoid = o.sigmoid ~= false, hits = {}, said = {}, so = {}}, LabelCounts)
end

local function check_both(preds, targs)
  for what, t in pairs{preds = preds, targs = targs} do
    if not core.is_tensor(t) or t:dim() ~= 2 then
      check.fail("%s: a tensor (N, K) is wanted, a column for each class, not "
        .. "%s", what, core.is_tensor(t)
        and ("one of %d dimensions"):format(t:dim()) or check.describe(t))
    end
  end
  for d = 1, 2 do
    if preds:shape(d) ~= targs:shape(d) then
      check.fail("preds are (%d, %d), targs (%d, %d)", preds:shape(1),
        preds:shape(2), targs:shape(1), targs:shape(2))
    end
  end
end

local function add_to(list, t)
  for k, v in ipairs(t:sum{1}:totable()) do
    list[k] = (list[k] or 0) + math.tointeger(v)
  end
end

--- Counts a batch.
---@param preds tensor scores (N, K)
---@param targs tensor (N, K) of 0 and 1
function LabelCounts:add(preds, targs)
  check_both(preds, targs)
  core.no_grad(function()
    local p = preds:to "f32"
    local said = (self.sigmoid and p:sigmoid() or p):gt(self.thresh):to "f32"
    local so = targs:to "f32":gt(0.5):to "f32"
    add_to(self.said, said)
    add_to(self.so, so)
    add_to(self.hits, said * so)
  end)
  self.n, self.items = #self.said, self.items + preds:shape(1)
  return self
end

--- The figures of each class: {precision, recall, f1, support, ...}.
function LabelCounts:classes()
  local list = {}
  for c = 1, self.n do
    list[c] = Confusion.figures(self.hits[c], self.so[c], self.said[c])
  end
  return list
end

-- A class counts in a mean even when it never occurs, as in scikit-learn.
function LabelCounts:occurs() return true end

--- A figure over the answers to all classes together.
---@param name string "precision", "recall" or "f1"
function LabelCounts:micro(name)
  local hits, so, said = 0, 0, 0
  for c = 1, self.n do
    hits, so, said = hits + self.hits[c], so + self.so[c], said + self.said[c]
  end
  return Confusion.figures(hits, so, said)[name]
end

--- The counts as a tensor i32 (K, 2, 2): of each class {{neither, said only},
--- {so only, both}}.
function LabelCounts:tensor()
  local rows = {}
  for c = 1, self.n do
    local hits, so, said = self.hits[c], self.so[c], self.said[c]
    rows[c] = {{self.items - so - said + hits, said - hits}, {so - hits, hits}}
  end
  if self.n == 0 then return core.zeros({0, 2, 2}, {dtype = "i32"}) end
  return core.tensor(rows, {dtype = "i32"})
end

function LabelCounts:last_line(width)
  return self:line(width, "micro mean", {precision = self:micro "precision",
    recall = self:micro "recall", f1 = self:micro "f1", support = self.items})
end

return LabelCounts
