-- hashed.lua -- fills a model as the golden files did, by the portable hash.
local core = require "sota.core"
local check = require "check"

local hashed = {}

-- A parameter's shape in PyTorch's layout.
function hashed.torch_shape(t, layout)
  local s = t:shape()
  if layout ~= "OHWI" then return s end
  return {s[1], s[4], s[2], s[3]}
end

local function numel(shape)
  local n = 1
  for _, d in ipairs(shape) do n = n * d end
  return n
end

local function value(name, k, shape)
  if #shape > 1 then
    local fan_in = numel(shape) / shape[1]
    return check.pattern(k, shape, math.sqrt(2 / fan_in) * math.sqrt(3))
  elseif name:find "%.?gamma$" then
    return check.pattern(k, shape, 0.5)
  elseif name:find "weight$" then
    return check.pattern(k, shape, 0.3) + 1
  end
  return check.pattern(k, shape, 0.1)
end

--- Fills the i-th parameter from pattern k0 + i.
function hashed.fill(model, k0)
  local i = 0
  local layout = {}
  for _, e in ipairs(model:state_dict()) do layout[e.name] = e.layout end
  core.no_grad(function()
    for name, t in model:named_parameters() do
      t:copy_(value(name, k0 + i, hashed.torch_shape(t, layout[name])))
      i = i + 1
    end
    for name, t in model:named_buffers() do
      local k = ({u = 50, v = 51})[name:match "weight_([uv])$"]
      if k then
        local p = check.pattern(k, t:shape(), 1)
        t:copy_(p / p:norm())
      end
    end
  end)
  return model
end

return hashed
