-- train/summary.lua -- Learner:summary: what a model does to an image, layer by
-- layer: shapes, parameters, multiply-adds, memory. One image goes through it;
-- the arithmetic is what the profile counted (engine/ops/cost.h).
local core = require "sota.core"
local autocast = require "sota.autocast"
local check = require "sota.check"
local nn = require "sota.nn"

local Summary = {__name = "Summary"}
Summary.__index = Summary

-- --- one image through the model ---------------------------------------------

-- What the model gets, as few items as there can be.
local function input_of(dl)
  if dl.augment and dl.size then
    local h, w = dl:size()
    return core.zeros{1, h, w, 3}
  end
  local step, closing = dl:spec(function() return 1 end).batches(1, 0)
  local x = step()
  if closing then getmetatable(closing).__close(closing) end
  if not core.is_tensor(x) then
    check.fail("summary: the training loader gives no batch of a tensor")
  end
  return x
end

-- Evaluation mode until it is closed.
local function resting(model)
  local was = {}
  for _, m in model:modules() do was[m] = m.training end
  model:eval()
  return setmetatable({}, {__close = function()
    for m, training in pairs(was) do rawset(m, "training", training) end
  end})
end

-- Two for each multiplication with its addition, by layer; nil when a profile is
-- being taken already, which this would end.
local function counted(f)
  if not pcall(core.profile.start) then
    f()
    return nil
  end
  local ok, why = pcall(f)
  local flops = {}
  for _, calls in ipairs(core.profile.read()) do
    flops[calls.layer] = (flops[calls.layer] or 0) + calls.flops
  end
  if not ok then error(why, 0) end
  return flops
end

-- The modules that ran, in the order in which they were done: {module, path,
-- shape, bytes, inner = others ran inside of it}. One that hands on what it was
-- given takes no memory.
local function ran(learn, x)
  local list, has_inner, made = {}, {}, {[x] = true}
  local function hook(m, path, y)
    if m._parent then has_inner[m._parent] = true end
    if not core.is_tensor(y) then return end
    list[#list + 1] = {module = m, path = path or "", shape = y:shape(),
      bytes = made[y] and 0 or y:numel() * (y:dtype() == "f32" and 4 or 2),
      inner = has_inner[m] ~= nil}
    made[y] = true
  end
  local bf16 = (learn.precision or core.get "precision") == "bf16"
  local function forward()
    nn.watch(hook, bf16 and autocast.run or learn.model,
      bf16 and learn.model or x, bf16 and x or nil)
  end
  local flops = counted(function() core.no_grad(forward) end)
  return list, flops
end

-- --- rows ------------------------------------------------------------------------

-- Number of parameters of a module that no row has yet, and of those trained:
-- all inside it, or only its own.
local function parameters(m, own, seen)
  local all, trained = 0, 0
  for _, t, owner in m:named_parameters() do
    if not seen[t] and (not own or owner == m) then
      seen[t] = true
      all = all + t:numel()
      if t:requires_grad() then trained = trained + t:numel() end
    end
  end
  return all, trained
end

local function row_of(r, flops, seen, n)
  local m = r.module
  local all, trained = parameters(m, r.inner, seen)
  local macs = flops and (flops[r.path] or 0) // (2 * n) | 0
  local is_container = r.inner or m:isa(nn.Sequential) and #m == 0
  if is_container and all == 0 and (macs or 0) == 0 then return nil end
  return {layer = r.path, kind = m.name, shape = r.shape, params = all,
          trained = trained, macs = macs, bytes = r.bytes / n}
end

local function callbacks_of(learn)
  local names = {}
  for i, cb in ipairs(learn.cbs) do
    names[i] = rawget(getmetatable(cb) or {}, "name") or cb.name or "a table"
  end
  return names
end

-- --- as text ---------------------------------------------------------------------

local function thousands(n)
  local s, k = ("%d"):format(n), nil
  repeat s, k = s:gsub("^(%d+)(%d%d%d)", "%1,%2") until k == 0
  return s
end

-- 4.09 G, 115.6 M, 512
local function short(n)
  for _, unit in ipairs{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}} do
    if n >= unit[1] then
      local v = n / unit[1]
      return (v < 10 and "%.2f%s" or "%.1f%s"):format(v, unit[2])
    end
  end
  return ("%d"):format(n)
end

