-- init_weights.lua -- initial values. Each tensor draws from a stream of its
-- own, named by the seed and the number of the draw: the same script with the
-- same seed starts from the same weights, on any machine.
local core = require "sota.core"

local init = {}

local function fan_in(shape)
  local n = 1
  for d = 2, #shape do n = n * shape[d] end
  return n
end

--- N(0, 2 / fan_in): keeps the scale of signals through ReLU layers (He et
--- al., 2015). What fastai gives every conv and the head.
function init.kaiming_normal(shape)
  return core.normal{shape = shape, std = math.sqrt(2 / fan_in(shape))}
end

--- N(0, 2 / fan_out) of a convolution (O, KH, KW, I): the same for gradients.
--- What torchvision gives its ResNets; as there, groups do not count.
function init.kaiming_normal_out(shape)
  local fan_out = shape[1] * shape[2] * shape[3]
  return core.normal{shape = shape, std = math.sqrt(2 / fan_out)}
end

--- U(-1/sqrt(fan_in), 1/sqrt(fan_in)): PyTorch's default.
function init.default(shape)
  local bound = 1 / math.sqrt(fan_in(shape))
  return core.uniform{shape = shape, low = -bound, high = bound}
end

--- The same for the bias that belongs to weights of that shape.
function init.default_bias(shape)
  local bound = 1 / math.sqrt(fan_in(shape))
  return core.uniform{shape = {shape[1]}, low = -bound, high = bound}
end

--- default, but the first filters, as many as there are input channels, pass on
--- one channel each, as it is (the centre tap is 1): signals and gradients find
--- a straight way through a new network.
function init.dirac(shape)
  local n, kh, kw, c = table.unpack(shape)
  local weight, middle = init.default(shape), kh // 2 * kw + kw // 2
  local rows = math.min(n, c)
  local flat = core.zeros(rows, kh * kw * c):totable()
  for i = 1, rows do flat[i][middle * c + i] = 1 end
  local first = core.tensor(flat):reshape{rows, kh, kw, c}
  if rows == n then return first end
  return core.cat({first, weight:slice{dim = 1, first = rows + 1, last = n}
    :contiguous()}, {dim = 1})
end

--- Weight and bias (nil unless wanted) by the name of a rule: "default" draws
--- the bias too, the others start it at 0.
function init.pair(rule, shape, bias)
  if rule == "default" then
    return init.default(shape), bias and init.default_bias(shape) or nil
  end
  return init[rule](shape), bias and core.zeros(shape[1]) or nil
end

init.rules = {"default", "kaiming_normal", "kaiming_normal_out", "dirac"}

return init
