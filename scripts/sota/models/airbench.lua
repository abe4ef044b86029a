-- models/airbench.lua -- the small convnets of Keller Jordan's "94% on CIFAR-10
-- in 3.29 seconds on a single GPU" (2024), with its names of parameters.
--
--   0  WhiteningConv 2x2   32x32 -> 31x31, 24 channels; frozen, but its bias
--   1  GELU
--   2  ConvGroup           31x31 -> 15x15
--   3  ConvGroup           15x15 -> 7x7
--   4  ConvGroup           7x7 -> 3x3
--   5  the largest of each channel (at 32x32 pixels: of 3x3), 7 Linear without
--      a bias, and a factor of 1/9
local nn = require "sota.nn"
local core = require "sota.core"
local check = require "sota.check"

local airbench = {}

local SCALE = 1 / 9 -- of the logits
local EPS = 1e-12 -- of the norms

local function conv(ni, nf)
  return nn.Conv2d(ni, nf, 3, {padding = 1, bias = false, init = "dirac"})
end

-- Its gain stays 1; only the bias is trained.
local function norm(nf, momentum)
  local m = nn.BatchNorm2d(nf, {eps = EPS, momentum = momentum})
  m.weight:requires_grad(false)
  return m
end

-- --- ConvGroup -------------------------------------------------------------

local ConvGroup = nn.class "ConvGroup"

-- conv, MaxPool(2), norm, GELU, conv, norm, GELU.
function ConvGroup:init(ni, nf, momentum)
  self.conv1, self.norm1 = conv(ni, nf), norm(nf, momentum)
  self.conv2, self.norm2 = conv(nf, nf), norm(nf, momentum)
end

local function options_of(n)
  return {eps = n.eps, momentum = n:count_batch(), training = n.training,
          act = "gelu"}
end

-- Norm and activation are one operation, after the second convolution with it.
function ConvGroup:forward(x)
  local n1, n2 = self.norm1, self.norm2
  x = core.max_pool2d(self.conv1(x), {kernel_size = 2, stride = 2})
  x = core.batch_norm(x, n1.weight, n1.bias, n1.running_mean, n1.running_var,
    options_of(n1))
  local o = options_of(n2)
  o.padding = 1
  return core.conv_bn_act(x, self.conv2.weight, n2.weight, n2.bias,
    n2.running_mean, n2.running_var, nil, o)
end

-- --- the nets ----------------------------------------------------------------

local AirbenchNet = nn.class("AirbenchNet", nn.Sequential)

local names = {airbench94 = {64, 256, 256}, airbench95 = {128, 384, 384}}

local function largest(x) return core.global_max_pool(x) end
local function scaled(x) return x * SCALE end

function AirbenchNet:init(name, a)
  local widths = a.widths or names[name]
  if #widths ~= 3 then
    check.fail("%s: widths are three numbers, such as {64, 256, 256}", name)
  end
  self:append(nn.WhiteningConv(a.c_in, 2))
  self:append(nn.GELU())
  local ni = 2 * 4 * a.c_in
  for _, nf in ipairs(widths) do
    self:append(ConvGroup(ni, nf, a.momentum))
    ni = nf
  end
  self:append(nn.Lambda(largest))
  self:append(nn.Identity()) -- the original's Flatten
  self:append(nn.Linear(ni, a.n_out, {bias = false}))
  self:append(nn.Lambda(scaled))
  self.arch = {name = name, options = {n_out = a.n_out, c_in = a.c_in,
    widths = widths, momentum = a.momentum}}
end

--- The convolution whose weights come from the data: call its measure.
function AirbenchNet:whitening() return self[1] end

for name in pairs(names) do
  local arguments = check.spec(name, {
    {"n_out", "integer", 10, min = 1}, {"c_in", "integer", 3, min = 1},
    {"widths", "table"}, {"momentum", "number", 0.4, min = 0, max = 1},
  })
  --- airbench94{n_out = 10}, airbench95{n_out = 10}: for images of 32x32 pixels
  --- or more. Before training: model:whitening():measure(dls.train).
  airbench[name] = function(...) return AirbenchNet(name, arguments(...)) end
end

return airbench
