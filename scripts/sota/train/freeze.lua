-- train/freeze.lua -- Learner:freeze, freeze_to, unfreeze: which parameter
-- groups (groups.lua) are trained. The parameters of norm layers are, in frozen
-- groups too, unless the learner has train_bn = false.
local check = require "sota.check"
local groups = require "sota.train.groups"

local Learner = {}

--- Freezes the first n groups: their weights no longer change, the parameters
--- of their norm layers do (unless train_bn = false). The optimiser forgets its
--- moments.
---@param n integer from the end when negative: -1 trains the last group only
---@example learn:freeze_to(-1)
function Learner:freeze_to(n)
  if math.type(n) ~= "integer" then
    check.fail("freeze_to: wants how many groups to freeze, not %s",
      check.describe(n))
  end
  local of, count = groups.of(self.model, self.splitter)
  local frozen = n < 0 and count + n or n
  if frozen < 0 or frozen >= count then
    check.fail("freeze_to(%d): the model has %d parameter group%s, and one at "
      .. "least must be trained", n, count, count == 1 and "" or "s")
  end
  for name, t, owner in self.model:named_parameters() do
    t:requires_grad(of[name] > frozen or (self.train_bn and owner.is_norm)
      or false)
  end
  self:with_opt():clear_state()
  return self
end

--- Trains the last group only (and norm layers). With one group nothing is
--- frozen.
---@example learn:freeze()
function Learner:freeze() return self:freeze_to(-1) end

--- Trains everything.
---@example learn:unfreeze()
function Learner:unfreeze() return self:freeze_to(0) end

return Learner
