-- callbacks/norm.lua -- BnFreeze: for fine-tuning with small batches.
local base = require "sota.callbacks.base"

--- BnFreeze(): norm layers whose parameters are frozen keep their statistics
--- too. For learners with train_bn = false.
---@example Learner(dls, model, {train_bn = false, cbs = BnFreeze})
local BnFreeze = base.Callback{
  name = "BnFreeze",
  before_train = function(_, learn)
    for _, m in learn.model:modules() do
      if m.is_norm and m.weight and not m.weight:requires_grad() then
        m:eval()
      end
    end
  end,
}

return {BnFreeze = BnFreeze}
