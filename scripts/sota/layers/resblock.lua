-- resblock.lua -- fastai's residual block: act(convpath(x) + idpath(x)).
local nn = require "sota.nn"
local check = require "sota.check"
local act = require "sota.layers.act"

local ResBlock = nn.class "ResBlock"

local arguments = check.spec("ResBlock", {
  {"expansion", "integer", required = true, min = 1},
  {"ni", "integer", required = true, min = 1},
  {"nf", "integer", required = true, min = 1},
  {"stride", "integer", 1, min = 1},
  {"groups", "integer", 1, min = 1},
  {"g2", "integer", 1, min = 1},
  {"reduction", "integer", 0, min = 0},
  {"nh1", "integer", min = 1},
  {"nh2", "integer", min = 1},
  {"dw", "boolean", false},
  {"sa", "boolean", false},
  {"sym", "boolean", false},
  {"act", "any", "relu"},
  {"ks", "integer", 3, min = 1},
  {"pool", "callable|string", "avg", choices = {"avg", "max", "blur"}},
  {"pool_first", "boolean", true},
  {"checkpoint", "boolean", false},
})

local function conv_path(a)
  local ni, nf = a.ni * a.expansion, a.nf * a.expansion
  local nh2 = a.nh2 or a.nf
  local nh1 = a.nh1 or nh2
  local last = {groups = a.g2, norm = "zero", act = false}
  if a.expansion == 1 then
    return {
      nn.ConvLayer(ni, nh2, a.ks, {stride = a.stride, act = a.act,
        groups = a.dw and ni or a.groups}),
      nn.ConvLayer(nh2, nf, a.ks, last),
    }
  end
  return {
    nn.ConvLayer(ni, nh1, 1, {act = a.act}),
    nn.ConvLayer(nh1, nh2, a.ks, {stride = a.stride, act = a.act,
      groups = a.dw and nh1 or a.groups}),
    nn.ConvLayer(nh2, nf, 1, last),
  }
end

local pools = {avg = "AvgPool", max = "MaxPool", blur = "MaxBlurPool"}

local function id_path(a)
  local ni, nf = a.ni * a.expansion, a.nf * a.expansion
  local path = {}
  if ni ~= nf then path[1] = nn.ConvLayer(ni, nf, 1, {act = false}) end
  if a.stride ~= 1 then
    local make = pools[a.pool] and nn[pools[a.pool]] or a.pool
    local pool = make(a.stride, {ceil_mode = true})
    table.insert(path, a.pool_first and 1 or #path + 1, pool)
  end
  return path
end

--- nn.ResBlock(expansion, ni, nf, {stride = 1, groups = 1, reduction = 0,
--- nh1, nh2, dw = false, g2 = 1, sa = false, sym = false, act = "relu",
--- ks = 3, pool = "avg", pool_first = true, checkpoint = false}): takes ni *
--- expansion channels and gives nf * expansion. reduction > 0 adds
--- squeeze-and-excitation, sa self-attention. checkpoint: backward keeps only
--- the block's input and computes the rest again.
---@example nn.ResBlock(1, 3, 8, {stride = 2})(x)
function ResBlock:init(...)
  local a = arguments(...)
  local path = conv_path(a)
  -- The last convolution can add the shortcut itself, unless more follows it.
  self.fused = a.reduction == 0 and not a.sa
  local nf = a.nf * a.expansion
  if a.reduction > 0 then
    path[#path + 1] = nn.SEModule(nf, {reduction = a.reduction, act = a.act})
  end
  if a.sa then
    path[#path + 1] = nn.SimpleSelfAttention(nf, {sym = a.sym})
  end
  self.convpath = nn.Sequential(path)
  self.idpath = nn.Sequential(id_path(a))
  self.act = act.activation(a.act, "ResBlock") or nn.Identity()
  self.checkpoint = a.checkpoint
end

function ResBlock:forward(x)
  local path, short = self.convpath, self.idpath(x)
  if not (self.fused and path[-1].isa and path[-1]:isa(nn.ConvLayer)) then
    return self.act(path(x) + short)
  end
  local y = x
  for i = 1, #path - 1 do y = path[i](y) end
  return path[-1](y, short, self.act)
end

return {ResBlock = ResBlock}
