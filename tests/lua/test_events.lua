-- The events that callbacks of a Learner are told of, against fastai's:
-- tests/golden/events.json.
local core = require "sota.core"
local callbacks = require "sota.callbacks"
local check = require "check"
local mlp = require "mlp"

local Callback, cancel = callbacks.Callback, core.cancel

local function tracer(order)
  local events = {name = "Tracer", order = order or 1}
  for _, name in ipairs(core.events) do
    events[name] = function(self) self.seen[#self.seen + 1] = name end
  end
  function events:init() self.seen = {} end
  return Callback(events)()
end

-- use(learn) with a callback beside the tracer gives that trace.
local function trace(key, use, cb, order)
  check.test(key, function()
    local seen = tracer(order)
    use(mlp.learner{cbs = {seen, cb}})
    check.equal(seen.seen, check.golden "events"[key])
  end)
end

local function fit(learn) learn:fit(1, 0.01) end

local function canceller(event, flow, more)
  local cb = {[event] = function() error(flow) end}
  for k, v in pairs(more or {}) do cb[k] = v end
  return cb
end

trace("plain_fit", fit)
trace("validate()", function(learn) learn:validate() end)
trace("get_preds()", function(learn) learn:get_preds() end)
trace("grad_accum_8 (first batch cancels at before_step)", fit,
  callbacks.GradientAccumulation(8), 7)
trace("cancel_batch_in_before_batch", fit,
  canceller("before_batch", cancel.batch, {run_valid = false}))
trace("cancel_epoch_in_after_train", fit,
  canceller("after_train", cancel.epoch))
trace("cancel_fit_in_after_batch", fit,
  canceller("after_batch", cancel.fit))

-- --- forms of callbacks -----------------------------------------------------

check.test("a class, an instance, options by place and by name", function()
  local told = {}
  local Teller = Callback{name = "Teller",
    options = {{"word", "string", "default"}},
    before_fit = function(self) told[#told + 1] = self.word end}
  mlp.learner{cbs = {Teller, Teller(), Teller "by place",
                     {Teller{word = "by name"}}}}:fit(1)
  check.equal(told, {"default", "default", "by place", "by name"})
  mlp.learner{cbs = Teller}:fit(1, {cbs = Teller "for one fit"})
  check.equal(table.concat(told, ", ", 5), "default, for one fit")
  check.equal(tostring(Teller "x"), "Teller{word = x}")
  check.fails("Teller: unknown option 'wrd'; did you mean 'word'?", Teller,
    {wrd = "x"})
end)

check.test("they come by order; ties as in the list", function()
  local told = {}
  local function cb(name, order)
    return {order = order, before_fit = function() told[#told + 1] = name end}
  end
  mlp.learner{cbs = {cb("late", 60), cb("a"), cb("first", -9), cb "b"}}:fit(1)
  check.equal(told, {"first", "a", "b", "late"})
end)

check.test("misspelt events are errors", function()
  check.fails("there is no event 'before_batc'; did you mean 'before_batch'?",
    Callback, {name = "X", before_batc = function() end})
  check.fails("cbs: there is no event 'after_epochs'; did you mean "
    .. "'after_epoch'?", mlp.learner, {cbs = {after_epochs = function() end}})
  check.fails("cbs: a callback is a table, not 3", mlp.learner, {cbs = 3})
  check.fails("Callback: wants a table of events", Callback, "x")
end)

check.test("run_train and run_valid", function()
  local n = {train = 0, valid = 0, all = 0}
  local function cb(key, more)
    more.after_batch = function() n[key] = n[key] + 1 end
    return more
  end
  mlp.learner{cbs = {cb("train", {run_valid = false}),
    cb("valid", {run_train = false}), cb("all", {})}}:fit(2)
  check.equal(n, {train = 4, valid = 4, all = 8})
end)

-- --- the callbacks of the library -------------------------------------------

check.test("TerminateOnNaN: code 3, and which step", function()
  local Broken = {after_loss = function(_, learn)
    if learn.training and learn.epoch == 2 then learn.loss = 0 / 0 end
  end}
  local learn = mlp.learner{cbs = {Broken, callbacks.TerminateOnNaN}}
  local why = check.fails("diverged: the training loss is", learn.fit, learn, 3,
    0.01)
  check.equal(why.code, 3)
  assert(tostring(why):find("batch 1 of 2 in epoch 2, learning rate 0.01", 1,
    true), tostring(why))
  check.equal(learn.epochs_done, 1)
end)

check.test("a rate that is far too large does end there", function()
  local learn = mlp.learner{opt_func = require "sota.optim".SGD,
                            cbs = callbacks.TerminateOnNaN()}
  check.equal(check.fails("diverged", learn.fit, learn, 50, 1e30).code, 3)
end)

check.test("GradientClip limits the step", function()
  local function moved(cbs)
    local learn = mlp.learner{opt_func = require "sota.optim".SGD, cbs = cbs}
    local before = learn.model[1].weight:clone()
    learn:fit(1, 1)
    return (learn.model[1].weight - before):norm():item()
  end
  assert(moved() > 0.1)
  assert(moved(callbacks.GradientClip(0.01)) < 0.021)
end)

check.test("ShortEpoch ends training and validation early", function()
  local n = {0, 0}
  local counter = {order = -1, after_batch = function(_, learn)
    local i = learn.training and 1 or 2
    n[i] = n[i] + 1
  end}
  mlp.learner{cbs = {counter, callbacks.ShortEpoch}}:fit(2)
  check.equal(n, {2, 2})
  mlp.learner{cbs = {counter, callbacks.ShortEpoch(0.5, {short_valid = false})}}
    :fit(1)
  check.equal(n, {3, 4})
end)

check.test("CSVLogger writes history.csv in the learner's folder", function()
  local folder = os.tmpname()
  os.remove(folder)
  core.make_dirs(folder)
  local learn = mlp.learner{path = folder, cbs = callbacks.CSVLogger(),
                            metrics = require "sota.metrics".accuracy}
  learn:fit(2)
  local file <close> = assert(io.open(folder .. "/history.csv"))
  local lines = {}
  for line in file:lines() do lines[#lines + 1] = line end
  os.remove(folder .. "/history.csv")
  os.remove(folder)
  check.equal(#lines, 3)
  check.equal(lines[1], "epoch,train_loss,valid_loss,accuracy,time")
  local row = learn.recorder.values[2]
  local cells = {}
  for cell in lines[3]:gmatch "[^,]+" do cells[#cells + 1] = cell end
  check.equal({cells[1], tonumber(cells[2]), tonumber(cells[3])},
    {"2", row.train_loss, row.valid_loss})
  check.fails("CSVLogger: this fit already writes x.csv", function()
    mlp.learner{history = "x.csv", cbs = callbacks.CSVLogger}:fit(1)
  end)
end)

check.done()
