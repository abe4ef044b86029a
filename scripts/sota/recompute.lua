-- recompute.lua -- activation checkpointing: of a part of a model only its
-- input is kept for backward, which computes the rest again. Memory for time.
local core = require "sota.core"
local autocast = require "sota.autocast"

local recompute = {}
local again = false

--- True while backward computes something for the second time: what counts
--- batches or collects statistics must then leave them alone.
function recompute.running() return again end

local restore = {__close = function(t) again = t[1] end}

--- f(x), as torch.utils.checkpoint.checkpoint. f takes and gives one tensor; it
--- runs once more in backward, with the random numbers and the precision of
--- the first time.
---@param f function|Module
---@param x tensor
---@return tensor
---@example nn.checkpoint(model, x)
function recompute.checkpoint(f, x)
  local bf16 = autocast.enabled()
  return core.replay(function(input, second)
    if not second then return f(input) end
    local was <close> = setmetatable({again}, restore)
    again = true
    return autocast.set(bf16, f, input)
  end, x)
end

return recompute
