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
---@example nn.MaxPool(2)(x)
pool("MaxPool", "max_pool2d")

--- nn.AvgPool(kernel_size, {...}): a partial window is averaged over the
--- pixels that it has.
---@example nn.AvgPool(2)(x)
pool("AvgPool", "avg_pool2d")

--- nn.AdaptiveAvgPool(size): means of size x size bins, whatever the image.
---@example nn.AdaptiveAvgPool(2)(x)
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
---@example nn.GlobalAvgPool()(x)
local GlobalAvgPool = nn.class "GlobalAvgPool"
layers.GlobalAvgPool = GlobalAvgPool
function GlobalAvgPool:forward(x) return core.global_avg_pool(x) end

--- nn.AdaptiveConcatPool(): maximum, then mean, of all pixels: (N, H, W, C) to
--- (N, 1, 1, 2C).
---@example nn.AdaptiveConcatPool()(x)
local AdaptiveConcatPool = nn.class "AdaptiveConcatPool"
layers.AdaptiveConcatPool = AdaptiveConcatPool
function AdaptiveConcatPool:forward(x)
  return as_image(core.cat({core.global_max_pool(x), core.global_avg_pool(x)},
    {dim = 2}))
end

-- --- MaxBlurPool -----------------------------------------------------------

-- Rows 3, 2 | 1 .. n | n-1, n-2 of a dimension: reflection by two.
local function reflect(x, dim)
  local n, rows = x:shape(dim), {3, 2}
  if n < 3 then
    check.fail("MaxBlurPool: the image is %d by %d pixels; it wants 3 by 3",
      x:shape(2), x:shape(3))
  end
  for i = 1, n do rows[i + 2] = i end
  rows[n + 3], rows[n + 4] = n - 1, n - 2
  return core.index_select(x, core.tensor(rows, {dtype = "i32"}):to(x:device()),
    {dim = dim})
end

-- (1, 4, 6, 4, 1) / 16 blurred by (1, 1) / 2, in both directions.
local taps = {1, 5, 10, 10, 5, 1}

local function blur_kernel(channels, device)
  local row = core.tensor(taps):to(device) / 32
  local kernel = row:reshape{6, 1} * row:reshape{1, 6}
  return kernel:reshape{1, 6, 6, 1}:expand{channels, 6, 6, 1}:contiguous()
end

--- nn.MaxBlurPool(): halves the image without aliasing, as kornia's did in
--- 2020: 3x3 maximum, 5x5 binomial blur with reflected borders, means of 2x2
--- (an odd last row or column is dropped). The last two are one convolution.
---@example nn.MaxBlurPool()(x)
local MaxBlurPool = nn.class "MaxBlurPool"
layers.MaxBlurPool = MaxBlurPool

local blur_arguments = check.spec("MaxBlurPool", {
  {"stride", "integer", 2, min = 2, max = 2},
  {"ceil_mode", "boolean", false}, -- for ResBlock's pool; it has no effect
})

function MaxBlurPool:init(...) blur_arguments(...) end

function MaxBlurPool:forward(x)
  local c = x:shape(4)
  if not self.kernel or self.kernel:shape(1) ~= c
    or self.kernel:device() ~= x:device() then
    self.kernel = core.no_grad(blur_kernel, c, x:device()):keep()
  end
  local y = core.max_pool2d(x, {kernel_size = 3, stride = 1, padding = 1})
  return core.conv2d(reflect(reflect(y, 2), 3), self.kernel,
    {stride = 2, groups = c})
end

return layers
