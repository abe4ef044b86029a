-- attention.lua -- squeeze-and-excitation, and fastai's simple self-attention.
local nn = require "sota.nn"
local core = require "sota.core"
local check = require "sota.check"
local init = require "sota.layers.init_weights"

-- --- SEModule --------------------------------------------------------------

local SEModule = nn.class "SEModule"

local se_arguments = check.spec("SEModule", {
  {"channels", "integer", required = true, min = 1},
  {"reduction", "integer", 16, min = 1},
  {"act", "any", "relu"},
})

--- nn.SEModule(channels, {reduction = 16, act = "relu"}): each channel times a
--- gate in (0, 1), computed from the means of all channels by two layers (Hu
--- et al., 2018). The narrow layer has channels/reduction, rounded up to 8.
---@example nn.SEModule(3, {reduction = 1})(x)
function SEModule:init(...)
  local a = se_arguments(...)
  local c = a.channels
  local narrow = math.ceil(c // a.reduction / 8) * 8
  if narrow == 0 then
    check.fail("SEModule: reduction %d of %d channels leaves none", a.reduction,
      c)
  end
  self.layers = nn.Sequential{
    nn.AdaptiveAvgPool(1),
    nn.ConvLayer(c, narrow, 1, {norm = false, act = a.act}),
    nn.ConvLayer(narrow, c, 1, {norm = false, act = "sigmoid"}),
  }
end

function SEModule:forward(x) return x * self.layers(x) end

-- --- SimpleSelfAttention ---------------------------------------------------

local function normalised(v) -- v / max(|v|, 1e-12)
  return v / v:norm():clamp{min = 1e-12}
end

--- A 1x1 convolution's weight, divided by its largest singular value, which one
-- step of the power iteration a training forward follows (Miyato et al.,
-- 2018). u and v count as constants for the gradient.
---@example nn.SpectralConv(3)
local SpectralConv = nn.class "SpectralConv"

function SpectralConv:init(c)
  self.channels = c
  self.weight_orig = nn.Parameter(init.kaiming_normal{c, c, 1})
  self:register_buffer("weight_u", normalised(core.normal{shape = {c}}))
  self:register_buffer("weight_v", normalised(core.normal{shape = {c}}))
end

local function iterate(w, u, v, c)
  v:copy_(normalised(core.matmul(u:reshape{1, c}, w):reshape{c}))
  u:copy_(normalised(core.matmul(w, v:reshape{c, 1}):reshape{c}))
end

function SpectralConv:weight()
  local c = self.channels
  local w = self.weight_orig:reshape{c, c}
  if self.training then
    core.no_grad(iterate, w, self.weight_u, self.weight_v, c)
  end
  -- Copies: the next forward changes the buffers, backward needs these.
  local u, v = self.weight_u:clone(), self.weight_v:clone()
  return w / core.matmul(core.matmul(u:reshape{1, c}, w), v:reshape{c, 1})
end

function SpectralConv:extra()
  return ("%d, %d, kernel_size=1"):format(self.channels, self.channels)
end

local SimpleSelfAttention = nn.class "SimpleSelfAttention"

local sa_arguments = check.spec("SimpleSelfAttention", {
  {"channels", "integer", required = true, min = 1},
  {"sym", "boolean", false},
})

--- nn.SimpleSelfAttention(channels, {sym = false}): with X the pixels (N, HW,
--- C) and W a spectrally normalised C x C weight,
---   x + gamma X (W' X' X),  gamma trained from 0;
--- sym uses (W + W') / 2.
---@example nn.SimpleSelfAttention(3)(x)
function SimpleSelfAttention:init(...)
  local a = sa_arguments(...)
  self.sym = a.sym
  self.gamma = nn.Parameter(core.zeros(1))
  self.conv = SpectralConv(a.channels)
end

function SimpleSelfAttention:forward(x)
  local size = x:shape()
  local n, c = size[1], size[4]
  local w = self.conv:weight()
  if self.sym then w = (w + w:permute{2, 1}) * 0.5 end
  local pixels = x:reshape{n, size[2] * size[3], c}
  local gram = core.matmul(pixels:permute{1, 3, 2}, pixels)
  -- W' with the small matrix: fewer products than with the pixels.
  local y = core.matmul(pixels, core.matmul(w:permute{2, 1}, gram))
  local gamma = core.cast(self.gamma, {dtype = y:dtype()})
  return x + gamma * y:reshape(size)
end

return {SEModule = SEModule, SimpleSelfAttention = SimpleSelfAttention,
        SpectralConv = SpectralConv}
