-- test_airbench.lua -- what airbench94 is made of, by its own figures: the
-- whitening filters, initial weights, rates, schedule, Lookahead, views.
require "sota.all"
local core = require "sota.core"
local check = require "check"
local batches = require "batches"
local mlp = require "mlp"
local eigen = require "sota.eigen"

core.set("precision", "f32") -- numbers are compared

local golden = check.golden "airbench"

-- --- whitening ----------------------------------------------------------------

-- Patch element (y, x, c) of a 2x2 patch of three colours, where the golden
-- file has (c, y, x).
local place = {}
for c = 0, 2 do
  for y = 0, 1 do
    for x = 0, 1 do place[4 * c + 2 * y + x + 1] = 6 * y + 3 * x + c + 1 end
  end
end

local images = check.pattern(1, {3, 3, 5, 6}, 1)

check.test("covariance of patches", function()
  local covariance = nn.WhiteningConv.covariance(images, 2)
  for i, row in ipairs(golden.whiten.cov) do
    for j, want in ipairs(row) do
      check.close(covariance[place[i]][place[j]], want, 1e-6)
    end
  end
end)

check.test("eigenvalues, and vectors that belong to them", function()
  local values, vectors = eigen.symmetric(golden.whiten.cov)
  local want = golden.whiten.eigenvalues_ascending
  for k = 1, 12 do
    check.close(values[k], want[13 - k], 1e-6)
    local length = 0
    for i, row in ipairs(golden.whiten.cov) do
      local product = 0
      for j = 1, 12 do product = product + row[j] * vectors[k][j] end
      check.close(product, values[k] * vectors[k][i], 1e-9)
      length = length + vectors[k][i] ^ 2
    end
    check.close(length, 1, 1e-12)
  end
  check.equal({eigen.symmetric{{3.0}}}, {{3.0}, {{1.0}}})
  check.close(eigen.symmetric{{0, 0}, {0, 0}}, {0, 0}, 0)
end)

check.test("filters whiten, and come with their negatives", function()
  local layer = nn.WhiteningConv(3, 2):measure(images)
  local w = layer.weight:reshape{24, 12}
  local covariance = core.tensor(nn.WhiteningConv.covariance(images, 2))
  local product = core.matmul(core.matmul(w, covariance),
    w:permute{2, 1}:contiguous()):totable()
  local values = golden.whiten.eigenvalues_ascending
  for i = 1, 12 do
    for j = 1, 12 do
      local l = values[13 - i]
      check.close(product[i][j], i == j and l / (l + 5e-4) or 0, 1e-5)
    end
  end
  check.equal((w:slice{dim = 1, first = 1, last = 12}
    + w:slice{dim = 1, first = 13, last = 24}):abs():max():item(), 0.0)
  assert(not layer.weight:requires_grad() and layer.bias:requires_grad())
  check.equal(layer.bias:abs():max():item(), 0.0)
  check.equal(layer(images):shape(), {3, 4, 5, 24})
end)

check.test("mistakes in whitening", function()
  local layer = nn.WhiteningConv(3, 2)
  check.fails("the images have 1 channels, the layer wants 3", layer.measure,
    layer, core.ones(2, 4, 4, 1))
  check.fails("wants images (N, H, W, C) or a loader", layer.measure, layer, 3)
  check.fails("unknown option 'epsilon'", nn.WhiteningConv, {epsilon = 1})
end)

-- --- the network --------------------------------------------------------------

check.test("dirac weights", function()
  local conv = nn.Conv2d(3, 5, 3, {init = "dirac", bias = false})
  local w = conv.weight:totable() -- (o, y, x, i)
  local want = {}
  for _, e in ipairs(golden.dirac_3of5.nonzero) do
    want[table.concat(e, " ")] = true -- o i y x, from 0
  end
  for o = 1, 3 do
    for y = 1, 3 do
      for x = 1, 3 do
        for i = 1, 3 do
          local key = table.concat({o - 1, i - 1, y - 1, x - 1}, " ")
          check.equal(w[o][y][x][i], want[key] and 1.0 or 0.0)
        end
      end
    end
  end
  local rest = conv.weight:slice{dim = 1, first = 4, last = 5}:abs()
  assert(rest:max():item() <= 1 / math.sqrt(27) and rest:mean():item() > 0.05)
  check.equal(nn.Conv2d(5, 3, 1, {init = "dirac"}).weight:sum():item(), 3.0)
end)

