-- act.lua -- activations as modules. Those that other ops can fuse carry the
-- name by which those know them.
local nn = require "sota.nn"
local core = require "sota.core"
local check = require "sota.check"

local layers = {}

local function activation(name, op, fused)
  local class = nn.class(name)
  class.fused = fused
  function class:forward(x) return core[op](x) end
  layers[name] = class
end

--- nn.ReLU(): max(x, 0), as a module.
---@example nn.ReLU()(t)
activation("ReLU", "relu", "relu")
--- nn.GELU(): x times the normal distribution's share below x, as a module.
---@example nn.GELU()(t)
activation("GELU", "gelu", "gelu")
--- nn.SiLU(): x sigmoid(x), as a module.
---@example nn.SiLU()(t)
activation("SiLU", "silu", "silu")
--- nn.Mish(): x tanh(ln(1 + e^x)), as a module.
---@example nn.Mish()(t)
activation("Mish", "mish", "mish")
--- nn.Sigmoid(): 1 / (1 + e^-x), as a module.
---@example nn.Sigmoid()(t)
activation("Sigmoid", "sigmoid")
--- nn.Tanh(): the hyperbolic tangent, as a module.
---@example nn.Tanh()(t)
activation("Tanh", "tanh")
layers.Swish = layers.SiLU

local by_name = {relu = "ReLU", gelu = "GELU", silu = "SiLU", swish = "SiLU",
                 mish = "Mish", sigmoid = "Sigmoid", tanh = "Tanh"}
local names = {"relu", "gelu", "silu", "swish", "mish", "sigmoid", "tanh",
               "none"}

--- A new activation module from what a user may give: a name ("mish"), a class
--- (nn.Mish), a module, a function, or false and "none" for none (nil).
---@param what string for messages
---@example nn.activation("mish", "my layer")
function layers.activation(act, what)
  if not act or act == "none" then return nil end
  if type(act) == "function" then return nn.Lambda(act) end
  if nn.is_class(act) then return act() end
  if nn.is_module(act) then return act end
  if type(act) ~= "string" then
    check.fail("%s: 'act' must be a name, class or function, not %s", what,
      check.describe(act))
  end
  local class = by_name[act:lower()]
  if not class then
    check.fail("%s: unknown activation '%s'%s", what, act,
      check.did_you_mean(act, names))
  end
  return layers[class]()
end

return layers
