-- shape.lua -- Flatten and Dropout.
local nn = require "sota.nn"
local core = require "sota.core"
local check = require "sota.check"

--- nn.Flatten(): (N, ...) to (N, all the rest). Images are NHWC here: unless
--- they are 1x1, a layer after it numbers its inputs otherwise than PyTorch.
---@example nn.Flatten()(x)
local Flatten = nn.class "Flatten"
function Flatten:forward(x) return x:reshape{x:shape(1), -1} end

--- nn.Dropout(p = 0.5): in training each element is 0 with probability p, the
--- others grow by 1 / (1 - p).
---@example nn.Dropout(0.5)(t)
local Dropout = nn.class "Dropout"

local arguments = check.spec("Dropout", {
  {"p", "number", 0.5, min = 0, max = 1},
})

function Dropout:init(...) self.p = arguments(...).p end

function Dropout:forward(x)
  if not self.training or self.p == 0 then return x end
  return core.dropout(x, {p = self.p})
end

function Dropout:extra() return ("p=%g"):format(self.p) end

return {Flatten = Flatten, Dropout = Dropout}