check.test("sizes, names and counts", function()
  local model = airbench94{n_out = 10}
  local all, trained = model:count()
  local norms = 2 * (64 + 256 + 256)
  check.equal(all, 24 * 13 + 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256)
    + 2560 + 2 * norms)
  check.equal(trained, all - 288 - norms) -- filters, gains
  local seen = {}
  for _, e in ipairs(model:state_dict()) do seen[e.name] = e.tensor:shape() end
  check.equal(seen["0.weight"], {24, 2, 2, 3})
  check.equal(seen["2.conv1.weight"], {64, 3, 3, 24})
  check.equal(seen["4.norm2.running_var"], {256})
  check.equal(seen["7.weight"], {10, 256})
  check.equal(model:eval()(core.zeros(2, 32, 32, 3)):shape(), {2, 10})
  check.equal(airbench95().arch.options.widths, {128, 384, 384})
  check.fails("widths are three numbers", airbench94, {widths = {1, 2}})
end)

-- The same group from single layers, forward and backward.
check.test("a group is conv, pool, norm, gelu, conv, norm, gelu", function()
  local model = airbench94{n_out = 3, widths = {32, 4, 4}}
  local group = model[3]
  local x = check.pattern(3, {2, 24, 9, 9}, 1)
  core.no_grad(function()
    group.norm1.bias:copy_(check.pattern(4, {32}, 0.5))
    group.norm2.bias:copy_(check.pattern(5, {32}, 0.5))
  end)
  local y = group(x)
  y:square():sum():backward()
  local grads = {}
  for name, t in group:named_parameters() do
    if t:requires_grad() then grads[name] = t:grad():clone() end
  end
  group:zero_grad()
  local function norm(n, v)
    local mean = v:mean{1, 2, 3}
    local d = v - mean
    return core.gelu(d * (d:square():mean{1, 2, 3} + 1e-12):rsqrt() + n.bias)
  end
  local z = core.max_pool2d(core.conv2d(x, group.conv1.weight, nil,
    {padding = 1}), {kernel_size = 2, stride = 2})
  z = core.conv2d(norm(group.norm1, z), group.conv2.weight, nil, {padding = 1})
  z = norm(group.norm2, z)
  check.close(y, z, 1e-4)
  z:square():sum():backward()
  for name, t in group:named_parameters() do
    if t:requires_grad() then check.close(grads[name], t:grad(), 2e-3, name) end
  end
  local before = check.pattern(6, {2, 32, 3, 3}, 1)
  group.norm1(before)
  assert(group.norm1.running_mean[1] ~= 0 and group.norm1.momentum == 0.4)
end)

-- --- rates, schedule, optimiser -------------------------------------------------

check.test("rates per 1024 images", function()
  for name, lr in pairs{airbench94 = 11.5, airbench95 = 10} do
    local want = golden[name]
    local got = decoupled_rates{lr = lr, wd = 0.0153, mom = 0.85, bs = 1024}
    -- Theirs are for the sum over the batch.
    check.close(got.lr[2] / 1024, want.lr, 1e-9)
    check.close(got.lr[1] / 1024, want.lr_biases, 1e-9)
    check.close(got.wd[2] * 1024, want.wd_over_lr, 1e-9)
    check.close(got.wd[1] * 1024, want.wd_over_lr_biases, 1e-9)
  end
  local half = decoupled_rates{lr = 8, wd = 0.02, bs = 512, mom = 0.5}
  check.close(half.lr, {64 * 8 * 0.5 / 3, 8 * 0.5 / 3}, 1e-12)
  check.close(half.wd, {0.02 / 8 / 64, 0.02 / 8}, 1e-12)
end)

