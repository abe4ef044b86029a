-- head.lua -- the classifier that fastai puts on a pretrained body.
local nn = require "sota.nn"
local check = require "sota.check"

local arguments = check.spec("create_head", {
  {"nf", "integer", required = true, min = 1},
  {"n_out", "integer", required = true, min = 1},
  {"lin_ftrs", "table", {512}},
  {"ps", "number|table", 0.5},
  {"pool", "boolean", true},
  {"concat_pool", "boolean", true},
  {"first_bn", "boolean", true},
  {"bn_final", "boolean", false},
  {"lin_first", "boolean", false},
})

-- The dropout before each linear layer: half of p but before the last.
local function rates(ps, n)
  if type(ps) == "table" then
    if #ps == n then return ps end
    check.fail("create_head: %d dropout rates for %d linear layers", #ps, n)
  end
  local list = {}
  for i = 1, n do list[i] = i < n and ps / 2 or ps end
  return list
end

-- [norm, dropout,] linear [, activation], or the linear first.
local function group(layers, a, ni, no, bn, p, last)
  local before, lin = {}, {}
  if bn then
    before[1] = nn.BatchNorm1d(a.lin_first and no or ni, {beta = 1e-3})
  end
  if p ~= 0 then before[#before + 1] = nn.Dropout(p) end
  lin[1] = nn.Linear(ni, no, {bias = not bn, init = "kaiming_normal"})
  if not last then lin[2] = nn.ReLU() end
  local first, second = before, lin
  if a.lin_first then first, second = lin, before end
  for _, m in ipairs(first) do layers:append(m) end
  for _, m in ipairs(second) do layers:append(m) end
end

--- nn.create_head(nf, n_out, {lin_ftrs = {512}, ps = 0.5, pool = true,
--- concat_pool = true, first_bn = true, bn_final = false, lin_first = false}):
--- from the nf channels of a body to n_out logits.
---@example nn.create_head(8, 10)
local function create_head(...)
  local a = arguments(...)
  local sizes = {a.concat_pool and a.pool and 2 * a.nf or a.nf}
  table.move(a.lin_ftrs, 1, #a.lin_ftrs, 2, sizes)
  sizes[#sizes + 1] = a.n_out
  local n = #sizes - 1
  local ps, layers = rates(a.ps, n), nn.Sequential()
  if a.pool then
    layers:append(a.concat_pool and nn.AdaptiveConcatPool()
      or nn.AdaptiveAvgPool(1))
    layers:append(nn.Flatten())
  end
  if a.lin_first then layers:append(nn.Dropout(ps[1])) end
  local groups = a.lin_first and n - 1 or n
  for i = 1, groups do
    group(layers, a, sizes[i], sizes[i + 1], i > 1 or a.first_bn,
      ps[a.lin_first and i + 1 or i], i == n)
  end
  if a.lin_first then
    layers:append(nn.Linear(sizes[n], a.n_out, {init = "kaiming_normal"}))
  end
  if a.bn_final then
    layers:append(nn.BatchNorm1d(a.n_out, {momentum = 0.01}))
  end
  return layers
end

return {create_head = create_head}
