-- callbacks/mixup.lua -- Mixup: trains on blends of two images of the batch.
--
-- Each image x, with its target y, meets another of the same batch, x2 with y2,
-- and becomes x2 + l (x - x2), l = max(b, 1 - b), b from Beta(alpha, alpha).
-- Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2017; l as fastai
-- has it.
local core = require "sota.core"
local base = require "sota.callbacks.base"
local blend = require "sota.callbacks.blend"

--- Mixup(alpha = 0.4): trains on blends of two images of the batch, with shares
--- from Beta(alpha, alpha).
---@example learn:fit(1, {cbs = Mixup(0.4)})
local Mixup = base.Callback{
  name = "Mixup", run_valid = false,
  options = {{"alpha", "number", 0.4, min = 1e-6}},
}

-- The random numbers of a batch of n: raw shares (n), and who meets whom (n).
function Mixup:draw(n)
  return core.beta{n, a = self.alpha, b = self.alpha}, core.permutation(n)
end

function Mixup:before_batch(learn)
  local x, n = learn.xb, learn.bs
  local raw, order = self:draw(n)
  local share = core.maximum(raw, 1 - raw)
  local shape = {n}
  for d = 2, x:dim() do shape[d] = 1 end
  local other = x:index_select(order, {dim = 1})
  learn.xb = other + (x - other) * share:reshape(shape)
  blend.targets(learn, order, share)
end

return {Mixup = Mixup, MixUp = Mixup}
