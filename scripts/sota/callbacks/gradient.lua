-- callbacks/gradient.lua -- between backward and the optimiser's step.
local core = require "sota.core"
local base = require "sota.callbacks.base"
local guard = require "sota.train.guard"

local gradient = {}

--- GradientAccumulation(n_acc = 32): a step of the optimiser only when n_acc
--- items have been seen, so that small batches train like large ones (batch
--- norm still sees the small ones). Gradients add up in between; what an epoch
--- leaves over counts for the next one.
---@example learn:fit(1, {cbs = GradientAccumulation{n_acc = 32}})
gradient.GradientAccumulation = base.Callback{
  name = "GradientAccumulation", order = 6, run_valid = false,
  options = {{"n_acc", "integer", 32, min = 1}}, state = {"count"},
  before_fit = function(self) self.count = 0 end,
  after_loss = function(self, learn)
    learn.loss_grad = learn.loss_grad * (learn.bs / self.n_acc)
    self.count = self.count + learn.bs
  end,
  before_step = function(self)
    if self.count < self.n_acc then error(core.cancel.batch) end
    self.count = 0
  end,
}

--- GradientClip(max_norm = 1): scales all gradients down together when their
--- norm is larger. A norm that is not finite ends the run with exit code 3, or
--- the batch is left out: Learner's option nan.
---@example learn:fit(1, {cbs = GradientClip(1)})
gradient.GradientClip = base.Callback{
  name = "GradientClip", order = 11,
  options = {{"max_norm", "number", 1, min = 0}},
  before_step = function(self, learn)
    local ok, why = pcall(learn.opt.clip, learn.opt, self.max_norm)
    if ok or learn.guarded and guard.is_divergence(why) then return end
    error(why, 0) -- where there is a guard, it sees and says more
  end,
}

return gradient
