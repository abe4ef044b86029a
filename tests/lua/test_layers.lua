-- Layers against PyTorch and fastai (layers.json): outputs in both modes,
-- gradients of input and parameters, running statistics.
local sota = require "sota"
local nn = sota.nn
local check = require "check"
local hashed = require "hashed"

local golden = check.golden "layers"
local tol = 1e-5

local models = {
  resblock_e4_ni2_nf3_s2_relu = function()
    return nn.ResBlock(4, 2, 3, {stride = 2})
  end,
  resblock_e1_ni6_nf6_s1_relu = function() return nn.ResBlock(1, 6, 6) end,
  resblock_e1_ni4_nf6_s2_mish = function()
    return nn.ResBlock(1, 4, 6, {stride = 2, act = "mish"})
  end,
  resblock_e1_ni4_nf6_s2_maxpool = function()
    return nn.ResBlock(1, 4, 6, {stride = 2, pool = nn.MaxPool})
  end,
  se_block_e1_ni8_nf16_red2 = function()
    return nn.ResBlock(1, 8, 16, {stride = 2, reduction = 2})
  end,
  resnext_e1_groups2_nh2_4 = function()
    return nn.ResBlock(1, 6, 8, {groups = 2, nh1 = 4, nh2 = 4})
  end,
  simple_self_attention_c4 = function() return nn.SimpleSelfAttention(4) end,
  head_nf5_n3_no_dropout = function()
    return nn.create_head(5, 3, {ps = 0})
  end,
}

