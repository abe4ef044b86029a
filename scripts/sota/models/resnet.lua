-- resnet.lua -- the plain ResNets of He et al. (2015), ResNeXt (Xie et al.,
-- 2016) and wide ResNets (Zagoruyko and Komodakis, 2016), as torchvision has
-- them: names, shapes and initial values of the parameters are torchvision's.
-- The stride of a bottleneck is in its 3x3 convolution (torchvision's "v1.5").
local nn = require "sota.nn"
local check = require "sota.check"
local act = require "sota.layers.act"
local make = require "sota.models.make"

local function conv(ni, nf, ks, options)
  local o = {padding = ks // 2, bias = false, init = "kaiming_normal_out"}
  for k, v in pairs(options or {}) do o[k] = v end
  return nn.Conv2d(ni, nf, ks, o)
end

-- --- blocks ----------------------------------------------------------------

-- What both blocks have: convolutions conv1, conv2... with norms bn1, bn2...,
-- the last of which takes the shortcut in before it activates.
local Block = nn.class "ResNetBlock"

local function shortcut(ni, nf, stride)
  if ni == nf and stride == 1 then return nil end
  return nn.Sequential{conv(ni, nf, 1, {stride = stride}), nn.BatchNorm2d(nf)}
end

function Block:forward(x)
  local down, last = self.downsample, self.depth
  local short = down and nn.conv_norm_act(down[1], down[2], nil, x) or x
  for i = 1, last do
    x = nn.conv_norm_act(self["conv" .. i], self["bn" .. i], self.act, x,
      i == last and short or nil)
  end
  return x
end

-- o: stride, groups, base_width, act (a module)
local Basic = nn.class("BasicBlock", Block)
Basic.expansion, Basic.depth = 1, 2

function Basic:init(ni, planes, o)
  self.conv1 = conv(ni, planes, 3, {stride = o.stride})
  self.bn1 = nn.BatchNorm2d(planes)
  self.act = o.act
  self.conv2 = conv(planes, planes, 3)
  self.bn2 = nn.BatchNorm2d(planes)
  self.downsample = shortcut(ni, planes, o.stride)
end

local Bottleneck = nn.class("Bottleneck", Block)
Bottleneck.expansion, Bottleneck.depth = 4, 3

function Bottleneck:init(ni, planes, o)
  local nf, width = planes * 4, planes * o.base_width // 64 * o.groups
  self.conv1 = conv(ni, width, 1)
  self.bn1 = nn.BatchNorm2d(width)
  self.conv2 = conv(width, width, 3, {stride = o.stride, groups = o.groups})
  self.bn2 = nn.BatchNorm2d(width)
  self.conv3 = conv(width, nf, 1)
  self.bn3 = nn.BatchNorm2d(nf)
  self.act = o.act
  self.downsample = shortcut(ni, nf, o.stride)
end

-- --- the network -----------------------------------------------------------

local ResNet = nn.class "ResNet"

local arguments = check.spec("ResNet", {
  {"block", "callable", required = true},
  {"layers", "table", required = true},
  {"n_out", "integer", 1000, min = 1},
  {"c_in", "integer", 3, min = 1},
  {"act", "any", "relu"},
  {"act_cls", "any"},
  {"zero_init_residual", "boolean", false},
  {"groups", "integer", 1, min = 1},
  {"width_per_group", "integer", 64, min = 1},
})

local function stage(a, ni, planes, blocks, stride)
  local list = {}
  for i = 1, blocks do
    list[i] = a.block(i == 1 and ni or planes * a.block.expansion, planes, {
      stride = i == 1 and stride or 1, groups = a.groups,
      base_width = a.width_per_group, act = act.activation(a.act, "ResNet")})
  end
  return nn.Sequential(list)
end

--- ResNet(options), by its names: models.resnet50{n_out = 10}.
---@class resnet_options
---@field n_out? integer classes (1000)
---@field c_in? integer channels of the images (3)
---@field act? string|table "relu", "mish"... or a class; act_cls is the same
---@field zero_init_residual? boolean each block starts as its shortcut (false)
---@field groups? integer groups of the 3x3 convolutions of bottlenecks
---@field width_per_group? integer their channels per group, of 64 (64)
---@example resnet18{n_out = 10} -- which makes a ResNet
function ResNet:init(...)
  local a = arguments(...)
  a.act = a.act_cls or a.act
  self.conv1 = conv(a.c_in, 64, 7, {stride = 2, padding = 3})
  self.bn1 = nn.BatchNorm2d(64)
  self.act = act.activation(a.act, "ResNet")
  self.maxpool = nn.MaxPool(3, {stride = 2, padding = 1})
  local ni = 64
  for i, blocks in ipairs(a.layers) do
    local planes = 64 << (i - 1)
    self["layer" .. i] = stage(a, ni, planes, blocks, i == 1 and 1 or 2)
    ni = planes * a.block.expansion
  end
  self.avgpool = nn.GlobalAvgPool()
  self.fc = nn.Linear(ni, a.n_out)
  if a.zero_init_residual then self:zero_residuals() end
end

--- Makes the last norm of each block start at 0.
function ResNet:zero_residuals()
  for _, m in self:modules() do
    if m:isa(Block) then m["bn" .. m.depth].weight:fill_(0) end
  end
end

function ResNet:forward(x)
  x = nn.conv_norm_act(self.conv1, self.bn1, self.act, x)
  x = self.maxpool(x)
  x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
  return self.fc(self.avgpool(x))
end

-- --- the family ------------------------------------------------------------

local models = {ResNet = ResNet}

-- name, block, layers, and what differs from the plain ones
for _, m in ipairs{
  {"resnet18", Basic, {2, 2, 2, 2}},
  {"resnet34", Basic, {3, 4, 6, 3}},
  {"resnet50", Bottleneck, {3, 4, 6, 3}},
  {"resnet101", Bottleneck, {3, 4, 23, 3}},
  {"resnet152", Bottleneck, {3, 8, 36, 3}},
  {"resnext50_32x4d", Bottleneck, {3, 4, 6, 3}, 32, 4},
  {"resnext101_32x8d", Bottleneck, {3, 4, 23, 3}, 32, 8},
  {"wide_resnet50_2", Bottleneck, {3, 4, 6, 3}, 1, 128},
  {"wide_resnet101_2", Bottleneck, {3, 4, 23, 3}, 1, 128},
} do
  local name, block, layers, groups, width = table.unpack(m)
  local fixed = {block = block, layers = layers}
  if groups then fixed.groups, fixed.width_per_group = groups, width end
  models[name] = make.constructor(name, ResNet, fixed)
end

return models
