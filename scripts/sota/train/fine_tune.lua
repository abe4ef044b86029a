-- train/fine_tune.lua -- schedules made of several parts: Learner:fine_tune and
-- Learner:fit_sgdr.
local core = require "sota.core"
local check = require "sota.check"
local rates = require "sota.train.rates"

local Learner = {}

local fine_tune_arguments = check.spec("fine_tune", {
  {"epochs", "integer", required = true, min = 1},
  {"base_lr", "number", 2e-3, min = 0},
  {"freeze_epochs", "integer", 1, min = 0},
  {"lr_mult", "number", 100, min = 1},
  {"pct_start", "number", 0.3, min = 0, max = 1}, {"div", "number", 5, min = 1},
  {"div_final", "number", 1e5, min = 1}, {"wd", "number", min = 0},
  {"moms", "table"}, {"cbs", "any"}, {"reset_opt", "boolean", false},
})

--- One cycle of freeze_epochs with all but the last group frozen, then one of
--- epochs with everything at half the rate, the first group at a lr_mult-th of
--- it. A model of one group is trained whole in both.
---@param epochs integer
---@param base_lr? number 2e-3
---@param options? {freeze_epochs: integer, lr_mult: number, pct_start: number, div: number, div_final: number, wd: number, moms: number[], cbs: any, reset_opt: boolean}
---@example learn:fine_tune(1, {freeze_epochs = 1})
function Learner:fine_tune(...)
  local a = fine_tune_arguments(...)
  local function cycle(n, lr, pct_start, div)
    self:fit_one_cycle(n, lr, {pct_start = pct_start, div = div,
      div_final = a.div_final, wd = a.wd, moms = a.moms, cbs = a.cbs,
      reset_opt = a.reset_opt})
  end
  self:freeze()
  if a.freeze_epochs > 0 then
    cycle(a.freeze_epochs, rates.slice(a.base_lr), 0.99, 25)
  end
  local lr = a.base_lr / 2
  self:unfreeze()
  cycle(a.epochs, rates.slice(lr / a.lr_mult, lr), a.pct_start, a.div)
  return self
end

local sgdr_arguments = check.spec("fit_sgdr", {
  {"n_cycles", "integer", required = true, min = 1},
  {"cycle_len", "integer", required = true, min = 1},
  {"lr_max", "rate"}, {"cycle_mult", "integer", 2, min = 1},
  {"wd", "number", min = 0}, {"cbs", "any"}, {"reset_opt", "boolean", false},
})

local function epochs_of(n_cycles, cycle_len, mult)
  local n, len = 0, cycle_len
  for _ = 1, n_cycles do n, len = n + len, len * mult end
  return n
end

--- Warm restarts: n_cycles cosines from lr_max to 0, the first over cycle_len
--- epochs, each cycle_mult times as long as the one before.
---@param n_cycles integer
---@param cycle_len integer epochs
---@param lr_max? any the learner's lr
---@param options? {cycle_mult: integer, wd: number, cbs: any, reset_opt: boolean}
---@example learn:fit_sgdr(1, 1)
function Learner:fit_sgdr(...)
  local a = sgdr_arguments(...)
  return self:run_schedule(epochs_of(a.n_cycles, a.cycle_len, a.cycle_mult),
    self:lr_schedules(a.lr_max, function(lr)
      return core.schedule.sgdr(a.n_cycles, a.cycle_len, a.cycle_mult, lr)
    end), a)
end

return Learner