-- A learner on n batches an epoch, and the rate before each of its steps.
local function watched(n, cbs)
  local rates = {}
  local learn = Learner({train = batches(n), valid = batches(1), c = 3},
    mlp.model(), {quiet = true, opt_func = SGD, cbs = {cbs or {},
      {after_pred = function(_, l)
        if l.training then rates[#rates + 1] = l.opt:get "lr" end
      end}}})
  return learn, rates
end

check.test("the triangular schedule, step by step, stops in an epoch", function()
  local want = golden.airbench94
  local learn, rates = watched(want.steps_per_epoch)
  learn:fit_triangular(9.9, 2)
  check.equal(#rates, want.total_steps)
  check.equal(#learn.recorder.values, 10)
  for step, factor in pairs(want.lr_mult) do
    check.close(rates[tonumber(step) + 1], 2 * factor, 2e-6, "step " .. step)
  end
  check.equal(learn.epochs_done, 10)
end)

check.test("whole epochs, very short fits and mistakes", function()
  local learn, rates = watched(4)
  learn:fit_triangular(2, 1, {start = 0, peak = 0.5, finish = 0})
  check.close(rates, {0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25}, 1e-6)
  learn, rates = watched(4)
  learn:fit_triangular(0.1, 1)
  check.close(rates, {1}, 1e-6)
  check.fails("'epochs' must be at least", learn.fit_triangular, learn, 0)
  check.fails("unknown option 'peek'; did you mean 'peak'?",
    learn.fit_triangular, learn, 1, 1, {peek = 1})
end)

check.test("a rate and a decay for norms and others", function()
  local learn = Learner(mlp.loaders(), mlp.model(), {quiet = true,
    opt_func = SGD{mom = 0.85, nesterov = true, l2 = true},
    splitter = norms_apart, wd_bn_bias = true})
  learn:fit_triangular(1, {0.3, 0.1}, {wd = {0.5, 0.25}})
  check.equal({learn.opt:get("wd", 1), learn.opt:get("wd", 2)}, {0.5, 0.25})
  local norms = norms_apart(learn.model)[1]
  check.equal(#norms, 2)
end)

-- PyTorch's rule, of one weight p with the loss p * (1, 2, 3).
check.test("SGD with nesterov and l2 is PyTorch's", function()
  local p = nn.Parameter(core.tensor{1.0})
  local opt = core.optim.new("SGD", {{name = "p", tensor = p}},
    {lr = 0.1, mom = 0.85, wd = 0.2, nesterov = true, l2 = true})
  local want, buf = 1.0, nil
  for step = 1, 3 do
    (p * step):sum():backward()
    opt:step()
    opt:zero_grad()
    local g = step + 0.2 * want
    buf = buf and 0.85 * buf + g or g
    want = want - 0.1 * (g + 0.85 * buf)
    check.close(p, {want}, 1e-6)
  end
  opt:close()
end)

-- --- callbacks ------------------------------------------------------------------

check.test("Lookahead's decay", function()
  local cb = LookaheadEMA()
  for name, want in pairs(golden) do
    if type(want) == "table" and want.lookahead_decay then
      for step, d in pairs(want.lookahead_decay) do
        check.close(cb:decay_at(tonumber(step), want.total_steps) / d, 1, 1e-6,
          name)
      end
    end
  end
end)

local function vector(values)
  local m = nn.class "Vector"()
  m.weight = nn.Parameter(core.tensor(values))
  return m
end

check.test("Lookahead moves weights and averages, and ends with them", function()
  local model, cb = vector{1, -2}, LookaheadEMA{decay = 0.9, k = 2, power = 1}
  cb:start(model, 5)
  local w, average = {1, -2}, {1, -2}
  for step = 1, 5 do
    local moved <close> = model.weight + 1
    core.no_grad(function() model.weight:copy_(moved) end)
    for i = 1, 2 do w[i] = w[i] + 1 end
    cb:update()
    local d = 0.81 * step / 5
    for i = 1, 2 do
      if step % 2 == 0 then
        average[i] = d * average[i] + (1 - d) * w[i]
        w[i] = average[i]
      end
      if step == 5 then w[i] = average[i] end
    end
    check.close(model.weight, w, 1e-6)
  end
  cb:after_fit()
end)

check.test("Lookahead in a fit knows its steps, and lets go of its tensors",
function()
  local cb = LookaheadEMA()
  local learn = watched(4, cb)
  learn:fit_triangular(1.5, 0.1)
  check.equal({cb.total, cb.steps, cb.lists == nil}, {6, 6, true})
  learn:fit(2, 0.1)
  check.equal({cb.total, cb.steps}, {8, 8})
  learn.cbs[#learn.cbs + 1] = {after_step = function() error "stop" end}
  check.fails("stop", learn.fit, learn, 1, 0.1)
  check.equal(cb.lists, nil)
end)

check.test("TrainFor trains in the first epochs", function()
  local model = mlp.model()
  local bias, seen = model[1].bias, {}
  local learn = Learner(mlp.loaders(), model, {quiet = true,
    opt_func = SGD{mom = 0.9},
    cbs = {TrainFor(2, bias), {after_epoch = function()
      seen[#seen + 1] = {bias:totable(), model[4].bias:totable()}
    end}}})
  learn:fit(4, 0.1)
  assert(seen[1][1][1] ~= seen[2][1][1])
  check.equal(seen[3][1], seen[2][1])
  check.equal(seen[4][1], seen[2][1])
  assert(seen[4][2][1] ~= seen[2][2][1])
  assert(bias:requires_grad())
  check.fails("params[1] must be a parameter, not", TrainFor, 1, {"bias"})
end)

-- --- views ------------------------------------------------------------------------

check.test("translated views", function()
  local x = (core.arange(25) - 1):to "f32":reshape{1, 5, 5, 1}
  local translate = require("sota.tta_translate").translate
  check.close(translate(x, 1), golden.tta_views_5x5_pad1.up_left, 0)
  check.close(translate(x, -1), golden.tta_views_5x5_pad1.down_right, 0)
  check.fails("images of 5 pixels cannot be moved by 5", translate, x, 5)
end)

check.test("six views, their weights, and logits", function()
  local x = check.pattern(9, {4, 3, 6, 6}, 1)
  local y = core.tensor({1, 2, 3, 1}, {dtype = "i32"})
  local loader = {spec = function()
    return {n = 1, batches = function()
      local done = false
      return function()
        if done then return nil end
        done = true
        return x, y
      end
    end}
  end, items = function() return 4 end}
  setmetatable(loader, {__len = function() return 1 end})
  local model = nn.Sequential{nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(),
                              nn.Linear(64, 3)}
  local learn = Learner({train = loader, valid = loader, c = 3}, model,
    {quiet = true})
  local preds, targs = learn:tta_translate()
  local translate = require("sota.tta_translate").translate
  core.no_grad(function()
    local function m(v) return (model(v) + model(v:flip{dims = {3}})) * 0.5 end
    local want = m(x) * 0.5 + (m(translate(x, 1)) + m(translate(x, -1))) * 0.25
    check.close(preds, want:softmax(-1), 1e-5)
    check.close(learn:tta_translate{pad = 0}, m(x):softmax(-1), 1e-5)
  end)
  check.equal(targs:totable(), {1, 2, 3, 1})
  check.fails("dl must be a loader", learn.tta_translate, learn, {dl = {}})
end)

check.test("a whitening layer that saw no images refuses to be trained", function()
  local layer = require("sota.nn").WhiteningConv(3)
  local x = core.uniform{shape = {2, 4, 4, 3}}
  check.fails("call model:whitening():measure(dls.train)", layer, x)
  check.equal(layer:eval()(x):shape(), {2, 3, 3, 24})
  check.equal(layer:train():measure(x)(x):shape(), {2, 3, 3, 24})
end)

check.done()
