-- train/lr_find.lua -- Learner:lr_find: trains with a rate that grows at each
-- batch, and reads good rates from the curve of the losses. Smith, "Cyclical
-- Learning Rates for Training Neural Networks", 2017. Afterwards everything is
-- as it was before.
local core = require "sota.core"
local check = require "sota.check"
local snapshot = require "sota.train.snapshot"
local suggest = require "sota.train.suggest"

local arguments = check.spec("lr_find", {
  {"start_lr", "number", 1e-7, min = 1e-12}, {"end_lr", "number", 10},
  {"num_it", "integer", 100, min = 6}, {"stop_div", "boolean", true},
  {"suggest_funcs", "any", suggest.names},
})

-- {name, function} of each rule asked for.
local function rules_of(v)
  if type(v) ~= "table" then v = {v} end
  local rules = {}
  for i, rule in ipairs(v) do
    if type(rule) == "function" then
      rules[i] = {"rule_" .. i, rule}
      for _, name in ipairs(suggest.names) do
        if suggest[name] == rule then rules[i][1] = name end
      end
    elseif type(rule) == "string" and suggest[rule]
      and rule ~= "names" and rule ~= "f32" then
      rules[i] = {rule, suggest[rule]}
    else
      check.fail("lr_find: suggest_funcs: there is no rule %s%s; there are %s, "
        .. "or a function (lrs, losses, num_it)", check.describe(rule),
        type(rule) == "string" and check.did_you_mean(rule, suggest.names) or "",
        table.concat(suggest.names, ", "))
    end
  end
  return rules
end

-- --- the trial run -----------------------------------------------------------

-- A callback. Before it, a few things that belong to real training are off.
local Finder = {order = 60}
Finder.__index = Finder

function Finder:configure(spec)
  spec.valid, spec.table, spec.progress, spec.history = nil, nil, nil, nil
  spec.metrics = {}
end

function Finder:before_batch(learn)
  local a = self.a
  learn.opt:set("lr", a.start_lr
    * (a.end_lr / a.start_lr) ^ (learn.train_iter / a.num_it))
end

function Finder:after_batch(learn)
  if self.line then self.line:update(learn.train_iter) end
  local loss = learn.smooth_loss
  self.best = math.min(self.best or loss, loss)
  local diverged = self.a.stop_div and (loss > 4 * self.best or loss ~= loss)
  if diverged or learn.train_iter >= self.a.num_it then
    error(core.cancel.fit)
  end
end

-- The learner's callbacks that change training; those that only watch over it
-- or write files (trial = false) have no part in a trial.
local function for_trials(cbs)
  local list = {}
  for _, cb in ipairs(cbs) do
    if cb.trial ~= false then list[#list + 1] = cb end
  end
  return list
end

local CODE_DIVERGED = 3

-- The rates that were tried, and the smoothed losses.
local function sweep(learn, a)
  local saved <close> = snapshot.of(learn)
  local line <close> = not learn.quiet
    and core.progress("lr_find", a.num_it) or nil
  learn.cbs = for_trials(learn.cbs)
  local finder = setmetatable({a = a, line = line}, Finder)
  local ok, why = pcall(learn.run_schedule, learn,
    a.num_it // math.max(1, #learn.dls.train) + 1, nil, {cbs = finder})
  if not ok and not (type(why) ~= "string" and why.code == CODE_DIVERGED) then
    error(why, 0)
  end
  return learn.recorder.lrs, learn.recorder.losses
end

-- --- reading the curve -------------------------------------------------------

-- What rules look at: without the first tenth and the last 5, in single
-- precision, up to the first loss that is not a number.
local function usable(lrs, losses, num_it)
  local x, y = {}, {}
  for i = num_it // 10 + 1, #lrs - 5 do
    if losses[i] ~= losses[i] then break end
    x[#x + 1], y[#y + 1] = suggest.f32(lrs[i]), suggest.f32(losses[i])
  end
  return x, y
end

-- Why no rate can be given, or nil.
local function objection(lrs, losses, x, y)
  for i = 1, #losses do
    if #x < 2 and losses[i] ~= losses[i] then
      return ("the loss is not a number from a learning rate of %.3g on; begin "
        .. "with a smaller start_lr"):format(lrs[i])
    end
  end
  if #x < 2 then
    return ("only %d learning rates could be tried before the loss diverged; "
      .. "begin with a smaller start_lr, or use a larger num_it"):format(#lrs)
  end
  for i = 2, #y do if y[i] < y[1] then return nil end end
  return ("the loss never fell between the learning rates %.3g and %.3g")
    :format(x[1], x[#x])
end

local Result = {__name = "lr_find"}

function Result:__tostring()
  local parts = {}
  for _, name in ipairs(self.rules) do
    parts[#parts + 1] = ("%s %s"):format(name,
      self[name] and ("%.3g"):format(self[name]) or "none")
  end
  return table.concat(parts, ", ")
end

--- Suggestions from a curve; see Learner:lr_find.
---@param lrs number[] the rates of num_it batches
---@param losses number[] smoothed
---@return table? suggestions, string? reason
local function read(lrs, losses, num_it, rules)
  local x, y = usable(lrs, losses, num_it)
  local reason = objection(lrs, losses, x, y)
  if reason then return nil, reason end
  local result = {lrs = lrs, losses = losses, rules = {}}
  for i, rule in ipairs(rules_of(rules or suggest.names)) do
    result.rules[i] = rule[1]
    result[rule[1]] = rule[2](x, y, num_it)
  end
  return setmetatable(result, Result)
end

local Learner = {}

--- Looks for a learning rate: num_it batches with rates from start_lr to
--- (nearly) end_lr, ended early when the loss is 4 times its least (unless
--- stop_div = false). Weights, optimiser, statistics and random numbers are put
--- back; learning rates are not set.
---@param options? {start_lr: number, end_lr: number, num_it: integer, stop_div: boolean, suggest_funcs: any}
---@return table? found {valley =, steep =, minimum =, slide =, lrs =, losses =}
---@return string? reason when no rate can be given
function Learner:lr_find(...)
  local a = arguments(...)
  if a.end_lr <= a.start_lr then
    check.fail("lr_find: end_lr must be above start_lr = %g, not %g",
      a.start_lr, a.end_lr)
  end
  rules_of(a.suggest_funcs)
  local lrs, losses = sweep(self, a)
  return read(lrs, losses, a.num_it, a.suggest_funcs)
end

return {methods = Learner, read = read}
