-- Whole fits of a small network through core.fit, against fastai's Learner:
-- tests/golden/e2e.json. The learner itself is not used here, only the loop,
-- the optimisers, the schedules and the recorder.
local core = require "sota.core"

local file = assert(io.open(os.getenv "SL_GOLDEN" .. "/e2e.json"))
local golden = core.json.decode(file:read "a")
file:close()

local function near(a, b, tol, what)
  assert(math.abs(a - b) <= tol * math.max(1, math.abs(b)), what .. ": " .. a .. ", want " .. b)
end

-- hval(k, shape, scale) of the vectors' _about, flat
local function hval(k, n, scale)
  local v = {}
  for j = 0, n - 1 do
    local x = ((j + 1) * 2654435761 + (k + 1) * 40503) & 0xffffffff
    x = x ~ (x >> 16)
    x = (x * 2246822519) & 0xffffffff
    x = x ~ (x >> 13)
    v[j + 1] = (2 * (x / 2 ^ 32) - 1) * scale
  end
  return v
end

local function leaf(values, shape)
  return core.tensor(values):reshape(shape):contiguous():detach():requires_grad(true)
end

local function ones_and(v)
  for i = 1, #v do v[i] = 1 + v[i] end
  return v
end

-- Linear(4,5) - BN(5) - ReLU - Linear(5,3)
local function new_model()
  local m = {
    ["0.weight"] = leaf(hval(200, 20, math.sqrt(2 / 4) * math.sqrt(3)), {5, 4}),
    ["0.bias"] = leaf(hval(201, 5, .1), {5}),
    ["1.weight"] = leaf(ones_and(hval(202, 5, .3)), {5}),
    ["1.bias"] = leaf(hval(203, 5, .1), {5}),
    ["3.weight"] = leaf(hval(204, 15, math.sqrt(2 / 5) * math.sqrt(3)), {3, 5}),
    ["3.bias"] = leaf(hval(205, 3, .1), {3}),
  }
  local mean, var = core.zeros{5}, core.ones{5}
  local function forward(learner, x)
    local h = core.linear(x, m["0.weight"], m["0.bias"])
    h = core.batch_norm(h, m["1.weight"], m["1.bias"], mean, var, {training = learner.training})
    return core.linear(core.relu(h), m["3.weight"], m["3.bias"])
  end
  local params = {}
  for _, name in ipairs{"0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"} do
    params[#params + 1] = {name = name, tensor = m[name], do_wd = name == "0.weight" or name == "3.weight"}
  end
  return m, params, forward, mean, var
end

local function loader(seed, rows, class)
  local x = hval(seed, rows * 4, 1)
  local n = math.ceil(rows / 4)
  return {n = n, batches = function(_, start)
    local i = start
    return function()
      if i >= n then return nil end
      local bx, by = {}, {}
      for row = i * 4, math.min(i * 4 + 3, rows - 1) do
        for c = 1, 4 do bx[#bx + 1] = x[row * 4 + c] end
        by[#by + 1] = class(row) + 1
      end
      i = i + 1
      return core.tensor(bx):reshape{#by, 4}:contiguous(), core.tensor(by, {dtype = "i32"})
    end
  end}
end

local function accumulate(n_acc)
  local count = 0
  return {
    order = 6, run_valid = false,
    after_loss = function(_, l) l.loss_grad = l.loss_grad * (l.bs / n_acc) end,
    before_step = function(_, l)
      count = count + l.bs
      if count < n_acc then error(core.cancel.batch) end
      count = 0
    end,
  }
end

local cos = core.schedule.combined_cos
local runs = {
  one_cycle_adam = {"Adam", {}, lr = cos(.25, .05 / 25, .05, .05 / 1e5), mom = cos(.25, .95, .85, .95)},
  fit_sgd = {"SGD", {lr = .1, mom = .9, wd = .01}},
  flat_cos_ranger_ls = {"ranger", {}, smoothing = .1, lr = cos(.75, .02, .02, .02 / 1e5)},
  grad_accum_8 = {"Adam", {lr = .05}, accum = 8},
  ["grad_clip_0.1"] = {"Adam", {lr = .05}, clip = .1},
}

for name, run in pairs(runs) do
  local want = golden[name]
  local m, params, forward, mean, var = new_model()
  local opt = core.optim.new(run[1], params, run[2])
  local cbs, losses, lrs = {}, {}, {}
  if run.accum then cbs = {accumulate(run.accum)} end
  if run.clip then cbs = {{order = 11, before_step = function() opt:clip(run.clip) end}} end
  table.insert(cbs, {run_valid = false, order = 70, after_batch = function(_, l)
    losses[#losses + 1] = l.loss
    lrs[#lrs + 1] = opt:get "lr"
  end})
  local schedule = {}
  if run.lr then schedule[1] = {hyper = "lr", schedule = run.lr} end
  if run.mom then schedule[2] = {hyper = "mom", schedule = run.mom} end
  local rec = core.fit{
    learner = {}, n_epoch = #want.epoch_rows, forward = forward, optim = opt, cbs = cbs, schedule = schedule,
    train = loader(1, 8, function(i) return i % 3 end),
    valid = loader(2, 6, function(i) return (2 * i + 1) % 3 end),
    loss = function(l, pred, y)
      return core.cross_entropy(pred, y, {label_smoothing = run.smoothing or 0})
    end,
    metrics = {{"accuracy", core.metrics.accuracy}},
  }
  for i, v in ipairs(want.step_loss) do near(losses[i], v, 1e-4, name .. " loss " .. i) end
  for i, v in ipairs(want.smooth_loss) do near(rec.losses[i], v, 1e-4, name .. " smooth loss " .. i) end
  for i, v in ipairs(want.lr) do near(lrs[i], v, 1e-9, name .. " lr " .. i) end
  for i, row in ipairs(want.epoch_rows) do
    near(rec.values[i].train_loss, row[2], 1e-4, name .. " train_loss")
    near(rec.values[i].valid_loss, row[3], 1e-4, name .. " valid_loss")
    near(rec.values[i].accuracy, row[4], 1e-6, name .. " accuracy")
  end
  -- A bias before a norm has a gradient of rounding errors, which Adam makes
  -- as large as any other: it (and the mean that it moves) agrees less.
  for p, values in pairs(want.final_params) do
    local flat = m[p]:detach():reshape{-1}:totable()
    local k = 0
    for _, v in ipairs(values) do
      for _, x in ipairs(type(v) == "table" and v or {v}) do
        k = k + 1
        near(flat[k], x, p == "0.bias" and 1e-3 or 1e-4, name .. " " .. p .. " " .. k)
      end
    end
    assert(k == #flat, p)
  end
  for i, v in ipairs(want.running_mean) do near(mean:totable()[i], v, 1e-3, name .. " mean") end
  for i, v in ipairs(want.running_var) do near(var:totable()[i], v, 1e-4, name .. " var") end
end
