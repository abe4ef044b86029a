-- The running average of the weights: timm's figures, and what validation, files
-- and the model get of it.
local core = require "sota.core"
local check = require "check"
local mlp = require "mlp"
local nn = require "sota.nn"
local callbacks = require "sota.callbacks"

local golden = check.golden "ema"
local EMA = callbacks.EMA

local function vector(values)
  local m = nn.class "Vector"()
  m.weight = nn.Parameter(core.tensor(values))
  return m
end

local function set(t, values)
  local new <close> = core.tensor(values)
  core.no_grad(function() t:copy_(new) end)
end

-- The averages after each of the golden weights.
local function follow(options)
  local model, ema, seen = vector(golden.init), EMA(options), {}
  ema:start(model)
  for i, weights in ipairs(golden.model) do
    set(model.weight, weights)
    ema:update()
    seen[i] = ema.lists.averages[1]:totable()
  end
  return seen
end

check.test("averages are timm's", function()
  check.close(follow{decay = 0.9, plain = true}, golden["v2_decay0.9"], 1e-6)
  check.close(follow{decay = 0.9, plain = true}, golden["v3_decay0.9_nostep"], 1e-6)
  check.close(follow{decay = 0.9, warmup = false}, golden["v3_decay0.9_step_from_1"], 1e-6)
  check.close(follow{decay = 0.9}, golden["v3_decay0.9_warmup_step_from_1"], 1e-6)
end)

check.test("the warm-up of the decay is timm's", function()
  local function decays(ema, want)
    for i, step in ipairs(want.step) do
      check.close(ema:decay_at(step), want.decay[i], 1e-12, "step " .. step)
    end
  end
  decays(EMA{decay = 0.9998}, golden["v3_warmup_decay_gamma1_power2_3_decay0.9998"])
  decays(EMA{decay = 0.999, update_after_step = 100, warmup_power = 0.75, min_decay = 0.1},
    golden["v3_warmup_after100_power0.75_min0.1_decay0.999"])
end)

check.test("one pass over many tensors", function()
  local a, b, want = {}, {}, {}
  for i, n in ipairs{1, 4095, 4096, 4097, 20000} do
    a[i] = core.hash_fill(core.zeros{n}, i)
    b[i] = core.hash_fill(core.zeros{n}, 100 + i)
    want[i] = a[i] * 0.75 + b[i] * 0.25
  end
  core.average(a, b, 0.75)
  for i = 1, #a do check.close(a[i], want[i], 1e-6) end
  a[1]:fill_(0 / 0)
  core.average(a, b, 0)
  for i = 1, #a do check.equal(a[i]:totable(), b[i]:totable()) end
end)

check.test("mistakes in averages", function()
  local x, y = core.zeros{2}, core.zeros{3}
  check.fails("average: the average of tensor 1 is", core.average, {x}, {y}, 0.5)
  check.fails("a share from 0 to 1 of itself, not 2", core.average, {x}, {x:clone()}, 2)
  check.fails("1 averages of 2 tensors", core.average, {x}, {x, y}, 0.5)
  check.fails("item 1 of list 2 is no (open) tensor", core.average, {x}, {3}, 0.5)
  check.fails("are the same memory", core.average, {x}, {x}, 0.5)
  check.fails("contiguous f32 is wanted", core.average, {x:to "i32"}, {x:to "i32"}, 0.5)
  check.fails("unknown option 'decy'; did you mean 'decay'?", EMA, {decy = 0.9})
  core.average({}, {}, 0.5)
end)

local function weights(model)
  local v = {}
  for _, e in ipairs(model:state_dict()) do
    if e.tensor:dtype() == "f32" then v[e.name] = e.tensor:totable() end
  end
  return v
end

check.test("validation has the averages, training the weights, the end the averages", function()
  local plain, valid, at_end = {}, {}, nil
  mlp.learner{cbs = {order = -5, after_step = function(_, l) plain[#plain + 1] = weights(l.model) end}}:fit(2, 0.1)
  local raw = {}
  local learn = mlp.learner{cbs = {EMA{decay = 0.5, plain = true},
    {order = 5, after_step = function(_, l) raw[#raw + 1] = weights(l.model) end,
     before_validate = function(_, l) valid[#valid + 1] = weights(l.model) end}}}
  local average = weights(learn.model)
  learn:fit(2, 0.1)
  at_end = weights(learn.model)
  check.equal(raw, plain, "training is not changed")
  local epoch = {}
  for i, w in ipairs(plain) do
    for name, v in pairs(w) do
      local function mix(a, b)
        if type(a) ~= "table" then return 0.5 * a + 0.5 * b end
        local t = {}
        for j = 1, #a do t[j] = mix(a[j], b[j]) end
        return t
      end
      average[name] = mix(average[name], v)
    end
    if i % 2 == 0 then epoch[#epoch + 1] = {table.unpack(average["3.bias"])} end
  end
  for e = 1, 2 do check.close(valid[e]["3.bias"], epoch[e], 1e-6) end
  for name, v in pairs(average) do check.close(at_end[name], v, 1e-6, name) end
  check.equal(learn.ema, nil)
end)

check.test("buffers may be left out", function()
  local function mean_of(options)
    local learn = mlp.learner{cbs = EMA(options)}
    learn:fit(1, 0.1)
    return learn.model[2].running_mean:totable()
  end
  local own = mlp.learner()
  own:fit(1, 0.1)
  check.equal(mean_of{exclude_buffers = true}, own.model[2].running_mean:totable())
  assert(mean_of{}[1] ~= own.model[2].running_mean[1])
end)

check.test("validation on its own, lr_find and errors leave the weights", function()
  local learn = mlp.learner{cbs = {EMA{decay = 0.5}}}
  local before = weights(learn.model)
  learn:validate()
  check.equal(weights(learn.model), before)
  learn:lr_find{num_it = 6}
  check.equal(weights(learn.model), before)
  local seen
  learn = mlp.learner{cbs = {EMA{decay = 0.5},
    {after_step = function(_, l) seen = weights(l.model) end},
    {run_train = false, after_loss = function() error "broken" end}}}
  check.fails("broken", learn.fit, learn, 1, 0.1)
  check.equal(weights(learn.model), seen)
end)

check.test("SaveModel saves the averages", function()
  local file, valid = os.tmpname(), nil
  os.remove(file)
  file = file .. ".safetensors"
  local learn = mlp.learner{cbs = {EMA{decay = 0.5},
    callbacks.SaveModel{fname = file, every_epoch = true},
    {before_validate = function(_, l) valid = weights(l.model) end}}}
  local saved
  function learn.save(self, name)
    saved = weights(self.model)
    return name
  end
  learn:fit(2, 0.1)
  check.equal(saved, valid)
end)

check.done()
