-- whitening.lua -- a first convolution that is computed, not trained: its
-- filters are the principal components of the images' small patches, scaled so
-- that what they give has variance 1 and no correlation (Page, "How to train
-- your ResNet", 2018; Jordan, "94% on CIFAR-10 in 3.29 seconds", 2024).
local nn = require "sota.nn"
local core = require "sota.core"
local check = require "sota.check"
local eigen = require "sota.eigen"

local WhiteningConv = nn.class("WhiteningConv", nn.Conv2d)

local arguments = check.spec("WhiteningConv", {
  {"in_channels", "integer", 3, min = 1},
  {"kernel_size", "integer", 2, min = 1},
  {"eps", "number", 5e-4, min = 0},
})

--- nn.WhiteningConv(in_channels = 3, kernel_size = 2, {eps = 5e-4}): x
--- (N, H, W, C) to (N, H-k+1, W-k+1, 2 k k C). The weights are frozen and come
--- from measure(), without which it refuses to be trained; the bias starts at 0
--- and is trained.
---@example nn.WhiteningConv(3, 2):measure(x)
function WhiteningConv:init(...)
  local a = arguments(...)
  local n = a.in_channels * a.kernel_size * a.kernel_size
  nn.Conv2d.init(self, a.in_channels, 2 * n, a.kernel_size)
  self.eps = a.eps
  self.weight:requires_grad(false)
  core.no_grad(function() self.bias:fill_(0) end)
  self.measured = false
end

-- (A file's weights were measured.)
function WhiteningConv:after_load() self.measured = true end

function WhiteningConv:forward(x)
  if self.training and not self.measured then
    check.fail "WhiteningConv: its weights come from images, not from training: before the first fit, call model:whitening():measure(dls.train)"
  end
  return nn.Conv2d.forward(self, x)
end

-- All k x k patches of x (N, H, W, C) as rows (M, k k C), in the order (y, x,
-- c), which is that of the weights.
local function patches(x, k)
  local h, w, c = x:shape(2) - k + 1, x:shape(3) - k + 1, x:shape(4)
  local parts = {}
  for dy = 1, k do
    for dx = 1, k do
      parts[#parts + 1] = x:slice{dim = 2, first = dy, last = dy + h - 1}
        :slice{dim = 3, first = dx, last = dx + w - 1}:contiguous()
        :reshape{-1, c}
    end
  end
  return core.cat(parts, {dim = 2})
end

-- Adds the products of all patches of x to the matrix; the number of patches.
local function add_products(sum, x, k)
  local p = patches(x:to "f32", k)
  local products = core.matmul(p:permute{2, 1}:contiguous(), p):totable()
  for i, row in ipairs(products) do
    sum[i] = sum[i] or {}
    for j, v in ipairs(row) do sum[i][j] = (sum[i][j] or 0) + v end
  end
  return p:shape(1)
end

-- for x in batches_of(source, n): the images of a tensor, or the first n of a
-- loader, in its order and as validation sees them.
local function batches_of(source, n)
  if core.is_tensor(source) then
    return coroutine.wrap(function() coroutine.yield(source) end)
  end
  local plain = source:with{train = false, shuffle = false, drop_last = false,
    bs = math.min(source.bs, source:items())}
  return coroutine.wrap(function()
    local left = n
    for _, x in plain:batches(1) do
      local take = math.min(left, x:shape(1))
      coroutine.yield(x:slice{dim = 1, first = 1, last = take}:contiguous())
      left = left - take
      if left == 0 then break end
    end
    plain:close()
  end)
end

--- Of patches (y, x, c) of images: the mean of p p' (not centred).
---@param source tensor|DataLoader (N, H, W, C), or a loader's first images
---@param kernel_size integer
---@param n? integer images of a loader: 5000
---@return number[][]
function WhiteningConv.covariance(source, kernel_size, n)
  local sum, count = {}, 0
  core.no_grad(function()
    for x in batches_of(source, n or 5000) do
      count = count + core.scope(add_products, sum, x, kernel_size)
    end
  end)
  for _, row in ipairs(sum) do
    for j = 1, #row do row[j] = row[j] / count end
  end
  return sum
end

-- Rows v / sqrt(value + eps) of a list, then their negatives.
local function filters(covariance, eps)
  local values, vectors = eigen.symmetric(covariance)
  local flat = {}
  for sign = 1, -1, -2 do
    for k, v in ipairs(vectors) do
      local scale = sign / math.sqrt(math.max(values[k], 0) + eps)
      for _, e in ipairs(v) do flat[#flat + 1] = e * scale end
    end
  end
  return flat
end

local measure_arguments = check.spec("WhiteningConv:measure", {
  {"source", "any", required = true}, {"images", "integer", 5000, min = 1},
})

--- Sets the weights from normalised images: with the eigenpairs (l, v) of the
--- covariance of their patches, v / sqrt(l + eps) for l from the largest, then
--- the negatives of all these. Returns the layer.
---@param source tensor|DataLoader images (N, H, W, C), or where to take them
---@param options? {images: integer} of a loader, from its beginning: 5000
function WhiteningConv:measure(...)
  local a = measure_arguments(...)
  local x = a.source
  if not core.is_tensor(x) and not (type(x) == "table" and x.with) then
    check.fail("WhiteningConv:measure: wants images (N, H, W, C) or a loader, "
      .. "such as dls.train, not %s", check.describe(x))
  end
  local k = self.kernel_size
  local covariance = WhiteningConv.covariance(x, k, a.images)
  if #covariance ~= k * k * self.in_channels then
    check.fail("WhiteningConv:measure: the images have %d channels, the layer "
      .. "wants %d", #covariance // (k * k), self.in_channels)
  end
  core.no_grad(function()
    local flat <close> = core.tensor(filters(covariance, self.eps))
    self.weight:copy_(flat:reshape(self.weight:shape()))
  end)
  self.measured = true
  return self
end

return {WhiteningConv = WhiteningConv}
