-- test_guard.lua -- a loss or gradient that is not finite is seen before the
-- optimiser writes: nothing is spoiled, and the message says where it began.
local core = require "sota.core"
local sota = require "sota"
local check = require "check"
local mlp = require "mlp"
local demo = require "demo"
local nn = require "sota.nn"
local optim = require "sota.optim"
local callbacks = require "sota.callbacks"

core.set("precision", "f32")
local NAN = 0 / 0

-- All that a step changes, as text; or all that training changes.
local function state(learn, all)
  local list, buffers = {}, {}
  for name in learn.model:named_buffers() do buffers[name] = not all end
  local function add(name, t)
    list[#list + 1] = name .. " " .. table.concat(t:reshape{-1}:totable(), " ")
  end
  for _, e in ipairs(learn.model:state_dict()) do
    if not buffers[e.name] and not e.name:find "num_batches" then
      add(e.name, e.tensor)
    end
  end
  local opt = learn.opt:state()
  for name, t in pairs(opt.tensors) do add(name, t) end
  list[#list + 1] = "count " .. opt.count
  table.sort(list)
  return table.concat(list, "\n")
end

local function check_finite(learn)
  local text = state(learn, true)
  assert(not text:find "nan" and not text:find "inf", "not finite")
end

local function check_same(learn, twin, all)
  assert(state(learn, all) == state(twin, all), "the states differ")
end

-- At training batch n of the fit: what(learn).
local function at(n, what, event)
  local cb = {name = "poison", order = -50, run_valid = false}
  cb[event or "before_batch"] = function(_, learn)
    if learn.training and learn.train_iter + 1 == n then what(learn) end
  end
  return cb
end

local function broken_batch(learn) learn.xb = learn.xb * NAN end
local function stop() error("ended", 0) end

-- make(callback) is a learner. With a broken batch n its state is that of one
-- that was ended before that batch.
local function same_as_ended_before(make, n, poison)
  local learn = make(poison or at(n, broken_batch))
  local ok, why = pcall(learn.fit, learn, 4, 1e-2)
  assert(not ok, "the fit went on")
  check.equal(why.code, 3)
  local twin = make(at(n, stop))
  check.fails("ended", twin.fit, twin, 4, 1e-2)
  check_same(learn, twin, not poison) -- a broken batch moves no statistics
  check_finite(learn)
  return learn, tostring(why)
end

local function learner(o)
  return function(cb)
    local options = {}
    for k, v in pairs(o) do options[k] = v end
    local cbs = options.cbs and options.cbs() or {}
    cbs[#cbs + 1] = cb
    options.cbs = cbs
    core.set("seed", 3)
    return mlp.learner(options)
  end
end

check.test("a broken batch: seen, named, and nothing is spoiled", function()
  local learn, why = same_as_ended_before(learner{}, 4)
  assert(why:find("in epoch 2, batch 2 of 2 (step 4), learning rate 0.01", 1,
    true), why)
  assert(why:find("the loss is nan; the batch itself has numbers", 1, true), why)
  learn.cbs = {}
  learn:fit(2, 1e-2) -- it can be used as before
  check_finite(learn)
  check.equal(learn.recorder.values[2].epoch, 2)
end)

check.test("with every optimiser, Lookahead, EMA, clipping, frozen groups", function()
  local function two(m) return {{m[1], m[2]}, {m[4]}} end
  local variants = {
    {opt_func = optim.SGD{mom = 0.9}}, {opt_func = optim.RMSProp},
    {opt_func = optim.RAdam}, {opt_func = optim.QHAdam}, {opt_func = optim.Lamb},
    {opt_func = optim.Larc}, {opt_func = optim.ranger{k = 2}},
    {cbs = function() return {callbacks.GradientClip(0.1)} end},
    {cbs = function() return {callbacks.EMA(0.9)} end},
    {cbs = function() return {callbacks.LookaheadEMA{k = 2}} end},
    {splitter = two, freeze = true},
  }
  for i, o in ipairs(variants) do
    local freeze = o.freeze
    o.freeze = nil
    local make = learner(o)
    same_as_ended_before(function(cb)
      local learn = make(cb)
      if freeze then learn:freeze() end
      return learn
    end, 2 + i % 4)
  end
end)

-- x, whose gradient is not finite although its value is.
local Sharp = nn.class "Sharp"
function Sharp:forward(x)
  return self.on and x + (x * 0):sqrt() or x
end

local function with_layer(layer, cb, o)
  local m = nn.Sequential{nn.Linear(4, 5), layer, nn.BatchNorm(5), nn.ReLU(),
                          nn.Linear(5, 3)}
  local options = {quiet = true, cbs = {cb}}
  for k, v in pairs(o or {}) do options[k] = v end
  core.set("seed", 3)
  return require "sota.learner"(mlp.loaders(), m, options)
end

check.test("a gradient only: its parameter is named", function()
  local sharp
  local function make(cb)
    sharp = Sharp()
    core.set("seed", 3)
    return with_layer(sharp, cb)
  end
  local poison = at(3, function() sharp.on = true end)
  local _, why = same_as_ended_before(make, 3, poison)
  assert(why:find("step 3", 1, true), why)
  assert(why:find("the loss is finite, but the gradient of 0.weight and those of "
    .. "1 more are not", 1, true), why)
end)

check.test("clipping does not hide it, and its own error is not in the way", function()
  local sharp = Sharp()
  local learn = with_layer(sharp, {callbacks.GradientClip(1),
    at(3, function() sharp.on = true end)})
  local why = check.fails("the gradient of 0.weight", learn.fit, learn, 3)
  check.equal(why.code, 3)
  check_finite(learn)
end)

check.test("gradients whose squares are no floats", function()
  local learn = mlp.learner{cbs = at(2, function(l) l.loss_grad = l.loss_grad * 1e30 end,
    "after_loss")}
  check.fails("too large for f32", learn.fit, learn, 2)
  check_finite(learn)
end)

local Bad = nn.class "Bad"
function Bad:forward(x)
  return self.on and x / 0 or x
end

check.test("the loss: the layer where it begins is named", function()
  local bad = Bad()
  local learn = with_layer(bad, at(4, function() bad.on = true end))
  local why = tostring(check.fails("step 4", learn.fit, learn, 3))
  assert(why:find("the first layer whose result is not finite is 1 (Bad)", 1, true),
    why)
  check_finite(learn) -- norm statistics too
  learn = mlp.learner{cbs = at(2, function(l)
    l.batch_loss = function(_, pred) return pred:sum() * NAN end
  end)}
  why = tostring(check.fails("step 2", learn.fit, learn, 3))
  assert(why:find("it begins in the loss", 1, true), why)
end)

check.test("the search for the layer leaves no trace", function()
  local function make(cb)
    core.set("seed", 3)
    local m = nn.Sequential{nn.Linear(4, 5), nn.BatchNorm(5), nn.Dropout(0.5),
                            nn.Linear(5, 3)}
    return require "sota.learner"(mlp.loaders(), m, {quiet = true, cbs = {cb}})
  end
  local drawn
  local learn = make(at(3, broken_batch))
  pcall(learn.fit, learn, 4)
  drawn = sota.randn(3):totable()
  learn = make(at(3, function(l)
    l.batch_loss = function() error "ended" end
    l.xb = l.xb * NAN
  end))
  pcall(learn.fit, learn, 4)
  check.equal(sota.randn(3):totable(), drawn)
end)

-- --- skip, off ---------------------------------------------------------------------

check.test("skip: the batch is left out, and that is said once", function()
  local learn, twin
  local lines = check.warnings(function()
    learn = learner{nan = "skip"}(at(3, broken_batch))
    learn:fit(4, 1e-2)
    -- The same without that batch.
    twin = learner{}(at(3, function() error(core.cancel.batch) end))
    twin:fit(4, 1e-2)
  end)
  check_same(learn, twin, true)
  check.equal(#learn.recorder.losses, 7)
  assert(learn.recorder.values[4].train_loss < 10)
  check.equal(#lines, 1)
  assert(lines[1]:find("a batch is left out: in epoch 2, batch 1 of 2", 1, true), lines[1])
end)

check.test("skip: many are counted; ten in a row are the end", function()
  local learn
  local some = {order = -50, before_batch = function(_, l)
    if l.training and l.train_iter % 3 == 1 then broken_batch(l) end
  end}
  local lines = check.warnings(function()
    learn = learner{nan = "skip"}(some)
    learn:fit(9, 1e-2)
  end)
  check.equal(#lines, 2)
  assert(lines[2]:find("^6 batches of this fit were left out"), lines[2])
  check_finite(learn)
  lines = check.warnings(function()
    learn = learner{nan = "skip"}{order = -50, before_batch = function(_, l)
      if l.training and l.epoch > 1 then broken_batch(l) end
    end}
    local why = check.fails("10 batches in a row were left out", learn.fit, learn, 20)
    check.equal(why.code, 3)
  end)
  check_finite(learn)
end)

check.test("accumulated gradients: a broken part is not added to the others", function()
  for _, mode in ipairs{"stop", "skip"} do
    local learn = learner{nan = mode, cbs = function()
      return {callbacks.GradientAccumulation(12)}
    end}(at(4, broken_batch))
    check.warnings(function()
      local ok, why = pcall(learn.fit, learn, 6, 1e-2)
      check.equal(ok, mode == "skip", tostring(why))
      if not ok then assert(tostring(why):find "step 4", tostring(why)) end
    end)
    check_finite(learn)
  end
end)

check.test("off: nobody looks, and weights are lost", function()
  local learn = learner{nan = "off"}(at(3, broken_batch))
  learn:fit(3, 1e-2)
  assert(state(learn):find "nan")
  check.fails("did you mean", mlp.learner, {nna = "off"})
  check.fails("nan", mlp.learner, {nan = "perhaps"})
end)

-- --- images: convolutions, bf16, files ----------------------------------------------

local folder <close> = demo.folder()
local path = demo.write(folder)

check.test("a convolutional network, in f32 and bf16", function()
  for _, precision in ipairs{"f32", core.can_bf16() and "bf16" or nil} do
    local function make(cb)
      return demo.learner(path, {precision = precision, cbs = {callbacks.EMA(0.9), cb}})
    end
    local learn, why = same_as_ended_before(make, 6)
    assert(why:find("the batch itself", 1, true), why)
    learn = make(at(3, function(l) l.model["4"]["0"].convpath["0"]["0"].weight:fill_(1e38) end))
    why = tostring(check.fails("step 3", learn.fit, learn, 1))
    assert(why:find("4.0.convpath.0", 1, true), why)
    learn.dls:close()
  end
end)

check.test("a rate that is no number is refused where it is set", function()
  local learn = mlp.learner()
  learn:with_opt()
  check.fails("lr is to be", learn.opt.set, learn.opt, "lr", NAN)
  check.fails("finite", learn.opt.set, learn.opt, "mom", math.huge)
  check.fails("finite", learn.opt.set, learn.opt, "lr", {1 / 0})
end)

check.test("grad_norm is what the step had", function()
  local norms, learn = {}, nil
  learn = mlp.learner{cbs = {after_step = function(_, l) norms[#norms + 1] = l.grad_norm end,
    before_step = function(_, l) norms[#norms + 1] = l.opt:grad_norm() end}}
  learn:fit(1, 1e-2)
  check.equal(#norms, 4)
  check.equal(norms[1], norms[2])
  check.equal(norms[3], norms[4])
  assert(norms[1] > 0 and norms[1] ~= norms[3])
end)

check.done()
