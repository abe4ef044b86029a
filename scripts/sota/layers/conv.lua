-- conv.lua -- the convolution, and fastai's ConvLayer around it.
local nn = require "sota.nn"
local core = require "sota.core"
local check = require "sota.check"
local init = require "sota.layers.init_weights"
local act = require "sota.layers.act"
local autocast = require "sota.autocast"

local function pair(v)
  if type(v) == "table" then return v[1], v[2] end
  return v, v
end

local function size_text(v)
  return type(v) == "table" and ("{%d, %d}"):format(v[1], v[2]) or tostring(v)
end

-- --- Conv2d ----------------------------------------------------------------

local Conv2d = nn.class "Conv2d"
Conv2d.is_conv = true

local conv_arguments = check.spec("Conv2d", {
  {"in_channels", "integer", required = true, min = 1},
  {"out_channels", "integer", required = true, min = 1},
  {"kernel_size", "size", required = true, min = 1},
  {"stride", "size", 1, min = 1},
  {"padding", "size", 0, min = 0},
  {"dilation", "size", 1, min = 1},
  {"groups", "integer", 1, min = 1},
  {"bias", "boolean", true},
  {"init", "string", "default", choices = init.rules},
})

--- nn.Conv2d(in_channels, out_channels, kernel_size, {stride = 1, padding = 0,
--- dilation = 1, groups = 1, bias = true, init = "default"}): x (N, H, W, in)
--- to (N, OH, OW, out). Sizes are a number or {height, width}.
---@example nn.Conv2d(3, 8, 3, {padding = 1})(x)
function Conv2d:init(...)
  local a = conv_arguments(...)
  local kh, kw = pair(a.kernel_size)
  if a.in_channels % a.groups ~= 0 or a.out_channels % a.groups ~= 0 then
    check.fail("Conv2d: groups = %d does not divide %d input and %d output "
      .. "channels", a.groups, a.in_channels, a.out_channels)
  end
  for _, key in ipairs {"in_channels", "out_channels", "kernel_size", "stride",
                        "padding", "dilation", "groups"} do
    self[key] = a[key]
  end
  local shape = {a.out_channels, kh, kw, a.in_channels // a.groups}
  local weight, bias = init.pair(a.init, shape, a.bias)
  self.weight = nn.Parameter(weight, {layout = "OHWI"})
  if bias then self.bias = nn.Parameter(bias) end
end

function Conv2d:forward(x)
  return core.conv2d(autocast.input(x), self.weight, self.bias, {
    stride = self.stride, padding = self.padding, dilation = self.dilation,
    groups = self.groups})
end

function Conv2d:extra()
  local text = ("%d, %d, kernel_size=%s, stride=%s"):format(self.in_channels,
    self.out_channels, size_text(self.kernel_size), size_text(self.stride))
  if self.padding ~= 0 then
    text = text .. ", padding=" .. size_text(self.padding)
  end
  if self.dilation ~= 1 then
    text = text .. ", dilation=" .. size_text(self.dilation)
  end
  if self.groups ~= 1 then text = text .. ", groups=" .. self.groups end
  return text .. (self.bias and "" or ", bias=false")
end

-- --- ConvLayer -------------------------------------------------------------

local ConvLayer = nn.class("ConvLayer", nn.Sequential)

local layer_arguments = check.spec("ConvLayer", {
  {"ni", "integer", required = true, min = 1},
  {"nf", "integer", required = true, min = 1},
  {"ks", "integer", 3, min = 1},
  {"stride", "size", 1, min = 1},
  {"padding", "size", min = 0},
  {"groups", "integer", 1, min = 1},
  {"bias", "boolean"},
  {"norm", "boolean|string", "batch", choices = {"batch", "zero"}},
  {"act", "any", "relu"},
})

--- nn.ConvLayer(ni, nf, ks = 3, {stride = 1, padding = (ks - 1) // 2,
--- groups = 1, bias, norm = "batch", act = "relu"}): convolution, batch norm,
--- activation, computed as one. norm "zero" starts gamma at 0, so that a
--- residual block starts as its shortcut; false is none, and then the
--- convolution has a bias. Weights start by He's rule.
--- Call it with a second tensor to have that added before the activation.
---@example nn.ConvLayer(3, 8, {stride = 2})(x)
function ConvLayer:init(...)
  local a = layer_arguments(...)
  if a.bias == nil then a.bias = not a.norm end
  if a.padding == nil then a.padding = (a.ks - 1) // 2 end
  self:append(nn.Conv2d(a.ni, a.nf, a.ks, {stride = a.stride,
    padding = a.padding, groups = a.groups, bias = a.bias,
    init = "kaiming_normal"}))
  if a.norm then
    self:append(nn.BatchNorm2d(a.nf, {gamma = a.norm == "zero" and 0 or 1}))
  end
  local activation = act.activation(a.act, "ConvLayer")
  if activation then self:append(activation) end
end

-- An activation that is part of it has a name; others follow.
local function fused(conv, norm, activation, x, residual)
  local name = activation and activation.fused
  x = autocast.input(x)
  residual = residual and autocast.input(residual)
  local y = core.conv_bn_act(x, conv.weight, norm.weight, norm.bias,
    norm.running_mean, norm.running_var, residual, {
      stride = conv.stride, padding = conv.padding, groups = conv.groups,
      eps = norm.eps, momentum = norm:count_batch(), training = norm.training,
      act = name or "none"})
  return activation and not name and activation(y) or y
end

--- nn.conv_norm_act(conv, norm, activation, x [, residual]):
--- activation(norm(conv(x)) + residual), as one operation where they allow it:
--- for models whose layers have names of their own. activation, a module, may
--- be nil, and norm too.
---@example nn.conv_norm_act(nn.Conv2d(3, 8, 3), nn.BatchNorm(8), nn.ReLU(), x)
local function conv_norm_act(conv, norm, activation, x, residual)
  if norm and norm.is_norm and conv.is_conv and not conv.bias
    and conv.dilation == 1 then
    return fused(conv, norm, activation, x, residual)
  end
  x = conv(x)
  if norm then x = norm(x) end
  if residual then x = x + residual end
  return activation and activation(x) or x
end

-- residual (may be nil) is added before the activation: the layer's own, or
-- the one given.
function ConvLayer:forward(x, residual, activation)
  local conv, norm = self["0"], self["1"]
  local last = self[-1]
  if last == conv or last == norm then last = nil end
  if norm == last then norm = nil end
  return conv_norm_act(conv, norm, activation or last, x, residual)
end

return {Conv2d = Conv2d, ConvLayer = ConvLayer, conv_norm_act = conv_norm_act}
