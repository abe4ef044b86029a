-- callbacks/guard.lua -- TerminateOnNaN: no hours spent on a network that is
-- broken already. Training steps are guarded anyway (train/guard.lua); this
-- looks at validation too, and at learners made with nan = "off" or "skip".
local base = require "sota.callbacks.base"
local guard = require "sota.train.guard"

local function is_finite(v)
  return v == v and v ~= math.huge and v ~= -math.huge
end

--- TerminateOnNaN(): ends the program (or the call, under pcall) with exit
--- code 3 after the first batch, of validation too, whose loss is infinite or
--- not a number. A training step is never taken with such a loss, with or
--- without it: Learner's option nan.
---@example learn:fit(1, {cbs = TerminateOnNaN})
local TerminateOnNaN = base.Callback{
  name = "TerminateOnNaN", order = -9, trial = false,
  after_batch = function(_, learn)
    if not learn.loss or is_finite(learn.loss) then return end
    guard.fail("diverged: the %s loss is %s at batch %d of %d in epoch %d, "
      .. "learning rate %.3g; try a smaller one",
      learn.training and "training" or "validation",
      guard.number_text(learn.loss), learn.iter, learn.n_iter, learn.epoch,
      learn.opt and learn.opt:get "lr" or 0)
  end,
}

return {TerminateOnNaN = TerminateOnNaN}