local function mebibytes(bytes) return ("%.1f"):format(bytes / 2 ^ 20) end

local function trained_text(r)
  if r.params == 0 then return "" end
  return r.trained == 0 and "no" or r.trained == r.params and "yes" or "partly"
end

local function shape_text(shape, bs)
  local sizes = {bs, table.unpack(shape, 2)}
  return table.concat(sizes, " x ")
end

-- Rows of texts in columns; those of `right` are set at their right.
local function columns(rows, right)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for c, text in ipairs(row) do
      widths[c] = math.max(widths[c] or 0, utf8.len(text))
    end
  end
  for i, row in ipairs(rows) do
    local parts = {}
    for c, text in ipairs(row) do
      local blanks = (" "):rep(widths[c] - utf8.len(text))
      parts[c] = right[c] and blanks .. text or text .. blanks
    end
    lines[i] = (table.concat(parts, "  "):gsub("%s+$", ""))
  end
  return lines
end

local function table_lines(self)
  local rows = {{"layer", "kind", "output", "parameters", "trained",
                 "mult-adds", "MiB"}}
  for _, r in ipairs(self.rows) do
    rows[#rows + 1] = {r.layer == "" and "(model)" or r.layer, r.kind,
      shape_text(r.shape, self.bs), r.params > 0 and thousands(r.params) or "",
      trained_text(r), r.macs and (r.macs > 0 and short(r.macs) or "") or "?",
      mebibytes(r.bytes * self.bs)}
  end
  return columns(rows, {[4] = true, [6] = true, [7] = true})
end

function Summary:__tostring()
  local lines = {("%s (input: %s)"):format(self.name,
    shape_text(self.input, self.bs))}
  table.move(table_lines(self), 1, #self.rows + 1, 2, lines)
  local function add(fmt, ...) lines[#lines + 1] = fmt:format(...) end
  add("")
  add("parameters   %s, trained %s, frozen %s", thousands(self.params),
    thousands(self.trained), thousands(self.params - self.trained))
  add("mult-adds    %s for an image, forward", self.macs and short(self.macs)
    or "not counted while a profile is being taken")
  add("memory       %s MiB for the outputs of a batch of %d in %s, %s MiB for "
    .. "parameters", mebibytes(self.bytes * self.bs), self.bs, self.precision,
    mebibytes(4 * self.params))
  add("optimiser    %s", self.optimiser)
  add("loss         %s", self.loss)
  add("callbacks    %s", #self.callbacks > 0
    and table.concat(self.callbacks, ", ") or "none")
  return table.concat(lines, "\n")
end

-- --- Learner:summary ---------------------------------------------------------------

local function total(rows, key)
  local sum = 0
  for _, r in ipairs(rows) do sum = sum + (r[key] or 0) end
  return sum
end

-- For parameters of parts that did not run.
local function rest_row(model, seen)
  local all, trained = parameters(model, false, seen)
  return all > 0 and {layer = "(not run)", kind = "", shape = {}, params = all,
    trained = trained, macs = 0, bytes = 0} or nil
end

local Learner = {}

--- The model layer by layer: what each gives for a batch, parameters, whether
--- they are trained, multiply-adds of an image, memory of its output in a batch;
--- then totals, optimiser, loss, callbacks. Prints itself.
---@return table {rows = {{layer =, kind =, shape =, params =, trained =, macs =, bytes =}...}, params =, trained =, macs =, bytes = of an image, bs =}
---@example print(learn:summary())
function Learner:summary()
  local rest <close> = resting(self.model)
  return core.scope(function()
    local x = input_of(self.dls.train)
    local list, flops = ran(self, x)
    local n, seen, rows = x:shape(1), {}, {}
    for _, r in ipairs(list) do rows[#rows + 1] = row_of(r, flops, seen, n) end
    rows[#rows + 1] = rest_row(self.model, seen)
    local all, trained = self.model:count()
    return setmetatable({rows = rows, name = self.model.name,
      input = x:shape(), bs = self.dls.train.bs or n, params = all,
      trained = trained, macs = flops and total(rows, "macs") or nil,
      bytes = total(rows, "bytes"),
      precision = self.precision or core.get "precision",
      optimiser = tostring(self.opt or self.opt_func),
      loss = tostring(self.loss_func), callbacks = callbacks_of(self)}, Summary)
  end)
end

return Learner
