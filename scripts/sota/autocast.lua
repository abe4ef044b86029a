-- autocast.lua -- mixed precision: a model whose activations are bf16.
--
-- Inside autocast.run, an f32 tensor that reaches a convolution or a linear
-- layer is rounded to bf16 first, and so all that is computed from it is bf16
-- too. Weights stay f32 (convolutions round them as they read them), so do
-- statistics, sums, gradients of weights, and the result. As torch.autocast,
-- but that a tensor once rounded stays so.
local core = require "sota.core"

local autocast = {}
local on = false

local function is_f32(x) return x:dtype() == "f32" end

--- The tensor as a layer of the running model should read it.
---@param x tensor
---@return tensor
function autocast.input(x)
  if on and is_f32(x) then return core.cast(x, {dtype = "bf16"}) end
  return x
end

function autocast.enabled() return on end

local restore = {__close = function(t) on = t[1] end}

--- f(x), with or without rounding.
---@param enabled boolean
---@param f function|Module
---@param x tensor
function autocast.set(enabled, f, x)
  local was <close> = setmetatable({on}, restore)
  on = enabled
  return f(x)
end

--- model(x) in bf16; the result is f32.
---@param model function|Module of one tensor, gives one (or anything else)
---@param x tensor
function autocast.run(model, x)
  local y = autocast.set(true, model, x)
  if core.is_tensor(y) and y:dtype() == "bf16" then
    return core.cast(y, {dtype = "f32"})
  end
  return y
end

return autocast
