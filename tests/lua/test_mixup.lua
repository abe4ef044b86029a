-- Mixup and CutMix: fastai's numbers for given draws (tests/golden/mixup.json),
-- and the draws themselves.
local core = require "sota.core"
local callbacks = require "sota.callbacks"
local losses = require "sota.losses"
local check = require "check"
local mlp = require "mlp"

local golden = check.golden "mixup"

local function from_zero(list) -- numbers from 0 to numbers from 1
  local t = {}
  for i, v in ipairs(list) do t[i] = v + 1 end
  return core.tensor(t, {dtype = "i32"})
end

-- What Mixup makes of a batch, its random numbers given.
local function mixed(case, x, y, loss_func)
  local mixup = callbacks.Mixup()
  function mixup:draw()
    return core.tensor(case.lam_raw), from_zero(case.perm)
  end
  local learn = {xb = x, yb = y, bs = x:shape(1), loss_func = loss_func}
  mixup:before_batch(learn)
  return learn
end

-- Pictures of the vectors are (N, C, H, W).
local function images(v) return core.tensor(v):permute{1, 3, 4, 2} end

local int_targets = {
  mixup_ce = losses.CrossEntropyLossFlat(),
  ["mixup_ls0.1"] = losses.LabelSmoothingCrossEntropy(),
  ["mixup_ls0.1_flat"] = losses.LabelSmoothingCrossEntropyFlat(),
}
for name, loss_func in pairs(int_targets) do
  check.test(name, function()
    local case = golden[name]
    local learn = mixed(case, images(case.x), from_zero(golden.targets),
      loss_func)
    check.close(learn.xb, images(case.xb), 1e-6, "images")
    local logits = core.tensor(golden.logits):requires_grad(true)
    local loss = learn:batch_loss(logits, learn.yb)
    check.close(loss, case.loss, 1e-6, "loss")
    loss:backward()
    check.close(logits:grad(), case.grad_logits, 1e-6, "gradient")
    check.equal(loss_func.reduction, "mean")
  end)
end

check.test("targets of several labels are interpolated", function()
  local case, draws = golden.mixup_bce, golden.mixup_ce
  local learn = mixed(draws, images(draws.x), core.tensor(case.targets),
    losses.BCEWithLogitsLossFlat())
  check.close(learn.yb, case.yb, 1e-6, "targets")
  check.equal(learn.batch_loss, nil)
  check.close(learn.loss_func(core.tensor(golden.logits), learn.yb), case.loss,
    1e-6, "loss")
end)

check.test("CutMix's boxes", function()
  for i, b in ipairs(golden.cutmix_boxes) do
    local x1, y1, x2, y2, share = callbacks.CutMix.box(b.W, b.H, b.lam, b.cx,
      b.cy)
    check.equal({x1, y1, x2, y2}, b.box_x1y1x2y2, "box " .. i)
    check.close(share, b.lam_adj, 1e-6, "share " .. i)
  end
end)

check.test("CutMix takes the box from the other image, and its loss", function()
  local cutmix = callbacks.CutMix()
  function cutmix:draw() -- an 8x8 box at the middle of 16x16: a quarter
    return 0.75, 8, 8, core.tensor({2, 1}, {dtype = "i32"})
  end
  local x = core.cat({core.zeros{1, 16, 16, 3}, core.ones{1, 16, 16, 3}},
    {dim = 1})
  local learn = {xb = x, yb = core.tensor({1, 2}, {dtype = "i32"}), bs = 2,
                 loss_func = losses.CrossEntropyLossFlat()}
  cutmix:before_batch(learn)
  check.close(learn.xb:sum{2, 3, 4}, {64 * 3, 192 * 3}, 1e-6)
  check.close(learn.xb:select{dim = 1, index = 1}:select{dim = 1, index = 5}
    :select{dim = 2, index = 1}, {0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0,
    0}, 0)
  local logits = core.tensor{{1, 0}, {0, 0}}
  local l1, l2 = math.log(1 + math.exp(-1)), math.log(1 + math.exp(1))
  check.close(learn:batch_loss(logits, learn.yb),
    (0.75 * l1 + 0.25 * l2 + math.log(2)) / 2, 1e-6)
end)

check.test("draws: the same for a seed, Beta, each image met once", function()
  local function draws()
    core.set("seed", 5)
    local share, order = callbacks.Mixup(0.4):draw(64)
    return share:totable(), order:totable()
  end
  local share, order = draws()
  local share2, order2 = draws()
  check.equal({share, order}, {share2, order2})
  local seen, moved, low = {}, 0, 0
  for i = 1, 64 do
    seen[order[i]] = true
    moved = moved + (order[i] ~= i and 1 or 0)
    low = low + (share[i] < 0.1 and 1 or 0)
  end
  check.equal(#seen, 64)
  assert(moved > 50 and low > 10, "Beta(.4, .4) is mostly near 0 and 1")
end)

check.test("training only; the loss of validation is the plain one", function()
  local function validated(cbs)
    local learn = mlp.learner{cbs = cbs}
    return learn:validate().valid_loss
  end
  check.equal(validated(callbacks.Mixup()), validated())
  local learn = mlp.learner{cbs = callbacks.Mixup()}
  learn:fit(1, 0) -- no step is made
  check.close(learn.recorder.values[1].valid_loss,
    mlp.learner():validate().valid_loss, 0.2) -- but batch norm has moved
  check.equal(learn.batch_loss, nil)
end)

check.test("a loss that is a function is refused in words", function()
  local learn = mlp.learner{cbs = callbacks.Mixup,
    loss_func = function(pred, y) return core.cross_entropy(pred, y) end}
  check.fails("Mixup and CutMix need the loss of each item", learn.fit, learn,
    1)
end)

check.done()
