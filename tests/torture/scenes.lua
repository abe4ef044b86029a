-- scenes.lua -- a training in which a callback, the model, the loss, a metric
-- or the loader does something that it should not.
local core = require "sota.core"
local sota = require "sota"
local subjects = require "subjects"

local scenes = {}

-- f(learn) at some place of the loop.
local actions = {
  nothing = function() end,
  throws = function() error "in a callback" end,
  throws_nil = function() error(nil) end,
  throws_odd = function() error(setmetatable({}, {__tostring = function() error "x" end})) end,
  yields = function() coroutine.yield(1) end,
  fits = function(learn) learn:fit(1) end,
  fits_deep = function(learn)
    learn.deep = (learn.deep or 0) + 1
    if learn.deep < 100 then learn:fit(1) end
  end,
  validates = function(learn) learn:validate() end,
  predicts = function(learn) learn:get_preds() end,
  collects = function() collectgarbage() end,
  closes_batch = function(learn)
    for _, k in ipairs{"xb", "yb", "pred", "loss_grad"} do
      if core.is_tensor(learn[k]) then learn[k]:close() end
    end
  end,
  closes_weights = function(learn)
    for _, p in ipairs(learn.model:parameters()) do
      local t = core.is_tensor(p) and p or p.tensor
      if t then t:close() end
    end
  end,
  closes_optimiser = function(learn) if learn.opt then learn.opt:close() end end,
  new_optimiser = function(learn) learn:create_opt() end,
  closes_loaders = function(learn) if learn.dls.close then learn.dls:close() end end,
  forgets_optimiser = function(learn) learn.opt = nil collectgarbage() collectgarbage() end,
  steps = function(learn) learn.opt:step() end,
  backward = function(learn) if learn.loss_grad then learn.loss_grad:backward() end end,
  backward_pred = function(learn) if learn.pred then learn.pred:sum():backward() end end,
  odd_batch = function(learn) learn.xb, learn.yb = "x", {} end,
  no_batch = function(learn) learn.xb, learn.yb, learn.pred = nil, nil, nil end,
  nan_batch = function(learn) learn.xb = core.full({4, 4}, 0/0) end,
  empty_batch = function(learn) learn.xb = core.zeros{0, 4} end,
  wrong_batch = function(learn) learn.xb = sota.randn{3, 7, 2} end,
  huge_batch = function(learn) learn.xb = sota.randn{4, 1}:expand{1 << 40, 4} end,
  odd_loss = function(learn) learn.loss_grad = {} learn.loss = "x" end,
  odd_pred = function(learn) learn.pred = sota.randn{2, 9} end,
  no_model = function(learn) learn.model = nil end,
  other_model = function(learn) learn.model = sota.nn.Linear(7, 3) end,
  no_recorder = function(learn) learn.recorder = nil end,
  odd_recorder = function(learn) learn.recorder = {values = 5} end,
  no_callbacks = function(learn) learn.cbs = nil collectgarbage() end,
  scopes = function() local function f(n) return n > 0 and core.scope(f, n - 1) end f(80) end,
  open_scope = function(learn) core.scope(function() learn:fit(1) end) end,
  threads = function() core.set("threads", 1) core.set("threads", 2) end,
  no_memory = function() torture.fail_engine(3) end,
  no_lua_memory = function() collectgarbage "stop" torture.fail_lua(40) end,
  collect_each = function() torture.collect_each(5) end,
  frozen = function(learn) learn:freeze_to(1) end,
  i32 = function(learn) learn.yb = core.full({4}, 99, {dtype = "i32"}) end,
  negative = function(learn) learn.yb = core.full({4}, -5, {dtype = "i32"}) end,
  float_labels = function(learn) learn.yb = sota.randn{4} end,
  cancel_fit = function() error(core.cancel.fit) end,
  cancel_batch = function() error(core.cancel.batch) end,
  cancel_odd = function()
    local was = core.cancel.epoch.level
    core.cancel.epoch.level = {}
    local ok, why = pcall(error, core.cancel.epoch)
    torture_cancel_was = was
    error(why)
  end,
  cancel_none = function()
    error(setmetatable({}, getmetatable(core.cancel.fit)))
  end,
  saves = function(learn) learn:save("saved") learn:load("saved") end,
  no_grad = function(learn) core.no_grad(function() learn:fit(1) end) end,
  profile = function() core.profile.start() core.profile.stop() end,
  changes_weights = function(learn) learn.model[1].weight = sota.randn{9, 9} end,
  odd_lr = function(learn) learn.opt:set("lr", 0/0) end,
}

local places = {"forward", "loss", "metric", "loader", "close"}
for _, e in ipairs(core.events) do places[#places + 1] = e end

local names = {}
for name in pairs(actions) do names[#names + 1] = name end
table.sort(names)

-- A training of two epochs in which `action` happens at `place`.
function scenes.play(place, action, way)
  local f, busy = actions[action], false
  local function act(learn)
    if busy and action ~= "fits_deep" then return end
    busy = true
    f(learn)
    busy = false
  end
  local learn
  local options, cbs = {quiet = true}, nil
  local model, loader = subjects.model(), subjects.loader(2)
  if place == "loss" then
    options.loss_func = function(...) act(learn) return core.cross_entropy(...) end
  elseif place == "metric" then
    options.metrics = function() act(learn) return 1 end
  elseif place == "forward" then
    local forward = model.forward
    rawset(model, "forward", function(...) act(learn) return forward(...) end)
  elseif place == "loader" or place == "close" then
    local spec = loader.spec
    function loader:spec()
      local s = spec(self)
      local batches = s.batches
      s.batches = function(...)
        local next_batch = batches(...)
        return function()
          if place == "loader" then act(learn) end
          return next_batch()
        end, function() if place == "close" then act(learn) end end
      end
      return s
    end
  else
    cbs = {[place] = function(_, l) act(l) end}
  end
  learn = sota.Learner({train = loader, valid = subjects.loader(1), c = 3}, model, options)
  local ok, why = pcall(learn[way], learn, 2, {cbs = cbs})
  torture.fail_engine(0)
  torture.fail_lua(0)
  torture.collect_each(0)
  if torture_cancel_was then
    core.cancel.epoch.level, torture_cancel_was = torture_cancel_was, nil
  end
  if not ok then error(why, 0) end
  return learn
end

function scenes.text(random)
  local ways = {"fit", "fit_one_cycle", "fit"}
  return ("scene(%q, %q, %q)"):format(places[random(#places)], names[random(#names)],
    ways[random(#ways)])
end

return scenes
