-- xresnet.lua -- fastai's XResNet family: ResNet with a stem of three small
-- convolutions, average pooling in the shortcuts, and zero-initialised last
-- norms. Names and shapes of the parameters are fastai's.
local nn = require "sota.nn"
local check = require "sota.check"
local make = require "sota.models.make"

local XResNet = nn.class("XResNet", nn.Sequential)

local arguments = check.spec("XResNet", {
  {"block", "callable", required = true},
  {"expansion", "integer", required = true, min = 1},
  {"layers", "table", required = true},
  {"n_out", "integer", 1000, min = 1},
  {"c_in", "integer", 3, min = 1},
  {"p", "number", 0, min = 0, max = 1},
  {"stem_szs", "table", {32, 32, 64}},
  {"stride", "integer", 2, min = 1},
  {"widen", "number", 1, min = 0},
  {"act", "any", "relu"},
  {"act_cls", "any"},
  {"sa", "boolean", false},
  {"sym", "boolean", false},
  {"groups", "integer", min = 1},
  {"reduction", "integer", min = 0},
  {"dw", "boolean", false},
  {"g2", "integer", 1, min = 1},
  {"ks", "integer", 3, min = 1},
  {"pool", "callable|string", "avg", choices = {"avg", "max", "blur"}},
  {"pool_first", "boolean", true},
  {"checkpoint", "boolean", false},
  {"stem_pool", "callable|string", "max", choices = {"max", "blur"}},
})

-- Options that go on to every block, under the same names.
local passed_on = {"sym", "groups", "reduction", "dw", "g2", "ks", "pool",
                   "pool_first", "checkpoint"}

local function stage(a, ni, nf, blocks, stride, sa)
  local list = {}
  for i = 1, blocks do
    local o = {stride = i == 1 and stride or 1, sa = sa and i == blocks,
               act = a.act}
    for _, key in ipairs(passed_on) do o[key] = a[key] end
    list[i] = a.block(a.expansion, i == 1 and ni or nf, nf, o)
  end
  return nn.Sequential(list)
end

-- 64, 128, 256, 512, 256, 256...: channels of the stages before expansion.
local function widths(a)
  local list, base = {64 // a.expansion}, {64, 128, 256, 512}
  for i = 1, #a.layers do
    list[i + 1] = math.floor((base[i] or 256) * a.widen)
  end
  return list
end

local function stem_pool(v)
  if v == "max" then return nn.MaxPool(3, {stride = 2, padding = 1}) end
  if v == "blur" then return nn.MaxBlurPool() end
  return v()
end

--- XResNet(block, expansion, layers, options): block is called as
--- block(expansion, ni, nf, options) for each of layers[i] blocks of stage i.
---@class xresnet_options
---@field n_out? integer classes (1000)
---@field c_in? integer channels of the images (3)
---@field p? number dropout before the last layer (0)
---@field act? string|table "relu", "mish"... or a class; act_cls is the same
---@field sa? boolean self-attention at the end of the first stage
---@field sym? boolean its weight made symmetric
---@field groups? integer groups of the 3x3 convolutions
---@field reduction? integer of squeeze-and-excitation; 0: none
---@field dw? boolean depthwise 3x3 convolutions
---@field ks? integer kernel size of the blocks (3)
---@field pool? string|table "avg", "max", "blur" or a class, of the shortcuts
---@field pool_first? boolean pool before the shortcut's convolution (true)
---@field stem_pool? string|table "max" (3x3, stride 2), "blur" or a class
---@field stride? integer of the first convolution (2)
---@field checkpoint? boolean blocks keep only their input for backward
---@field widen? number factor on the widths of the stages (1)
---@example xresnet18{n_out = 10} -- which makes an XResNet
function XResNet:init(...)
  local a = arguments(...)
  a.act = a.act_cls or a.act
  local sizes, w = {a.c_in, table.unpack(a.stem_szs)}, widths(a)
  for i = 1, #sizes - 1 do
    self:append(nn.ConvLayer(sizes[i], sizes[i + 1], 3,
      {stride = i == 1 and a.stride or 1, act = a.act}))
  end
  self:append(stem_pool(a.stem_pool))
  for i, blocks in ipairs(a.layers) do
    local sa = a.sa and i == #a.layers - 3 -- the 1st of 4 stages
    self:append(stage(a, w[i], w[i + 1], blocks, i == 1 and 1 or 2, sa))
  end
  self:append(nn.AdaptiveAvgPool(1))
  self:append(nn.Flatten())
  self:append(nn.Dropout(a.p))
  self:append(nn.Linear(w[#w] * a.expansion, a.n_out,
    {init = "kaiming_normal"}))
end

-- --- blocks ----------------------------------------------------------------

local function with(options, more)
  for k, v in pairs(more) do
    if options[k] == nil then options[k] = v end
  end
  return options
end

local function plain(expansion, ni, nf, o)
  return nn.ResBlock(expansion, ni, nf, o)
end

local function squeeze(expansion, ni, nf, o)
  return nn.ResBlock(expansion, ni, nf, with(o, {reduction = 16, nh1 = nf * 2,
    nh2 = nf * expansion}))
end

-- 32 groups of nf * 4 / 64 channels each.
local function next_with(reduction)
  return function(expansion, ni, nf, o)
    with(o, {groups = 32, reduction = reduction})
    local w = math.floor(nf * 4 / 64) * o.groups
    return nn.ResBlock(expansion, ni, nf, with(o, {nh1 = w, nh2 = w}))
  end
end

-- --- the family ------------------------------------------------------------

local families = {
  xresnet = plain,
  xse_resnet = squeeze,
  xresnext = next_with(0),
  xse_resnext = next_with(16),
}
local depths = {
  ["18"] = {1, {2, 2, 2, 2}}, ["34"] = {1, {3, 4, 6, 3}},
  ["50"] = {4, {3, 4, 6, 3}}, ["101"] = {4, {3, 4, 23, 3}},
  ["152"] = {4, {3, 8, 36, 3}},
  ["18_deep"] = {1, {2, 2, 2, 2, 1, 1}}, ["34_deep"] = {1, {3, 4, 6, 3, 1, 1}},
  ["50_deep"] = {4, {3, 4, 6, 3, 1, 1}},
  ["18_deeper"] = {1, {2, 2, 1, 1, 1, 1, 1, 1}},
  ["34_deeper"] = {1, {3, 4, 6, 3, 1, 1, 1, 1}},
  ["50_deeper"] = {4, {3, 4, 6, 3, 1, 1, 1, 1}},
}

--- models.xresnet50{n_out = 10, act = "mish", sa = true, ...}: see
--- xresnet_options.
local models = {XResNet = XResNet}
for family, block in pairs(families) do
  for depth, d in pairs(depths) do
    local name = family .. depth
    models[name] = make.constructor(name, XResNet,
      {block = block, expansion = d[1], layers = d[2]})
  end
end

return models
