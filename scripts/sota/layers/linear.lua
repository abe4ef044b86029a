-- linear.lua -- the fully connected layer.
local nn = require "sota.nn"
local core = require "sota.core"
local check = require "sota.check"
local init = require "sota.layers.init_weights"
local autocast = require "sota.autocast"

local Linear = nn.class "Linear"

local arguments = check.spec("Linear", {
  {"in_features", "integer", required = true, min = 1},
  {"out_features", "integer", required = true, min = 1},
  {"bias", "boolean", true},
  {"init", "string", "default", choices = {"default", "kaiming_normal"}},
})

--- nn.Linear(in_features, out_features, {bias = true, init = "default"}):
--- x (.., in) to (.., out). init "kaiming_normal" has a bias of 0.
---@example nn.Linear(2, 5)(t)
function Linear:init(...)
  local a = arguments(...)
  self.in_features, self.out_features = a.in_features, a.out_features
  local shape = {a.out_features, a.in_features}
  local weight, bias = init.pair(a.init, shape, a.bias)
  self.weight = nn.Parameter(weight)
  if bias then self.bias = nn.Parameter(bias) end
end

function Linear:forward(x)
  return core.linear(autocast.input(x), self.weight, self.bias)
end

function Linear:extra()
  return ("%d, %d, bias=%s"):format(self.in_features, self.out_features,
    tostring(self.bias ~= nil))
end

return {Linear = Linear}
