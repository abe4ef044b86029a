-- EarlyStopping, SaveModel and ReduceLROnPlateau against fastai's traces.
local core = require "sota.core"
local check = require "check"
local mlp = require "mlp"
local Learner = require "sota.learner"
local callbacks = require "sota.callbacks"

local golden = check.golden "trackers"

-- Sets the last row's value of a column, before any tracker looks.
local function feed(monitor, values)
  return {order = 55, after_epoch = function(_, learn)
    local rows = learn.recorder.values
    rows[#rows][monitor] = values[#rows]
  end}
end

local function learner(cbs, n_groups)
  return Learner(mlp.loaders(), mlp.model(), {quiet = true, cbs = cbs,
    metrics = require("sota.metrics").accuracy,
    splitter = n_groups and function(m) return {{m[1]}, {m[2], m[4]}} end})
end

local function each_case(f)
  for name, case in pairs(golden) do
    if name ~= "_about" then
      local monitor, delta, patience = name:match "^(.-)_min_delta(.-)_patience(%d+)$"
      f(case, {monitor = monitor, min_delta = tonumber(delta), patience = math.tointeger(patience)}, name)
    end
  end
end

check.test("early stopping", function()
  each_case(function(case, o, name)
    local stopper, bests = callbacks.EarlyStopping(o), {}
    local learn = learner{feed(o.monitor, case.values), stopper}
    local after = stopper.after_epoch
    rawset(stopper, "after_epoch", function(self, l)
      local ok, why = pcall(after, self, l)
      bests[#bests + 1] = self.new_best
      if not ok then error(why, 0) end
    end)
    learn:fit(#case.values)
    check.equal(bests, case.new_best, name)
    local stop = case.early_stop_epoch -- null: never
    check.equal(#learn.recorder.values, math.type(stop) and stop + 1 or #case.values, name)
  end)
end)

check.test("reducing the rate", function()
  each_case(function(case, o, name)
    local seen = {}
    o.factor, o.min_lr = 10, 0.05
    local learn = learner({feed(o.monitor, case.values), callbacks.ReduceLROnPlateau(o),
      {order = 70, after_epoch = function(_, l)
        seen[#seen + 1] = {l.opt:get("lr", 1), l.opt:get("lr", 2)}
      end}}, 2)
    learn:fit(#case.values, {1.0, 10.0})
    check.close(seen, case["reduce_lr_groups_after_epoch(factor10,min_lr0.05)"], 1e-12, name)
  end)
end)

-- A learner whose save and load only remember.
local function saving(cbs)
  local learn, log = learner(cbs), {}
  function learn.save(_, name) log[#log + 1] = "save " .. name end
  function learn.load(_, name) log[#log + 1] = "load " .. name end
  return learn, log
end

check.test("saving the best, and loading it at the end", function()
  local values = {0.5, 0.6, 0.55, 0.61}
  local learn, log = saving{feed("accuracy", values), callbacks.SaveModel{monitor = "accuracy", fname = "best"}}
  learn:fit(4)
  check.equal(log, {"save best", "save best", "save best", "load best"})
  learn, log = saving{feed("valid_loss", values), callbacks.SaveModel}
  learn:fit(4)
  check.equal(log, {"save model", "load model"})
  learn:validate()
  check.equal(#log, 2, "validation alone saves and loads nothing")
end)

check.test("saving every epoch, or the last state", function()
  local learn, log = saving{callbacks.SaveModel{every_epoch = true}}
  learn:fit(2)
  check.equal(log, {"save model_1", "save model_2"})
  learn, log = saving{callbacks.SaveModel{every_epoch = 2, fname = "m"}}
  learn:fit(5)
  check.equal(log, {"save m_2", "save m_4"})
  learn, log = saving{feed("valid_loss", {9}), callbacks.SaveModel{at_end = true}}
  learn:fit(1)
  check.equal(log, {"save model", "save model"})
end)

check.test("a loss that is not a number is never the best", function()
  local learn, log = saving{feed("valid_loss", {0 / 0, 0 / 0}), callbacks.SaveModel}
  learn:fit(2)
  check.equal(log, {})
end)

check.test("mode, reset_on_fit", function()
  local t = callbacks.SaveModel{monitor = "valid_loss", mode = "max", reset_on_fit = false}
  local learn = saving{feed("valid_loss", {1, 2}), t}
  learn:fit(2)
  check.equal(t.best, 2)
  learn.cbs[1] = feed("valid_loss", {1.5})
  learn:fit(1)
  check.equal(t.best, 2)
end)

check.test("mistakes", function()
  local learn = learner{callbacks.EarlyStopping "acuracy"}
  check.fails("there is no column 'acuracy' to monitor; did you mean 'accuracy'?; there are", learn.fit, learn, 1)
  learn = learner{callbacks.EarlyStopping()}
  learn.dls.valid = nil
  check.fails("'valid_loss' was not measured: there is no validation set", learn.fit, learn, 1)
  check.fails("unknown option 'patence'; did you mean 'patience'?", callbacks.EarlyStopping, {patence = 3})
  check.fails("'mode' must be one of auto, min, max", callbacks.SaveModel, {mode = "least"})
end)

check.done()
