-- core.fit and its company, on a model of one weight: y = w * x.
local core = require "sota.core"
local cancel = core.cancel

local function fails(want, f, ...)
  local ok, why = pcall(f, ...)
  assert(not ok, "no error; want: " .. want)
  assert(tostring(why):find(want, 1, true), "got: " .. tostring(why) .. "; want: " .. want)
  return why
end

local function golden(name)
  local f = assert(io.open(os.getenv("SL_GOLDEN") .. "/" .. name .. ".json"))
  local t = assert(core.json.decode(f:read("a")))
  f:close()
  return t
end

local function near(a, b, tol, what)
  assert(math.abs(a - b) <= (tol or 1e-6), (what or "") .. ": " .. a .. ", want " .. b)
end

-- A loader of n batches of two items; `closed` counts endings.
local closed = 0
local function loader(n)
  return {
    n = n,
    batches = function(epoch, start)
      local i = start
      return function()
        i = i + 1
        if i <= n then return core.tensor{1, 2}, core.tensor{3, 6} end
      end, function() closed = closed + 1 end
    end,
  }
end

local function new_spec(more)
  local w = core.tensor{0.0}:requires_grad(true)
  local spec = {
    learner = {w = w}, n_epoch = 1, train = loader(2), valid = loader(2),
    forward = function(learner, x) return x * w end,
    loss = function(learner, pred, y) -- (w - 3)^2: of the first item only
      local d = (pred - y):slice{dim = 1, first = 1, last = 1}
      return (d * d):mean()
    end,
    optim = core.optim.new("SGD", {{name = "w", tensor = w}}, {lr = 0.1}),
  }
  for k, v in pairs(more or {}) do spec[k] = v end
  return spec, w
end


local function tracer(order)
  local cb = {order = order or 0, seen = {}}
  for _, name in ipairs(core.events) do
    cb[name] = function(self, learner) table.insert(self.seen, name) end
  end
  return cb
end

