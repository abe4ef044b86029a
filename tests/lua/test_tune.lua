-- Parameter groups, freezing, rates by slice, fine_tune and fit_sgdr.
local core = require "sota.core"
local check = require "check"
local batches = require "batches"
local mlp = require "mlp"
local Learner = require "sota.learner"
local rates = require "sota.train.rates"
local callbacks = require "sota.callbacks"

local golden = check.golden "schedules"
local slice = rates.slice

local function three_groups(m) return {{m[1]}, {m[2]}, {m[4].weight, m[4].bias}} end

local function learner(n, options)
  local o = {quiet = true}
  for k, v in pairs(options or {}) do o[k] = v end
  return Learner({train = batches(n), valid = batches(1, 2), c = 3}, mlp.model(), o)
end

-- A callback that writes down each batch's rate, of every group.
local function rates_seen()
  local seen = {}
  return seen, {order = 70, run_valid = false, after_batch = function(_, learn)
    local list = {}
    for g = 1, learn.opt:groups() do list[g] = learn.opt:get("lr", g) end
    seen[#seen + 1] = list
  end}
end

local function of_group(seen, g, first, last)
  local list = {}
  for i = first or 1, last or #seen do list[#list + 1] = seen[i][g] end
  return list
end

check.test("rates of groups", function()
  local want = golden.lr_slices
  check.close(rates.of_groups(slice(2e-3), 3), want["slice(None,2e-3)_3groups"], 1e-15)
  check.close(rates.of_groups(slice(1e-5, 1e-3), 3), want["slice(1e-5,1e-3)_3groups"], 1e-15)
  for _, e in ipairs(golden.even_mults) do
    local v = type(e.v) == "table" and e.v or {e.v}
    check.close(rates.of_groups(slice(e.start, e.stop), e.n), v, 1e-15)
  end
  check.equal(rates.of_groups(0.5, 2), {0.5, 0.5})
  check.equal(rates.of_groups({1, 2}, 2), {1, 2})
  check.equal(tostring(slice(1e-5, 1e-3)), "slice(1e-05, 0.001)")
  check.fails("3 learning rates for 2 parameter groups", rates.of_groups, {1, 2, 3}, 2)
  check.fails("must be above 0", slice, 0)
  check.fails("'first' must be a number", slice, "1e-3")
end)

check.test("what may be a rate", function()
  local learn = learner(2)
  check.fails("'lr' must be a learning rate of at least 0, slice(lo, hi)", learn.fit, learn, 1, -1)
  check.fails("'lr_max' must be", learn.fit_one_cycle, learn, 1, {1e-3, "x"})
  check.fails("2 learning rates for 1 parameter group", learn.fit, learn, 1, {1e-3, 1e-3})
  check.fails("unknown option 'divv'; did you mean 'div'?", learn.fine_tune, learn, 1, {divv = 2})
  check.fails("'epochs' is missing", learn.fine_tune, learn)
end)

check.test("fine_tune of one group follows fastai's two cycles", function()
  local seen, watch = rates_seen()
  learner(20, {cbs = watch}):fine_tune(1, 1e-3)
  check.equal(#seen, 40)
  check.close(of_group(seen, 1, 1, 20), golden["fine_tune_frozen_pct_start_0.99_lr1e-3_20steps"].lr, 1e-12)
  check.close(of_group(seen, 1, 21, 40), golden["fine_tune_unfrozen_pct_start_0.3_div5_lr5e-4_20steps"].lr, 1e-12)
end)

check.test("fine_tune of three groups", function()
  local seen, watch = rates_seen()
  local learn = learner(20, {cbs = watch, splitter = three_groups})
  learn:fine_tune(1, 1e-3)
  local frozen = golden["fine_tune_frozen_pct_start_0.99_lr1e-3_20steps"].lr
  local all = golden["fine_tune_unfrozen_pct_start_0.3_div5_lr5e-4_20steps"].lr
  check.close(of_group(seen, 3, 1, 20), frozen, 1e-12)
  check.close(of_group(seen, 3, 21, 40), all, 1e-12)
  for i = 1, 20 do
    check.close(seen[i][1], frozen[i] / 10, 1e-12)
    check.close(seen[20 + i][1] * 100, all[i], 1e-12)
    check.close(seen[20 + i][2] * 10, all[i], 1e-12)
  end
end)

check.test("fine_tune takes its options", function()
  local seen, watch = rates_seen()
  local learn = learner(4)
  assert(learn:fine_tune(2, {freeze_epochs = 0, base_lr = 0.2, div = 10, cbs = watch}) == learn)
  check.equal(#seen, 8)
  check.close(seen[1][1], 0.01, 1e-12)
end)

check.test("fit_sgdr", function()
  local seen, watch = rates_seen()
  learner(4, {cbs = watch}):fit_sgdr(3, 1, 1e-2)
  check.close(of_group(seen, 1), golden["sgdr_3cycles_len1_mult2_lr1e-2"].lr, 1e-12)
  local n = #seen
  learner(2, {cbs = watch}):fit_sgdr(2, 1, {lr_max = 1e-2, cycle_mult = 1})
  check.equal(#seen, n + 4)
end)

-- Which parameters are trained, by name.
local function trained(learn)
  local list = {}
  for name, t in learn.model:named_parameters() do
    if t:requires_grad() then list[#list + 1] = name end
  end
  return table.concat(list, " ")
end

local function values(learn)
  local v = {}
  for name, t in learn.model:named_parameters() do v[name] = t:totable() end
  return v
end

check.test("freezing", function()
  local learn = learner(2, {splitter = three_groups})
  learn:freeze()
  check.equal(trained(learn), "1.weight 1.bias 3.weight 3.bias")
  local before = values(learn)
  learn:fit(1, 1e-2)
  local after = values(learn)
  check.equal(after["0.weight"], before["0.weight"])
  check.equal(after["0.bias"], before["0.bias"])
  assert(after["1.weight"][1] ~= before["1.weight"][1], "norm layers stay trained")
  assert(after["3.bias"][1] ~= before["3.bias"][1])
  learn:freeze_to(1)
  check.equal(trained(learn), "1.weight 1.bias 3.weight 3.bias")
  learn:unfreeze()
  check.equal(trained(learn), "0.weight 0.bias 1.weight 1.bias 3.weight 3.bias")
  learner(2):freeze():unfreeze()
end)

check.test("norm layers freeze with train_bn = false, BnFreeze their statistics", function()
  local learn = learner(2, {splitter = three_groups, train_bn = false})
  learn:freeze()
  check.equal(trained(learn), "3.weight 3.bias")
  local mean = learn.model[2].running_mean:totable()
  learn:fit(1, {cbs = callbacks.BnFreeze})
  check.equal(learn.model[2].running_mean, mean)
  learn:fit(1)
  assert(learn.model[2].running_mean:totable()[1] ~= mean[1])
end)

check.test("freezing clears the optimiser's state, not its hyperparameters", function()
  local learn = learner(2, {splitter = three_groups})
  learn:fit(1, 0.01, {wd = 0.5})
  assert(next(learn.opt:state().tensors))
  learn:freeze()
  check.equal(next(learn.opt:state().tensors), nil)
  check.equal(learn.opt:state().count, 0)
  check.equal(learn.opt:get "wd", 0.5)
  check.equal(learn.opt:get("lr", 1), 0.01)
end)

check.test("a model may know its groups", function()
  local learn = learner(2)
  rawset(learn.model, "groups", three_groups)
  learn:fit(1, slice(1e-3))
  check.equal(learn.opt:groups(), 3)
  check.close(learn.opt:get("lr", 1), 1e-4, 1e-15)
  check.close(learn.opt:get("lr", 3), 1e-3, 1e-15)
end)

check.test("mistakes in splitters", function()
  local function fails(want, splitter)
    local learn = learner(2, {splitter = splitter})
    check.fails(want, learn.fit, learn, 1)
  end
  fails("splitter: parameter 1.weight is in no group", function(m) return {{m[1]}, {m[4]}} end)
  fails("parameter 3.weight is in the groups 1 and 2", function(m) return {{m}, {m[4]}} end)
  fails("group 2 of 2 has no parameters", function(m) return {{m}, {}} end)
  fails("must return a list of groups", function(m) return m end)
  fails("must return a list of groups", function() end)
  fails("group 1 has 3; a group is a list of modules", function() return {{3}} end)
  fails("a parameter that is not the model's", function(m) return {{m}, {core.zeros(2)}} end)
  local learn = learner(2, {splitter = three_groups})
  check.fails("the model has 3 parameter groups, and one at least", learn.freeze_to, learn, 3)
  check.fails("wants how many groups", learn.freeze_to, learn, "last")
  check.fails("'splitter' must be a function", learner, 2, {splitter = 3})
end)

check.done()
