-- confusion.lua -- how often each class was taken for each other: the counts,
-- and the figures made from them.
local core = require "sota.core"
local check = require "sota.check"

local Confusion = {__name = "Confusion"}
Confusion.__index = Confusion

--- An empty count. classes: their number, when known; else it grows.
---@param classes? integer
function Confusion.new(classes)
  local self = setmetatable({n = 0, rows = {}}, Confusion)
  self:grow(classes or 0)
  return self
end

-- rows[i][j]: items of class i that were predicted as j.
function Confusion:grow(n)
  if n <= self.n then return end
  for i = 1, n do
    self.rows[i] = self.rows[i] or {}
    for j = i <= self.n and self.n + 1 or 1, n do self.rows[i][j] = 0 end
  end
  self.n = n
end

-- Class numbers as a list, from numbers (N) or scores (N, K).
local function classes_of(t, what)
  if not core.is_tensor(t) then
    check.fail("%s: a tensor is wanted, not %s", what, check.describe(t))
  end
  if t:dim() == 2 then return t:argmax(-1):totable(), t:shape(2) end
  if t:dim() ~= 1 then
    check.fail("%s: class numbers (N) or scores (N, K) are wanted, not a "
      .. "tensor of %d dimensions", what, t:dim())
  end
  return t:to "i32":totable(), 0
end

--- Counts a batch.
---@param preds tensor scores (N, K), or class numbers (N)
---@param targs tensor class numbers (N), or (N, K), whose largest counts
function Confusion:add(preds, targs)
  local p, k = classes_of(preds, "preds")
  local t, k_targs = classes_of(targs, "targs")
  if #p ~= #t then
    check.fail("%d predictions for %d targets", #p, #t)
  end
  self:grow(math.max(k, k_targs))
  for i = 1, #p do
    if p[i] < 1 or t[i] < 1 then
      check.fail("class numbers count from 1, not %d", math.min(p[i], t[i]))
    end
    self:grow(math.max(p[i], t[i]))
    local row = self.rows[t[i]]
    row[p[i]] = row[p[i]] + 1
  end
  return self
end

local function share(part, whole) return whole > 0 and part / whole or 0 end

--- Of one class: precision, recall, f1, support (items of it), predicted.
function Confusion.figures(hits, support, predicted)
  return {precision = share(hits, predicted), recall = share(hits, support),
          f1 = share(2 * hits, support + predicted), hits = hits,
          support = support, predicted = predicted}
end

local function figures(self, c)
  local support, predicted = 0, 0
  for j = 1, self.n do
    support = support + self.rows[c][j]
    predicted = predicted + self.rows[j][c]
  end
  return Confusion.figures(self.rows[c][c], support, predicted)
end

--- The figures of each class: {precision, recall, f1, support, ...}.
function Confusion:classes()
  local list = {}
  for c = 1, self.n do list[c] = figures(self, c) end
  return list
end

--- Share of items that were predicted right.
function Confusion:accuracy()
  local hits, all = 0, 0
  for _, f in ipairs(self:classes()) do
    hits, all = hits + f.hits, all + f.support
  end
  return share(hits, all)
end

--- Precision, recall or f1 over all classes together: with one answer an item
--- all are the accuracy.
function Confusion:micro() return self:accuracy() end

--- Does a class take part in means?
function Confusion:occurs(f) return f.support + f.predicted > 0 end

--- Mean of a figure over the classes that occur, in the targets or in the
--- predictions; weighted: by their number of items.
---@param name string "precision", "recall" or "f1"
---@param weighted? boolean
function Confusion:mean(name, weighted)
  local sum, weights = 0, 0
  for _, f in ipairs(self:classes()) do
    local w = weighted and f.support or (self:occurs(f) and 1 or 0)
    sum, weights = sum + w * f[name], weights + w
  end
  return share(sum, weights)
end

--- The counts as a tensor i32 (K, K), rows the actual classes; normalize: f32,
--- each row divided by its sum.
---@param normalize? boolean
---@return tensor
function Confusion:tensor(normalize)
  local rows = {}
  for i = 1, self.n do
    local sum = 0
    for j = 1, self.n do sum = sum + self.rows[i][j] end
    rows[i] = {}
    for j = 1, self.n do
      local v = self.rows[i][j]
      rows[i][j] = normalize and share(v, sum) + 0.0 or v
    end
  end
  if self.n == 0 then
    return core.zeros({0, 0}, {dtype = normalize and "f32" or "i32"})
  end
  return core.tensor(rows, {dtype = normalize and "f32" or "i32"})
end

--- Pairs of classes that were confused at least min_val times, most often
--- first: a list of {actual, predicted, count}, by name where vocab is given.
---@param min_val? integer 1
---@param vocab? table
function Confusion:most_confused(min_val, vocab)
  local list = {}
  for i = 1, self.n do
    for j = 1, self.n do
      local count = self.rows[i][j]
      if i ~= j and count >= (min_val or 1) then
        list[#list + 1] = {vocab and vocab[i] or i, vocab and vocab[j] or j,
                           count, at = #list}
      end
    end
  end
  table.sort(list, function(a, b)
    if a[3] ~= b[3] then return a[3] > b[3] end
    return a.at < b.at
  end)
  for _, e in ipairs(list) do e.at = nil end
  return list
end

--- A line of the report.
function Confusion:line(width, name, f)
  return ("%s  %9.4f  %9.4f  %9.4f  %9d"):format(
    (" "):rep(width - utf8.len(name)) .. name, f.precision, f.recall, f.f1,
    f.support)
end

function Confusion:last_line(width, all)
  return ("%s  %31.4f  %9d"):format((" "):rep(width - #"accuracy")
    .. "accuracy", self:accuracy(), all)
end

--- A table: precision, recall, f1 and number of items of each class, then
--- their means.
---@param vocab? table names of the classes
---@return string
function Confusion:report(vocab)
  local width, all = #"weighted mean", 0
  local list = self:classes()
  for c, f in ipairs(list) do
    f.name = tostring(vocab and vocab[c] or c)
    width, all = math.max(width, utf8.len(f.name) or #f.name), all + f.support
  end
  local lines = {("%s  %9s  %9s  %9s  %9s"):format((" "):rep(width),
    "precision", "recall", "f1", "items")}
  for _, f in ipairs(list) do lines[#lines + 1] = self:line(width, f.name, f) end
  for _, weighted in ipairs{false, true} do
    lines[#lines + 1] = self:line(width, weighted and "weighted mean" or "mean", {
      precision = self:mean("precision", weighted),
      recall = self:mean("recall", weighted), f1 = self:mean("f1", weighted),
      support = all})
  end
  lines[#lines + 1] = self:last_line(width, all)
  return table.concat(lines, "\n")
end

return Confusion
