-- callbacks/train_for.lua -- TrainFor: parameters that are trained in the first
-- epochs only.
local core = require "sota.core"
local check = require "sota.check"
local base = require "sota.callbacks.base"

--- TrainFor(epochs, params): a list of parameters (or one) that is trained for
--- as many epochs of a fit, and then stays as it is. When the fit is over they
--- can be trained again.
---@example learn:fit(2, {cbs = TrainFor(1, model[1]:parameters())})
local TrainFor = base.Callback{
  name = "TrainFor", trial = false,
  options = {{"epochs", "integer", required = true, min = 0},
             {"params", "any", required = true}},
}

function TrainFor:init()
  if core.is_tensor(self.params) then self.params = {self.params} end
  for i, t in ipairs(self.params) do
    if not core.is_tensor(t) then
      check.fail("TrainFor: params[%d] must be a parameter, not %s", i,
        check.describe(t))
    end
  end
end

local function train(self, on)
  for _, t in ipairs(self.params) do
    t:requires_grad(on)
    if not on then t:zero_grad() end
  end
end

function TrainFor:before_epoch(learn)
  train(self, learn.epoch <= self.epochs)
end

function TrainFor:after_fit() train(self, true) end
TrainFor.after_abort = TrainFor.after_fit

return {TrainFor = TrainFor}
