-- test_watch.lua -- a training that goes wrong is told of, once in a fit, and a
-- healthy one is not disturbed.
local core = require "sota.core"
local sota = require "sota"
local check = require "check"
local batches = require "batches"
local mlp = require "mlp"
local demo = require "demo"
local nn = require "sota.nn"
local optim = require "sota.optim"
local callbacks = require "sota.callbacks"
local losses = require "sota.losses"
local Learner = require "sota.learner"

core.set("precision", "f32")

local warnings = check.warnings

local function one(lines, want)
  check.equal(#lines, 1, table.concat(lines, "\n"))
  assert(lines[1]:find(want, 1, true), lines[1])
  assert(not lines[1]:find "\n", "one line")
end

local function none(lines) check.equal(#lines, 0, table.concat(lines, "\n")) end

local function net()
  core.set("seed", 4)
  return nn.Sequential{nn.Linear(4, 16), nn.BatchNorm(16), nn.ReLU(), nn.Linear(16, 3)}
end

-- n training batches an epoch of random rows in three classes.
local function learner(o, n)
  local options = {quiet = true}
  for k, v in pairs(o or {}) do if k ~= "net" then options[k] = v end end
  return Learner({train = batches(n or 40, 1), valid = batches(3, 2), c = 3},
    o and o.net or net(), options)
end

local function scale(from, to, factor)
  return {after_loss = function(_, l)
    local t = l.train_iter + 1
    if l.training and t >= from and t <= to then l.loss_grad = l.loss_grad * factor end
  end}
end

check.test("exploding gradients: after three in a row, once", function()
  one(warnings(function()
    learner{opt_func = optim.SGD, cbs = scale(60, 90, 1e3)}:fit(3, 1e-4)
  end), "gradients explode: their norm is")
  none(warnings(function() learner{cbs = scale(60, 61, 1e3)}:fit(3, 1e-4) end))
  none(warnings(function() learner{cbs = scale(60, 90, 5)}:fit(3, 1e-4) end))
  none(warnings(function()
    learner{warnings = false, cbs = scale(60, 90, 1e3)}:fit(3, 1e-4)
  end))
  none(warnings(function() -- clipped, they do no harm
    learner{cbs = {scale(60, 90, 1e3), callbacks.GradientClip(1)}}:fit(3, 1e-4)
  end))
end)

check.test("a learning rate that is too high", function()
  local lines = warnings(function()
    learner{opt_func = optim.SGD, net = nn.Sequential{nn.Linear(4, 3)}}:fit(4, 1e3)
  end)
  one(lines, "the learning rate, 1e+03, is too high; learn:lr_find()")
  assert(lines[1]:find("above its start", 1, true), lines[1])
end)

check.test("a loss that stays where guessing is, or begins low, is no trouble", function()
  none(warnings(function() learner():fit(4, 1e-9) end))
  local learn = learner{opt_func = optim.SGD}
  none(warnings(function()
    learn:fit(4, 1e-2)
    learn:fit_one_cycle(4, 3e-2)
  end))
end)

-- Results that are all zero.
local function dead_net()
  local m = net()
  core.no_grad(function() m[2].bias:fill_(-1e6) end)
  return m
end

check.test("dead activations: the layer is named", function()
  local lines = warnings(function() learner{net = dead_net()}:fit(2, 1e-3) end)
  one(lines, "activations die: 100.0 % of the results of 2 (ReLU) are zero in epoch 1")
  none(warnings(function() learner{warnings = false, net = dead_net()}:fit(2, 1e-3) end))
  none(warnings(function() learner():fit(2, 1e-2) end))
end)

-- --- images ------------------------------------------------------------------------

local folder <close> = demo.folder()
local path = demo.write(folder)

check.test("a healthy network on images is silent, in f32 and bf16, and its bits the same", function()
  for _, precision in ipairs{"f32", core.can_bf16() and "bf16" or nil} do
    local function train(on)
      local learn = demo.learner(path, {precision = precision, warnings = on,
        loss_func = losses.LabelSmoothingCrossEntropy(), cbs = callbacks.Mixup()})
      learn:fit_one_cycle(9, 3e-3)
      local row = learn.recorder.values[9]
      learn.dls:close()
      return ("%a %a"):format(row.train_loss, row.valid_loss)
    end
    local watched
    none(warnings(function() watched = train(true) end))
    check.equal(watched, train(false))
  end
end)

check.test("a dead layer of a fused network", function()
  local learn = demo.learner(path)
  core.no_grad(function()
    local norm = learn.model["5"]["0"].convpath["0"]["1"]
    norm.weight:fill_(0)
    norm.bias:fill_(-10)
  end)
  one(warnings(function() learn:fit(8, 1e-6) end),
    "of the results of 5.0.convpath.0 (ConvLayer) are zero")
  learn.dls:close()
end)

check.test("classes that are missing on one side", function()
  local function learn_of(files)
    local data = sota.data
    local vocab = {"checkers", "cross", "disc", "dots", "ring", "spiral", "square",
                   "star", "stripes", "triangle"}
    local dls = data.DataBlock{get_items = function() return files end,
      blocks = {data.ImageBlock, data.CategoryBlock{vocab = vocab}},
      splitter = data.GrandparentSplitter{valid_name = "val"},
      item_tfms = data.Resize(16)}:dataloaders(path, {bs = 8, workers = 0})
    return Learner(dls, demo.model(dls.c), {quiet = true})
  end
  local all, some = sota.data.get_image_files(path), {}
  for i = 1, #all do
    local p = all:path(i)
    if not p:find "/val/star/" and not p:find "/train/disc/" then some[#some + 1] = p end
  end
  local learn
  local lines = warnings(function()
    learn = learn_of(some)
    learn:fit(1, 1e-4)
    learn:fit(1, 1e-4)
  end)
  check.equal(#lines, 2, table.concat(lines, "\n"))
  assert(lines[1]:find("1 of 10 classes have no item in the training set: disc", 1, true), lines[1])
  assert(lines[2]:find("1 of 10 classes have no item in the validation set: star", 1, true), lines[2])
  learn.dls:close()
end)

check.test("images of one colour", function()
  local flat = {order = -2000, before_batch = function(_, l)
    if l.training then l.xb = l.xb * 0 + l.xb:mean{2, 3}:reshape{-1, 1, 1, 3} end
  end}
  local learn = demo.learner(path, {cbs = flat})
  one(warnings(function() learn:fit(1, 1e-4) end),
    "100 % of the images of the first batch are of one colour")
  learn.dls:close()
end)

check.test("a label out of range: its file, class and both numbers", function()
  local function loss(pred, y) return sota.cross_entropy(pred, y) end
  local dls = demo.loaders(path)
  local learn = Learner(dls, demo.model(4), {quiet = true, loss_func = loss})
  local why = tostring(check.fails("is not a class number: 1..4", learn.fit, learn, 1))
  local label, file, class = why:match "label (%d+) of sample.*it is that of (%S+) %('(%a+)'%)"
  assert(label and file:find("/" .. class .. "/", 1, true), why)
  check.equal(dls.vocab[tonumber(label)], class)
  assert(why:find("the model has 4 outputs for 10 classes", 1, true), why)
  dls:close()
end)

check.test("labels that count from 0", function()
  local loaders = mlp.loaders()
  loaders.train.y = loaders.train.y - 1
  local learn = Learner(loaders, mlp.model(), {quiet = true})
  check.fails("label 0 of sample 1 is not a class number: 1..3; class numbers count from 1",
    learn.fit, learn, 1)
end)

check.done()
