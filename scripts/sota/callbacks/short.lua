-- callbacks/short.lua -- ShortEpoch: to try whether everything runs.
local core = require "sota.core"
local base = require "sota.callbacks.base"

--- ShortEpoch(pct = 0.01, {short_valid = true}): epochs end after this share of
--- their batches (at least one); validation too, unless short_valid = false.
---@example learn:fit(1, {cbs = ShortEpoch(0.2)})
local ShortEpoch = base.Callback{
  name = "ShortEpoch", trial = false,
  options = {{"pct", "number", 0.01, min = 0, max = 1},
             {"short_valid", "boolean", true}},
  after_batch = function(self, learn)
    if learn.iter / learn.n_iter < self.pct then return end
    if learn.training then error(core.cancel.train) end
    if self.short_valid then error(core.cancel.validate) end
  end,
}

return {ShortEpoch = ShortEpoch}
