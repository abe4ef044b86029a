-- test_checkpoint.lua -- parts that backward computes again: the same bits in
-- less memory, statistics counted once, the same dropout, and mistakes.
require "sota.all"
local core = require "sota.core"
local autocast = require "sota.autocast"
local sota = require "sota"
local check = require "check"

local function make(checkpoint)
  local model = nn.Sequential{nn.ConvLayer(3, 16)}
  for i = 1, 8 do
    model:append(nn.ResBlock(1, 16, 16, {act = i % 2 == 0 and "mish" or "relu",
      reduction = i == 4 and 4 or 0, checkpoint = checkpoint}))
  end
  for _, layer in ipairs {nn.AdaptiveAvgPool(1), nn.Flatten(), nn.Dropout(0.5),
                          nn.Linear(16, 10)} do
    model:append(layer)
  end
  return model:train()
end

-- Gradients, statistics, the most memory that a step took, the next draw.
local function step(precision, checkpoint)
  sota.set("seed", 3)
  local model = make(checkpoint)
  local x = core.normal({16, 32, 32, 3})
  collectgarbage()
  core.memory(true)
  local before = core.memory()
  local y = precision == "bf16" and autocast.run(model, x) or model(x)
  y:mul(y):sum():backward()
  local _, peak = core.memory()
  local grads, state = {}, model:state_dict()
  for i, p in ipairs(model:parameters()) do grads[i] = p:grad() end
  return grads, state, peak - before, core.uniform({1}):item()
end

for _, precision in ipairs {"f32", "bf16"} do
  check.test("same bits, once counted, less memory: " .. precision, function()
    local grads, state, memory, draw = step(precision, false)
    local grads2, state2, memory2, draw2 = step(precision, true)
    check.equal(#grads2, #grads)
    for i, g in ipairs(grads) do
      assert((g - grads2[i]):abs():max():item() == 0, "gradient " .. i)
    end
    for name, t in pairs(state) do
      if core.is_tensor(t) then
        check.equal(state2[name]:totable(), t:totable(), name)
      end
    end
    check.equal(draw2, draw)
    assert(memory2 < 0.7 * memory, ("%d of %d bytes"):format(memory2, memory))
  end)
end

check.test("dropout is drawn as before", function()
  sota.set("seed", 1)
  local x = core.ones(64):requires_grad(true)
  local y = nn.checkpoint(function(t)
    return core.dropout(t, {p = 0.5, training = true})
  end, x)
  y:sum():backward()
  check.equal(x:grad():totable(), y:totable()) -- 0 or 2 in both
end)

check.test("a function of nothing to be trained; nested; not recorded", function()
  local x = core.tensor({1.0, 2.0}, {requires_grad = true})
  local function twice(t) return t * 2 end
  local y = nn.checkpoint(function(t)
    return nn.checkpoint(twice, t) * 3
  end, x)
  y:sum():backward()
  check.equal(x:grad():totable(), {6.0, 6.0})
  local calls = 0
  core.no_grad(function()
    nn.checkpoint(function(t) calls = calls + 1 return twice(t) end, x)
  end)
  check.equal(calls, 1)
  -- Where the input needs no gradient, but a parameter inside has one.
  local w = core.tensor({3.0, 4.0}, {requires_grad = true})
  local z = nn.checkpoint(function(t) return t * w end, core.tensor {1.0, 5.0})
  z:sum():backward()
  check.equal(w:grad():totable(), {1.0, 5.0})
end)

check.test("mistakes", function()
  local x = core.tensor({1.0}, {requires_grad = true})
  check.fails("checkpoint: the function must give one tensor, not a number",
    nn.checkpoint, function() return 1 end, x)
  local calls = 0
  local y = nn.checkpoint(function(t)
    calls = calls + 1
    if calls == 2 then error("the second time") end
    return t * 2
  end, x)
  check.fails("the second time", function() y:sum():backward() end)
  local shape = 1
  local z = nn.checkpoint(function(t)
    shape = shape + 1
    return t:expand {shape}
  end, x)
  check.fails("a checkpoint: computed again it gives",
    function() z:sum():backward() end)
end)

check.done()