local function params(model)
  local list, layout = {}, {}
  for _, e in ipairs(model:state_dict()) do layout[e.name] = e.layout end
  for name, t in model:named_parameters() do
    list[#list + 1] = {name, hashed.torch_shape(t, layout[name])}
  end
  return list
end

-- loss = sum(out * pattern 2)
local function backward(case, out)
  local c = check.pattern(2, case.out_shape, 1)
  return (out * c):sum():backward()
end

local function check_gradients(case, model)
  for name, t in model:named_parameters() do
    local g = t:grad()
    check.close(g:norm(), case.param_grad_l2[name], tol, "|d " .. name .. "|")
    check.close(g:reshape{-1}[1], case.param_grad_first[name], tol,
      "first of d " .. name)
  end
end

for name, make in pairs(models) do
  local case = golden[name]
  check.test(name, function()
    local model = hashed.fill(make(), case.k0)
    check.equal(params(model), case.params, "parameters")
    local x = check.pattern(1, case.input.shape, 1):requires_grad(true)
    local out = model(x)
    check.close(check.nchw(out), case.out_train, tol, "training")
    backward(case, out)
    check.close(check.nchw(x:grad()), case.grad_input, tol, "d input")
    check_gradients(case, model)
    for buffer, t in model:named_buffers() do
      local want = case.buffers_after_train[buffer]
      if want then check.close(t, want, tol, buffer) end
    end
    check.close(check.nchw(model:eval()(x)), case.out_eval, tol, "evaluation")
  end)
end

check.test("a residual block computed part by part is the same", function()
  local case = golden.resblock_e4_ni2_nf3_s2_relu
  local model = hashed.fill(nn.ResBlock(4, 2, 3, {stride = 2}), case.k0)
  model.fused = false
  local out = model(check.pattern(1, case.input.shape, 1))
  check.close(check.nchw(out), case.out_train, tol)
end)

check.test("activations that cannot be fused", function()
  local x = check.pattern(1, {2, 4, 5, 5}, 1)
  local fused = hashed.fill(nn.ConvLayer(4, 6), 7)
  local custom = hashed.fill(nn.ConvLayer(4, 6, {act = function(v)
    return v:relu()
  end}), 7)
  check.close(custom(x), fused(x), 1e-6)
  local add = check.pattern(2, {2, 6, 5, 5}, 1)
  check.close(custom(x, add), fused(x, add), 1e-6, "with a residual")
end)

check.test("a layer whose norm was replaced runs its children", function()
  local x = check.pattern(1, {2, 4, 5, 5}, 1)
  local layer = nn.ConvLayer(4, 6)
  layer["1"] = nn.Identity()
  check.close(layer(x), layer[1](x):relu(), 1e-6)
end)

local function image(h, w) -- the input that golden's pools were given
  return check.pattern(1, {1, 1, h, w}, 1)
end

local pools = {
  avgpool2_ceil_5x7 = nn.AvgPool(2, {ceil_mode = true}),
  maxpool3_s2_p1_5x7 = nn.MaxPool(3, {stride = 2, padding = 1}),
  maxpool2_floor_5x7 = nn.MaxPool(2),
  adaptive_avg_5x7_to_2x3 = nn.AdaptiveAvgPool{output_size = {2, 3}},
}
for name, pool in pairs(pools) do
  check.test(name, function()
    check.close(check.nchw(pool(image(5, 7))), golden[name], 1e-6)
  end)
end

check.test("max blur pool", function()
  local pool = nn.MaxBlurPool()
  local y = pool(image(6, 8))
  check.close(check.nchw(y), golden.max_blur_pool_kornia2020_6x8, 1e-6)
  check.equal(pool(sota.ones(2, 5, 7, 4)):shape(), {2, 2, 3, 4})
  check.close(pool(sota.ones(1, 4, 4, 2)), {1, 1, 1, 1, 1, 1, 1, 1}, 1e-6)
  check.fails("MaxBlurPool: the image is 2 by 5", pool, sota.ones(1, 2, 5, 1))
end)

local acts = {act_relu = "ReLU", act_mish = "Mish", act_silu = "SiLU",
              act_gelu_exact = "GELU"}
for name, class in pairs(acts) do
  check.test(name, function()
    local case = golden[name]
    local x = sota.tensor(case.x, {requires_grad = true})
    local y = nn[class]()(x)
    y:sum():backward()
    check.close(y, case.y, 1e-6, "value")
    check.close(x:grad(), case.dy, 2e-6, "slope")
  end)
end

check.test("batch norm by itself", function()
  local norm = nn.BatchNorm1d(3, {beta = 0.5, momentum = 0.5})
  local x = sota.tensor{{1, 2, 3}, {3, 6, -3}}
  check.close(norm(x), {-0.5, -0.5, 1.5, 1.5, 1.5, -0.5}, 1e-4)
  check.close(norm.running_mean, {1, 2, 0}, 1e-6) -- half of the way there
  check.close(norm.running_var, {1.5, 4.5, 9.5}, 1e-6) -- unbiased: 2, 8, 18
  norm:eval()(x)
  check.equal(norm:state_dict().num_batches_tracked:item(), 1)
end)

check.test("dropout", function()
  local drop, x = nn.Dropout(0.25), sota.ones(100, 100)
  local y = drop(x)
  local kept = y:gt(0):mean():item()
  assert(math.abs(kept - 0.75) < 0.03, kept)
  check.close(y:max():item(), 1 / 0.75, 1e-6)
  check.equal(drop:eval()(x):eq(1):mean():item(), 1.0)
end)

check.test("flatten, concat pool, global pool", function()
  local x = check.pattern(1, {2, 3, 4, 5}, 1)
  check.equal(nn.Flatten()(x):shape(), {2, 60})
  local cat = nn.AdaptiveConcatPool()(x)
  check.equal(cat:shape(), {2, 1, 1, 6})
  check.close(cat:slice{dim = 4, first = 4, last = 6}, x:mean{2, 3}, 1e-6)
  check.close(cat:slice{dim = 4, first = 1, last = 3}, x:max(3):max(2), 0)
  check.close(nn.GlobalAvgPool()(x), x:mean{2, 3}, 1e-6)
end)

check.test("symmetric self-attention uses (W + W') / 2", function()
  local x = check.pattern(1, {2, 4, 2, 3}, 1)
  local plain = hashed.fill(nn.SimpleSelfAttention(4), 100):eval()
  local sym = hashed.fill(nn.SimpleSelfAttention(4, {sym = true}), 100):eval()
  local w = plain.conv.weight_orig
  assert((sym(x) - plain(x)):abs():max():item() > 1e-3)
  sota.no_grad(function() -- both transposes: u and v swap their parts
    w:copy_((w + w:permute{2, 1, 3}) * 0.5)
    sym.conv.weight_orig:copy_(w)
  end)
  check.close(sym(x), plain(x), 1e-6)
end)

check.test("errors name the layer's options", function()
  check.fails("'in_channels' is missing", nn.Conv2d)
  check.fails("unknown option 'strid'; did you mean 'stride'?", nn.Conv2d, 3, 4,
    3, {strid = 2})
  check.fails("groups = 2 does not divide 3 input", nn.Conv2d, 3, 4, 3,
    {groups = 2})
  check.fails("'p' must be at least 0 and at most 1, not 2", nn.Dropout, 2)
  check.fails("unknown activation 'rellu'; did you mean 'relu'?", nn.ConvLayer,
    3, 4, {act = "rellu"})
  check.fails("one of batch, zero", nn.ConvLayer, 3, 4, {norm = "layer"})
end)

check.done()
