-- train/triangular.lua -- Learner:fit_triangular, a rate that goes up and down
-- in straight lines, for a number of epochs that need not be whole; and rates
-- that do not depend on momentum and batch size.
local core = require "sota.core"
local check = require "sota.check"

local Learner = {}

local arguments = check.spec("fit_triangular", {
  {"epochs", "number", required = true, min = 1e-6}, {"lr_max", "rate"},
  {"start", "number", 0.2, min = 0}, {"peak", "number", 0.23, min = 0, max = 1},
  {"finish", "number", 0.07, min = 0}, {"wd", "number|table", min = 0},
  {"cbs", "any"}, {"reset_opt", "boolean", false},
})

-- The factors of the rate over n_epoch whole epochs of n steps, of which the
-- first `total` are made: the step t, before which the rate is set, has
-- start + (1 - start) t / up below up = floor(peak total), then
-- 1 + (finish - 1) (t - up) / (total - up).
local function schedule(lr, a, total, all)
  local up = math.floor(a.peak * total)
  return core.schedule.combine({up / all, (total - up) / all,
                                (all - total) / all},
    {{"lin", a.start * lr, lr}, {"lin", lr, a.finish * lr},
     {"no", a.finish * lr, a.finish * lr}})
end

-- Ends the training part of the last epoch after step `total`; the epoch then
-- goes on to validation.
local function stop_after(total)
  local done = 0
  return {
    order = 900,
    trial = false,
    after_step = function() done = done + 1 end,
    after_batch = function(_, learn)
      if learn.training and done >= total then error(core.cancel.train) end
    end,
  }
end

--- Trains with rates on two straight lines: from start * lr_max up to lr_max
--- over the share `peak` of all steps, then down to finish * lr_max. Epochs may
--- be a fraction: 9.9 makes ceil(9.9 * batches) steps, and validation follows
--- the last one.
---@param epochs number
---@param lr_max? any the learner's lr; number, slice or list
---@param options? {start: number, peak: number, finish: number, wd: number|number[], cbs: any, reset_opt: boolean} wd may be one for each parameter group
---@example learn:fit_triangular(1, 1e-3)
function Learner:fit_triangular(...)
  local a = arguments(...)
  local n = math.max(#self.dls.train, 1)
  local total = math.ceil(a.epochs * n - 1e-9)
  local n_epoch = math.ceil(total / n)
  return self:run_schedule(n_epoch, self:lr_schedules(a.lr_max, function(lr)
    return schedule(lr, a, total, n_epoch * n)
  end), {wd = a.wd, reset_opt = a.reset_opt, n_step = total,
         cbs = {stop_after(total), a.cbs}})
end

return Learner
