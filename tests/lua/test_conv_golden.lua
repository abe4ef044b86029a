-- test_conv_golden.lua -- residual blocks out of conv_bn_act against PyTorch
-- and fastai: golden/layers.json. Values there are NCHW, and made by a hash.
local sota = require "sota.core"

local file <close> = assert(io.open(os.getenv "SL_GOLDEN" .. "/layers.json"))
local golden = sota.json.decode(file:read "a")

-- The j-th of the file's pseudo-random numbers of stream k: in (-1, 1).
local function hash(k, j)
  local x = ((j + 1) * 2654435761 + (k + 1) * 40503) & 0xffffffff
  x = x ~ x >> 16
  x = x * 2246822519 & 0xffffffff
  x = x ~ x >> 13
  return 2 * (x / 2 ^ 32) - 1
end

local function values(k, shape, scale, offset)
  local n, v = 1, {}
  for _, size in ipairs(shape) do n = n * size end
  for j = 1, n do v[j] = (offset or 0) + hash(k, j - 1) * scale end
  local t = sota.tensor(v):reshape(shape)
  -- (N, C, H, W) -> (N, H, W, C), and weights alike
  return #shape == 4 and t:permute(1, 3, 4, 2):contiguous() or t
end

local function leaf(t) return t:detach():requires_grad(true) end

local function parameters(case)
  local p = {}
  for i, entry in ipairs(case.params) do
    local name, shape = entry[1], entry[2]
    local k, fan_in = case.k0 + i - 1, 1
    for d = 2, #shape do fan_in = fan_in * shape[d] end
    if #shape > 1 then
      p[name] = leaf(values(k, shape, math.sqrt(2 / fan_in) * math.sqrt(3)))
    elseif name:find "%.weight$" then
      p[name] = leaf(values(k, shape, 0.3, 1))
    else
      p[name] = leaf(values(k, shape, 0.1))
    end
  end
  return p
end

local function close(what, have, want, tol)
  have = have:reshape(#want):totable()
  for i = 1, #want do
    assert(math.abs(have[i] - want[i]) <= tol * (1 + math.abs(want[i])),
           ("%s [%d]: %.9g, want %.9g"):format(what, i, have[i], want[i]))
  end
end

local function nchw(t) return t:permute(1, 4, 2, 3):contiguous() end

-- Runs layer `name` of the block with its own running statistics.
local function layer(p, stats, name, training)
  local gamma, n = p[name .. ".1.weight"], nil
  n = #gamma
  stats[name] = stats[name] or {sota.zeros(n), sota.ones(n)}
  return function(x, residual, options)
    options.training = training
    return sota.conv_bn_act(x, p[name .. ".0.weight"], gamma,
      p[name .. ".1.bias"], stats[name][1], stats[name][2], residual, options)
  end
end

local function block(p, stats, x, groups, training)
  local h = layer(p, stats, "convpath.0", training)(x, nil,
    {padding = 1, groups = groups, act = "relu"})
  local id = x
  if p["idpath.0.0.weight"] then
    id = layer(p, stats, "idpath.0", training)(x, nil, {})
  end
  return layer(p, stats, "convpath.1", training)(h, id,
    {padding = 1, act = "relu"})
end

local function check(name, groups)
  local case = golden[name]
  local p, stats = parameters(case), {}
  local x = leaf(values(1, case.input.shape, 1))
  local out = block(p, stats, x, groups, true)
  close(name .. " train", nchw(out), case.out_train, 1e-5)
  out:backward(values(2, case.out_shape, 1))
  close(name .. " dx", nchw(x:grad()), case.grad_input, 2e-5)
  for k, want in pairs(case.param_grad_l2) do
    local g = p[k]:grad()
    local have = math.sqrt((g * g):sum():item())
    assert(math.abs(have - want) <= 2e-5 * (1 + want),
           ("%s: norm of %s's gradient %.9g, want %.9g"):format(name, k, have,
                                                                want))
  end
  for k, want in pairs(case.buffers_after_train) do
    local of, which = k:match "^(.*)%.1%.running_(%a+)$"
    if of then
      close(k, stats[of][which == "mean" and 1 or 2], want, 1e-6)
    end
  end
  close(name .. " eval", nchw(block(p, stats, x, groups, false)),
        case.out_eval, 1e-5)
end

check("resblock_e1_ni6_nf6_s1_relu", 1)
check("resnext_e1_groups2_nh2_4", 2)
