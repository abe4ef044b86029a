-- test_summary.lua -- Learner:summary: counts by hand, and those that torchvision
-- and fvcore give for whole networks (scripts/tools/summary_check.py).
local core = require "sota.core"
local sota = require "sota"
local check = require "check"
local mlp = require "mlp"

-- A loader that has only a size.
local function loader(h, w, bs)
  return {bs = bs, augment = true, items = function() return bs end,
          size = function() return h, w end, spec = function() end}
end

local function learner(model, h, w, bs)
  return sota.Learner({train = loader(h, w, bs)}, model, {precision = "f32"})
end

check.test("rows and totals, by hand", function()
  sota.scope(function()
    local nn = sota.nn
    local learn = learner(nn.Sequential{nn.Conv2d(3, 8, 3, {padding = 1, stride = 2}),
      nn.ReLU(), nn.ConvLayer(8, 4, 1), nn.Sequential{}, nn.AdaptiveAvgPool(1),
      nn.Flatten(), nn.Linear(4, 10)}, 16, 20, 32)
    local s = learn:summary()
    local got = {}
    for i, r in ipairs(s.rows) do got[i] = {r.layer, r.kind, r.params, r.macs, r.bytes} end
    check.equal(got, {
      {"0", "Conv2d", 8 * 27 + 8, 8 * 10 * 8 * 27, 4 * 8 * 10 * 8},
      {"1", "ReLU", 0, 0, 4 * 8 * 10 * 8},
      {"2", "ConvLayer", 32 + 8, 8 * 10 * 4 * 8, 4 * 8 * 10 * 4},
      {"4", "AdaptiveAvgPool", 0, 0, 4 * 4},
      {"5", "Flatten", 0, 0, 4 * 4},
      {"6", "Linear", 50, 40, 4 * 10}})
    check.equal({s.params, s.trained, s.bs}, {224 + 40 + 50, 314, 32})
    check.equal(s.macs, 17280 + 2560 + 40)
    check.equal(s.rows[1].shape, {1, 8, 10, 8})
    local text = tostring(s)
    assert(text:find("32 x 8 x 10 x 8", 1, true), text)
    assert(text:find("mult-adds    19.9 k for an image", 1, true), text)
    assert(text:find("callbacks    none", 1, true), text)
  end)
end)

check.test("any loader; what is frozen; nothing is changed", function()
  sota.scope(function()
    local learn = mlp.learner{cbs = sota.callbacks.TerminateOnNaN}
    local before = learn.model["1"].running_mean:totable()
    learn.model["0"]:requires_grad(false)
    learn.model:train()
    local s = learn:summary()
    check.equal(learn.model["1"].running_mean:totable(), before)
    assert(learn.model.training and learn.model["2"].training)
    check.equal({s.params, s.trained, s.bs}, {25 + 10 + 18, 28, 4})
    check.equal(s.macs, 20 + 15)
    local text = tostring(s)
    assert(text:find("0 +Linear +4 x 5 +25  no"), text)
    assert(text:find("trained 28, frozen 25", 1, true), text)
    assert(text:find("callbacks    TerminateOnNaN", 1, true), text)
    assert(core.live_tensors() > 0)
  end)
end)

check.test("parts that do not run, and parameters that two layers share", function()
  sota.scope(function()
    local nn = sota.nn
    local Net = nn.class "Net"
    function Net:init()
      self.a, self.b, self.idle = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(5, 5)
      self.b.weight = self.a.weight
    end
    function Net:forward(x) return self.b(self.a(x)) end
    local s = learner(Net(), 2, 2, 1):summary()
    local all = 0
    for _, r in ipairs(s.rows) do all = all + r.params end
    check.equal(all, s.params)
    check.equal(s.params, 9 + 3 + 3 + 30)
    check.equal(s.rows[#s.rows].layer, "(not run)")
    check.equal(s.macs, 2 * 4 * 9)
  end)
end)

check.test("while a profile is being taken it is left alone", function()
  sota.scope(function()
    core.profile.start()
    local s = mlp.learner{}:summary()
    local rows = core.profile.read()
    assert(#rows > 0)
    check.equal(s.macs, nil)
    assert(tostring(s):find("not counted while a profile", 1, true))
  end)
end)

-- torchvision's weights say 11689512 parameters and 1.814 G; 25557032 and 4.089.
check.test("networks at 224 pixels", function()
  local want = {resnet18 = {11689512, 1814073344}, resnet50 = {25557032, 4089184256},
                xresnet50 = {25576264, 4328824832}}
  for name, numbers in pairs(want) do
    sota.scope(function()
      local s = learner(sota.models[name]{n_out = 1000}, 224, 224, 64):summary()
      check.equal({s.params, math.tointeger(s.macs)}, numbers, name)
    end)
  end
end)

check.done()
