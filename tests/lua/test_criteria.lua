-- Loss objects and metrics against PyTorch and fastai (losses.json).
local sota = require "sota"
local losses, metrics = sota.losses, sota.metrics
local check = require "check"

local golden = check.golden "losses"

local function classes() -- 1..K here, 0..K-1 in the file
  return sota.tensor(golden.targets, {dtype = "i32"}) + 1
end

local function logits()
  return sota.tensor(golden.logits, {requires_grad = true})
end

local weight = {}
for _, w in ipairs(golden.class_weight) do weight[#weight + 1] = w end
local function weights() return sota.tensor(weight) end

local cases = {
  cross_entropy = function() return losses.CrossEntropyLossFlat() end,
  cross_entropy_weighted = function()
    return losses.CrossEntropyLossFlat{weight = weights()}
  end,
  ["label_smoothing_eps0.1"] = function()
    return losses.LabelSmoothingCrossEntropy()
  end,
  ["label_smoothing_eps0.2"] = function()
    return losses.LabelSmoothingCrossEntropy{eps = 0.2}
  end,
  ["label_smoothing_eps0.1_weighted"] = function()
    return losses.LabelSmoothingCrossEntropy{weight = weights()}
  end,
  focal_gamma2 = function() return losses.FocalLossFlat() end,
  bce_with_logits = function() return losses.BCEWithLogitsLossFlat() end,
}

for name, make in pairs(cases) do
  check.test(name, function()
    local case, loss, z = golden[name], make(), logits()
    local y = case.targets and sota.tensor(case.targets) or classes()
    local value = loss(z, y)
    check.close(value, case.mean, 1e-6, "mean")
    value:backward()
    check.close(z:grad(), case.grad_mean, 1e-6, "gradient")
    for _, how in ipairs {"sum", "none"} do
      loss.reduction = how
      check.close(loss(z, y), case[how], 1e-6, how)
    end
  end)
end

check.test("soft targets", function()
  local case = golden.soft_targets_ce
  check.close(losses.CrossEntropyLossFlat()(logits(),
    sota.tensor(case.targets)), case.mean, 1e-6)
end)

check.test("1000 outputs", function()
  local case, z = golden.ls_1000_outputs, sota.zeros(2, 1000)
  z[1]:slice{first = 4, last = 4}:fill_(5)
  z[2]:slice{first = 8, last = 8}:fill_(-2)
  local y = sota.tensor({4, 10}, {dtype = "i32"})
  check.close(losses.LabelSmoothingCrossEntropy()(z, y), case.mean, 1e-6)
  check.close(losses.CrossEntropyLossFlat()(z, y), case.ce_mean, 1e-6)
end)

check.test("squared and absolute differences", function()
  local a, b = sota.tensor{{1}, {4}}, sota.tensor{3, 3}
  check.close(losses.MSELossFlat()(a, b), 2.5, 1e-7)
  check.close(losses.L1LossFlat{reduction = "sum"}(a, b), 3, 1e-7)
end)

check.test("activation and decodes", function()
  local ce, z = losses.CrossEntropyLossFlat(), logits()
  check.close(ce:activation(z), golden.softmax, 1e-6)
  check.equal(ce:decodes(z):shape(), {4})
  check.equal(ce:decodes(z)[1], 1)
  local bce = losses.BCEWithLogitsLossFlat{thresh = 0.9}
  check.equal(bce:decodes(sota.tensor{{3, 2, -1}}), {{1, 0, 0}})
end)

check.test("more dimensions are flattened", function()
  local z, y = logits():reshape{2, 2, 5}, classes():reshape{2, 2}
  check.close(losses.CrossEntropyLossFlat()(z, y), golden.cross_entropy.mean,
    1e-6)
end)

check.test("a class, an instance or a function will do", function()
  local z, y = logits(), classes()
  local instance = losses.FocalLossFlat()
  check.equal(losses.resolve(instance), instance)
  check.close(losses.resolve(losses.CrossEntropyLossFlat)(z, y),
    golden.cross_entropy.mean, 1e-6)
  local f = function() return 1 end
  check.equal(losses.resolve(f), f)
  check.fails("loss_func must be a loss", losses.resolve, "mse")
end)

check.test("options of losses", function()
  check.fails("unknown option 'epss'; did you mean 'eps'?",
    losses.LabelSmoothingCrossEntropy, {epss = 0.2})
  check.fails("one of mean, sum, none", losses.CrossEntropyLossFlat,
    {reduction = "avg"})
  check.equal(tostring(losses.LabelSmoothingCrossEntropy{eps = 0.2}),
    "LabelSmoothingCrossEntropy(eps=0.2)")
end)

-- --- metrics ---------------------------------------------------------------

check.test("metrics", function()
  local want, z, y = golden.metrics, logits(), classes()
  check.close(metrics.accuracy(z, y):item(), want.accuracy, 1e-7)
  check.close(metrics.error_rate(z, y):item(), want.error_rate, 1e-7)
  check.close(metrics.top_k_accuracy{k = 2}(z, y), want.top_2, 1e-7)
  check.close(metrics.top_k_accuracy{k = 3}(z, y), want.top_3, 1e-7)
  check.close(metrics.top_k_accuracy(z, y), 1, 1e-7)
  local many = sota.tensor(golden.bce_with_logits.targets)
  check.close(metrics.accuracy_multi(z, many),
    want["accuracy_multi_thresh0.5"], 1e-7)
end)

check.test("titles of metrics", function()
  check.equal(metrics.name_of(metrics.accuracy), "accuracy")
  check.equal(metrics.name_of(metrics.top_k_accuracy{k = 3}), "top_3_accuracy")
  check.equal(metrics.name_of(metrics.top_k_accuracy), "top_k_accuracy")
  check.equal(metrics.name_of(metrics.named("dice", function() end)), "dice")
  assert(metrics.name_of(function() end):find "^test_criteria.lua:%d+$")
  function _G.my_metric() end
  check.equal(metrics.name_of(_G.my_metric), "my_metric")
end)

check.test("wrong metrics", function()
  check.fails("4 predictions but 3 targets", metrics.accuracy, logits(),
    sota.ones(3))
  check.fails("k = 9 of 5 classes", metrics.top_k_accuracy{k = 9}, logits(),
    classes())
  check.fails("did you mean 'k'?", metrics.top_k_accuracy, {kk = 1})
end)

check.done()
