-- lr_find: its four rules against fastai's, and that it leaves no trace.
local core = require "sota.core"
local check = require "check"
local batches = require "batches"
local mlp = require "mlp"
local nn = require "sota.nn"
local optim = require "sota.optim"
local callbacks = require "sota.callbacks"
local Learner = require "sota.learner"
local suggest = require "sota.train.suggest"
local curve = require "sota.train.curve"

local golden = check.golden "lr_find"

check.test("the four rules on whole curves", function()
  for _, name in ipairs{"case_decreasing", "case_v_shape", "case_noisy"} do
    local c = golden[name]
    for rule, want in pairs(c.suggest) do
      check.close(suggest[rule](c.lrs, c.losses), want, 1e-8 * want, name .. " " .. rule)
    end
  end
end)

check.test("rates are read without the curve's ends, in single precision", function()
  for _, kind in ipairs{"smooth", "raw"} do
    local found = assert(curve.read(golden.lrs, golden[kind .. "_loss"], 100))
    for rule, want in pairs(golden["suggest_on_" .. kind]) do
      check.equal(found[rule], want, kind .. " " .. rule)
    end
  end
end)

check.test("no rate, and why", function()
  local nan = 0 / 0
  local function reason(want, lrs, losses)
    local found, why = curve.read(lrs, losses, #lrs)
    check.equal(found, nil)
    assert(why:find(want, 1, true), why)
  end
  reason("the loss never fell between", {1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 5, 6, 7, 8, 9})
  reason("not a number from a learning rate of 2 on", {1, 2, 3, 4, 5, 6, 7, 8}, {1, nan, nan, nan, nan, nan, nan, nan})
  reason("only 3 learning rates could be tried", {1, 2, 3}, {1, 9, 99})
end)

check.test("a curve that is too short for slide", function()
  local found = assert(curve.read({1, 2, 3, 4, 5, 6, 7, 8, 9}, {9, 8, 7, 6, 5, 4, 3, 2, 1}, 9))
  check.equal(found.slide, nil)
  assert(found.valley)
  assert(tostring(found):find "slide none")
end)

local function learner(options, model)
  local o = {quiet = true}
  for k, v in pairs(options or {}) do o[k] = v end
  return Learner({train = batches(8), valid = batches(2, 2), c = 3}, model or mlp.model(), o)
end

-- Everything that must be as before.
local function state(learn)
  local s = {random = core.random_state(), epochs = learn.epochs_done,
             recorder = tostring(learn.recorder), n_cbs = #learn.cbs,
             training = learn.model.training, model = {}}
  for _, e in ipairs(learn.model:state_dict()) do s.model[e.name] = e.tensor:totable() end
  if learn.opt then
    local opt = learn.opt:state()
    s.steps, s.count, s.hypers, s.moments = opt.steps, opt.count, opt.hypers, {}
    for name, t in pairs(opt.tensors) do s.moments[name] = t:totable() end
  end
  return s
end

check.test("rates grow as fastai's", function()
  local learn, seen = learner(), {}
  learn.cbs = {{order = 70, before_batch = function(_, l) seen[#seen + 1] = l.opt:get "lr" end}}
  local found = learn:lr_find{stop_div = false}
  check.close(seen, golden.lrs, 1e-12)
  check.equal(#(found and found.lrs or seen), 100)
end)

check.test("nothing remains: before the first fit", function()
  local learn = learner()
  learn.model:eval()
  local before = state(learn)
  learn:lr_find()
  check.equal(state(learn), before)
  check.equal(learn.opt, nil)
end)

check.test("nothing remains: after fine_tune, with Lookahead, EMA and trackers", function()
  local function make()
    core.set("seed", 3)
    return learner({opt_func = optim.ranger, cbs = {callbacks.EMA{0.9}, callbacks.EarlyStopping(), callbacks.Mixup()},
      splitter = function(m) return {{m[1], m[2]}, {m[4]}} end})
  end
  local learn, twin = make(), nil
  learn:fine_tune(2)
  local before = state(learn)
  local found = learn:lr_find{num_it = 30}
  check.equal(state(learn), before)
  if found then assert(found.valley > 0) end
  learn:fit_one_cycle(2)
  twin = make()
  twin:fine_tune(2)
  twin:fit_one_cycle(2)
  check.equal(state(learn).model, state(twin).model, "training goes on as without lr_find")
end)

check.test("it finds a rate, and its curve", function()
  local found, why = learner():lr_find{start_lr = 1e-4, num_it = 60}
  assert(found, why)
  assert(found.valley > 1e-4 and found.valley < 10, tostring(found))
  check.equal(#found.lrs, #found.losses)
  assert(tostring(found):find "^valley ")
  found = learner():lr_find{start_lr = 1e-4, num_it = 60, suggest_funcs = "minimum"}
  assert(found.minimum and not found.valley)
  found = learner():lr_find{start_lr = 1e-4, num_it = 60,
    suggest_funcs = {"steep", function(lrs) return lrs[1] end}}
  assert(found.steep and found.rule_2)
end)

check.test("divergence ends the search, and is no error", function()
  local model = nn.Sequential{nn.Linear(4, 3)}
  local learn = learner({opt_func = optim.SGD, cbs = {callbacks.TerminateOnNaN(), callbacks.GradientClip(1e30)}}, model)
  local before = state(learn)
  local found, why = learn:lr_find{start_lr = 1e30, end_lr = 1e38, num_it = 20}
  check.equal(found, nil)
  assert(type(why) == "string", why)
  check.equal(state(learn), before)
end)

check.test("an error in it leaves no trace either", function()
  local learn = learner{cbs = {after_step = function(_, l)
    if l.train_iter == 5 then error "broken callback" end
  end}}
  local before = state(learn)
  check.fails("broken callback", learn.lr_find, learn)
  check.equal(state(learn), before)
end)

check.test("mistakes", function()
  local learn = learner()
  check.fails("'num_it' must be at least 6", learn.lr_find, learn, {num_it = 5})
  check.fails("end_lr must be above start_lr = 1, not 0.1", learn.lr_find, learn, {start_lr = 1, end_lr = 0.1})
  check.fails("there is no rule \"valey\"; did you mean 'valley'?", learn.lr_find, learn, {suggest_funcs = "valey"})
  check.fails("unknown option 'num_iter'; did you mean 'num_it'?", learn.lr_find, learn, {num_iter = 9})
end)

check.done()
