-- train/lr_find.lua -- Learner:lr_find: trains with a rate that grows at each
-- batch, and reads good rates from the curve of the losses. Smith, "Cyclical
-- Learning Rates for Training Neural Networks", 2017. Afterwards everything is
-- as it was before.
local core = require "sota.core"
local check = require "sota.check"
local curve = require "sota.train.curve"
local guard = require "sota.train.guard"
local snapshot = require "sota.train.snapshot"

local arguments = check.spec("lr_find", {
  {"start_lr", "number", 1e-7, min = 1e-12}, {"end_lr", "number", 10},
  {"num_it", "integer", 100, min = 6}, {"stop_div", "boolean", true},
  {"suggest_funcs", "any", curve.all_rules},
})

-- --- the trial run -----------------------------------------------------------

-- A callback. Before it, a few things that belong to real training are off.
local Finder = {order = 60}
Finder.__index = Finder

function Finder:configure(spec)
  spec.valid, spec.table, spec.progress, spec.history = nil, nil, nil, nil
  -- It is to see the rate that is too large.
  spec.metrics, spec.nan, spec.warnings = {}, "off", false
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

-- The rates that were tried, and the smoothed losses.
local function sweep(learn, a)
  local saved <close> = snapshot.of(learn)
  local line <close> = not learn.quiet
    and core.progress("lr_find", a.num_it, "batches") or nil
  learn.cbs = for_trials(learn.cbs)
  local finder = setmetatable({a = a, line = line}, Finder)
  local ok, why = pcall(learn.run_schedule, learn,
    a.num_it // math.max(1, #learn.dls.train) + 1, nil, {cbs = finder})
  if not ok and not guard.is_divergence(why) then error(why, 0) end
  return learn.recorder.lrs, learn.recorder.losses
end

local Learner = {}

--- Looks for a learning rate: num_it batches with rates from start_lr to
--- (nearly) end_lr, ended early when the loss is 4 times its least (unless
--- stop_div = false). Weights, optimiser, statistics and random numbers are put
--- back; learning rates are not set.
---@param options? {start_lr: number, end_lr: number, num_it: integer, stop_div: boolean, suggest_funcs: any}
---@return table? found {valley =, steep =, minimum =, slide =, lrs =, losses =}
---@return string? reason when no rate can be given
---@example learn:lr_find{num_it = 20}
function Learner:lr_find(...)
  local a = arguments(...)
  if a.end_lr <= a.start_lr then
    check.fail("lr_find: end_lr must be above start_lr = %g, not %g",
      a.start_lr, a.end_lr)
  end
  curve.rules_of(a.suggest_funcs)
  local lrs, losses = sweep(self, a)
  return curve.read(lrs, losses, a.num_it, a.suggest_funcs)
end

return Learner
