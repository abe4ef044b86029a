-- pool.lua -- pooling of images (N, H, W, C).
local nn = require "sota.nn"
local core = require "sota.core"
local check = require "sota.check"

local layers = {}

local function pool(name, op)
  local class = nn.class(name)
  local arguments = check.spec(name, {
    {"kernel_size", "size", required = true, min = 1},
    {"stride", "size", min = 1},
    {"padding", "size", 0, min = 0},
    {"ceil_mode", "boolean", false},
  })
  function class:init(...)
    local a = arguments(...)
    self.options = {kernel_size = a.kernel_size, padding = a.padding,
                    stride = a.stride or a.kernel_size, ceil_mode = a.ceil_mode}
  end
  function class:forward(x) return core[op](x, self.options) end
  function class:extra()
    local o, list = self.options, {}
    for _, key in ipairs {"kernel_size", "stride", "padding", "ceil_mode"} do
      local v = o[key]
      if type(v) == "table" then v = ("{%d, %d}"):format(v[1], v[2]) end
      if v ~= 0 and v then list[#list + 1] = key .. "=" .. tostring(v) end
    end
    return table.concat(list, ", ")
  end
  layers[name] = class
end

--- nn.MaxPool(kernel_size, {stride = kernel_size, padding = 0,
--- ceil_mode = false})
pool("MaxPool", "max_pool2d")

--- nn.AvgPool(kernel_size, {...}): a partial window is averaged over the
--- pixels that it has.
pool("AvgPool", "avg_pool2d")

--- nn.AdaptiveAvgPool(size): means of size x size bins, whatever the image.
local AdaptiveAvgPool = nn.class "AdaptiveAvgPool"
layers.AdaptiveAvgPool = AdaptiveAvgPool

local adaptive_arguments = check.spec("AdaptiveAvgPool", {
  {"output_size", "size", 1, min = 1},
})

function AdaptiveAvgPool:init(...)
  self.output_size = adaptive_arguments(...).output_size
end

-- (N, C) to (N, 1, 1, C)
local function as_image(x)
  return x:reshape{x:shape(1), 1, 1, x:shape(2)}
end

function AdaptiveAvgPool:forward(x)
  if self.output_size == 1 then return as_image(core.global_avg_pool(x)) end
  return core.adaptive_avg_pool2d(x, {output_size = self.output_size})
end

function AdaptiveAvgPool:extra()
  local s = self.output_size
  return type(s) == "table" and ("{%d, %d}"):format(s[1], s[2]) or tostring(s)
end

--- nn.GlobalAvgPool(): (N, H, W, C) to (N, C).
local GlobalAvgPool = nn.class "GlobalAvgPool"
layers.GlobalAvgPool = GlobalAvgPool
function GlobalAvgPool:forward(x) return core.global_avg_pool(x) end

--- nn.AdaptiveConcatPool(): maximum, then mean, of all pixels: (N, H, W, C) to
--- (N, 1, 1, 2C).
local AdaptiveConcatPool = nn.class "AdaptiveConcatPool"
layers.AdaptiveConcatPool = AdaptiveConcatPool
function AdaptiveConcatPool:forward(x)
  return as_image(core.cat({core.global_max_pool(x), core.global_avg_pool(x)},
    {dim = 2}))
end

return layers