local function check_trace(key, cb)
  local want = golden("events")[key]
  for i = 1, math.max(#want, #cb.seen) do
    assert(want[i] == cb.seen[i], key .. ": event " .. i .. " is " .. tostring(cb.seen[i]) .. ", want "
           .. tostring(want[i]))
  end
end

-- traces ---------------------------------------------------------------------
local cb = tracer()
core.fit(new_spec{cbs = {cb}})
check_trace("plain_fit", cb)
assert(closed == 2)

cb = tracer()
core.validate(new_spec{cbs = {cb}})
check_trace("validate()", cb)

local n = 0
cb = tracer(7)
core.fit(new_spec{cbs = {cb, {order = 6, before_step = function()
  n = n + 1
  if n == 1 then error(cancel.batch) end
end}}})
check_trace("grad_accum_8 (first batch cancels at before_step)", cb)

cb = tracer(1)
core.fit(new_spec{cbs = {cb, {run_valid = false, before_batch = function() error(cancel.batch) end}}})
check_trace("cancel_batch_in_before_batch", cb)

cb = tracer(1)
core.fit(new_spec{cbs = {cb, {after_train = function() error(cancel.epoch) end}}})
check_trace("cancel_epoch_in_after_train", cb)

cb = tracer(1)
closed = 0
core.fit(new_spec{cbs = {cb, {after_batch = function() error(cancel.fit) end}}})
check_trace("cancel_fit_in_after_batch", cb)
assert(closed == 1, "a cancelled loader must be closed")

-- numbers --------------------------------------------------------------------
-- SGD on (w - 3)^2: w += 0.2 (3 - w) each of 4 steps
local spec, w = new_spec{n_epoch = 2, metrics = {
  {"first", function(pred, y) return pred:slice{dim = 1, first = 1, last = 1} end},
  {"count", {reset = function(s) s.n = 0 end, accumulate = function(s, learner) s.n = s.n + learner.bs end,
             value = function(s) return s.n end}},
}}
local rec = core.fit(spec)
local want = 0
for _ = 1, 4 do want = want + 0.2 * (3 - want) end
near(w:item(), want, 1e-6, "w")
assert(#rec.losses == 4 and #rec.lrs == 4 and #rec.values == 2)
near(rec.lrs[4], 0.1, 1e-9)
near(rec.values[2].valid_loss, (want - 3) ^ 2, 1e-5, "valid_loss")
near(rec.values[2].first, want, 1e-6, "metric")
assert(rec.values[2].count == 4 and rec.values[1].epoch == 1)
assert(rec.names[1] == "first" and spec.learner.recorder == rec)

local row = core.validate(spec)
near(row.valid_loss, (want - 3) ^ 2, 1e-5)
assert(row.train_loss == nil)

-- what callbacks see, and may change -----------------------------------------
local log = {}
core.fit(new_spec{n_epoch = 2, cbs = {{
  before_batch = function(self, l)
    if l.training then table.insert(log, ("%d.%d/%d %.2f"):format(l.epoch, l.iter, l.n_iter, l.pct_train)) end
  end,
  after_loss = function(self, l)
    assert(type(l.loss) == "number" and l.bs == 2)
    if l.training then l.loss_grad = l.loss_grad * 0 end
  end,
}}})
assert(table.concat(log, " ") == "1.1/2 0.00 1.2/2 0.25 2.1/2 0.50 2.2/2 0.75", table.concat(log, " "))

spec, w = new_spec{cbs = {{after_loss = function(_, l) if l.training then l.loss_grad = l.loss_grad * 0 end end}}}
core.fit(spec)
assert(w:item() == 0, "loss_grad replaced by zero must not move w")

-- late callbacks see the recorder's row; `run` switches one off
local saw, never = nil, 0
core.fit(new_spec{cbs = {
  {order = 60, after_epoch = function(_, l) saw = l.recorder.values[#l.recorder.values].valid_loss end},
  {order = 10, after_epoch = function(_, l) assert(#l.recorder.values == 0) end},
  {run = false, before_fit = function() never = never + 1 end}}})
assert(saw and never == 0)

-- schedules
spec, w = new_spec{n_epoch = 2, train = loader(10),
                   schedule = {{hyper = "lr", schedule = core.schedule.combined_cos(0.25, 0.1 / 25, 0.1, 1e-6)}}}
rec = core.fit(spec)
local oc = golden("schedules")["one_cycle_lr3e-3_20steps_1epoch"]
for i = 1, 20 do near(rec.lrs[i] / 0.1, oc.lr[i] / 3e-3, 1e-9 + (i == 20 and 1e-4 or 1e-5), "lr " .. i) end

-- errors ---------------------------------------------------------------------
closed = 0
local aborted = 0
local why = fails("planted", core.fit, new_spec{cbs = {
  {after_pred = function() error("planted") end, after_abort = function() aborted = aborted + 1 end}}})
assert(why:find("traceback"), "real errors come with a traceback")
assert(closed == 1 and aborted == 1)

local nested = fails("planted", core.fit, new_spec{cbs = {{after_pred = function()
  core.fit(new_spec{cbs = {{after_pred = function() error("planted") end}}})
end}}})
assert(select(2, nested:gsub("stack traceback", "")) == 1, "one traceback: " .. nested)

local object = {code = 3}
local ok, got = pcall(core.fit, new_spec{cbs = {{after_loss = function() error(object) end}}})
assert(not ok and got == object, "error objects arrive as they were")

fails("cancelled the batch where there is none", core.fit,
      new_spec{cbs = {{after_batch = function() error(cancel.batch) end}}})
fails("did you mean 'n_epoch'", core.fit, {n_epochs = 1})
fails("no train loader", core.fit, {learner = {}, n_epoch = 1})
fails("n_epoch is 0", core.fit, {learner = {}, n_epoch = 0})
fails("must be a tensor of one number", core.fit, new_spec{loss = function() return 5 end})
fails("order of a callback must be a number", core.fit, new_spec{cbs = {{order = {}}}})

-- tensors of a step are released
local before = core.live_tensors()
spec, w = new_spec{train = loader(50)}
local peak = 0
spec.cbs = {{before_batch = function() peak = math.max(peak, core.live_tensors()) end}}
collectgarbage("stop")
core.fit(spec)
collectgarbage("restart")
assert(peak - before < 20, "tensors pile up: " .. peak - before)

-- optimisers -----------------------------------------------------------------
local a = core.tensor{1.0, 2.0}:requires_grad(true)
local b = core.tensor{3.0}:requires_grad(true)
local function params() return {{name = "a", tensor = a}, {name = "b", tensor = b, group = 2, do_wd = false}} end
local opt = core.optim.new("Adam", params(), {lr = 0.01, wd = 0})
assert(opt:groups() == 2 and opt:kind() == "Adam" and opt:get("lr") == 0.01)
opt:set("lr", {0.1, 0.2})
assert(opt:get("lr", 1) == 0.1 and opt:get("lr") == 0.2)
;(a * a):backward(core.ones{2});
(b * b):backward()
near(opt:grad_norm(), math.sqrt(4 + 16 + 36), 1e-6)
near(opt:clip(1), math.sqrt(56), 1e-6)
near(opt:grad_norm(), 1, 1e-6)
opt:step()
opt:zero_grad()
local state = opt:state()
assert(state.steps.a == 1 and state.count == 1 and state.tensors["grad_avg/b"])
local other = core.optim.new("Adam", params())
other:load_state(state)
assert(other:get("lr", 1) == 0.1 and other:state().steps.b == 1)
near(other:state().tensors["sqr_avg/b"]:item(), state.tensors["sqr_avg/b"]:item(), 0)
other:clear_state()
assert(other:state().steps.a == 0 and not other:state().tensors["grad_avg/a"])
fails("did you mean 'sqr_mom'", core.optim.new, "Adam", params(), {sqr_mon = 1})
fails("unknown option 'nu_1'", core.optim.new, "Adam", params(), {nu_1 = 1})
fails("no optimiser 'Adm'", core.optim.new, "Adm", params())
fails("this is the state of Adam, not of SGD", function()
  core.optim.new("SGD", params()):load_state(state)
end)
fails("2 parameter groups", opt.set, opt, "lr", {1, 2, 3})
assert(#core.optim.kinds() >= 10 and tostring(opt):find("Adam %(2 parameters in 2 groups"))

-- metrics, schedules, small things -------------------------------------------
local m = core.metrics
local z = core.tensor{{1, 2, 3}, {3, 2, 1}}
local y = core.tensor({3, 2}, {dtype = "i32"})
near(m.accuracy(z, y):item(), 0.5)
near(m.error_rate(z, y):item(), 0.5)
near(m.top_k_accuracy(z, y, {k = 2}):item(), 1)
fails("class 4 of row 1", m.accuracy, z, core.tensor({4, 1}, {dtype = "i32"}))
assert(core.format_time(3602) == "1:00:02")
local s = core.schedule.combine({0.5, 0.5}, {{"lin", 0, 1}, {"poly", 1, 0, 2}})
near(s(0.25), 0.5)
near(s(0.75), 0.75)
fails("no curve 'sin'", core.schedule.combine, {1}, {{"sin", 0, 1}})
near(core.schedule.even_mults(1e-5, 1e-3, 3)[2], 1e-4, 1e-12)
local p <close> = core.progress("x", 10, "img")
p:update(5)
