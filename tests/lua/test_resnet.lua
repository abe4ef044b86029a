-- The plain ResNets against torchvision (resnet.json): names and shapes of all
-- parameters, outputs, gradients; and a file as torchvision would write it.
local sota = require "sota"
local models = sota.models
local check = require "check"
local hashed = require "hashed"

sota.set("precision", "f32") -- numbers are compared
local golden = check.golden "resnet"

-- FNV-1a, 32 bits.
local function checksum(text)
  local h = 2166136261
  for i = 1, #text do
    h = ((h ~ text:byte(i)) * 16777619) & 0xffffffff
  end
  return h
end

local function names_and_shapes(model)
  local lines = {}
  for i, e in ipairs(model:state_dict()) do
    local words = hashed.torch_shape(e.tensor, e.layout)
    table.insert(words, 1, e.name)
    lines[i] = table.concat(words, " ") .. "\n"
  end
  return table.concat(lines), #lines
end

for name, want in pairs(golden.models) do
  check.test(name .. ": names and shapes", function()
    local model = models[name]{n_out = 10}
    check.equal(model:count(), want.n_params)
    local text, entries = names_and_shapes(model)
    check.equal(entries, want.entries)
    check.equal(checksum(text), want.checksum)
    collectgarbage()
  end)
end

-- --- forward and backward --------------------------------------------------

-- How far norms of gradients may be off, relatively: rounding grows with depth,
-- where it flips relus (0.44 % was seen with plain C kernels).
local slack = {resnet18 = 1e-3, resnext50_32x4d = 2e-2}

for name, case in pairs(golden.forward) do
  check.test(name .. ": forward, gradients, evaluation", function()
    local model = hashed.fill(models[name]{n_out = 10}, golden.k0)
    local x = check.pattern(1, {4, 3, 64, 64}, 1)
    local labels = sota.tensor({1, 4, 6, 10}, {dtype = "i32"})
    local logits = model(x)
    check.close_to_largest(logits, case.logits_train, 1e-3, "logits")
    local loss = sota.losses.CrossEntropyLossFlat()(logits, labels)
    check.close(loss, case.loss, 1e-3, "loss")
    loss:backward()
    for parameter, t in model:named_parameters() do
      check.close(t:grad():norm():item() / case.grad_l2[parameter], 1,
        slack[name], "|d " .. parameter .. "|")
    end
    local evaluation = model:eval()(x)
    check.close_to_largest(evaluation, case.logits_eval_after_1_train_fwd, 1e-3,
      "evaluation")
  end)
end

-- --- initial values, options -----------------------------------------------

check.test("initial values are torchvision's", function()
  local model = models.resnet18{n_out = 10}
  local function std_is(t, want)
    check.close(t:std():item() / want, 1, 4 / math.sqrt(2 * t:numel()))
  end
  std_is(model.conv1.weight, math.sqrt(2 / (64 * 49)))          -- fan_out
  std_is(model.layer2[1].conv1.weight, math.sqrt(2 / (128 * 9)))
  local bound = 1 / math.sqrt(512)
  for _, t in ipairs{model.fc.weight, model.fc.bias} do
    assert(t:abs():max():item() <= bound and t:abs():max():item() > 0)
  end
  check.equal(model.layer1[1].bn2.weight:min():item(), 1.0)
  model = models.resnet18{n_out = 10, zero_init_residual = true}
  check.equal(model.layer1[1].bn2.weight:max():item(), 0.0)
  check.equal(model.layer1[1].bn1.weight:min():item(), 1.0)
end)

check.test("options", function()
  local model = models.resnet34{n_out = 3, c_in = 1, act_cls = sota.nn.Mish}
  check.equal(model(sota.zeros(2, 32, 32, 1)):shape(), {2, 3})
  model = models.resnet50{n_out = 3, act = "tanh"} -- one that is not fused
  check.equal(model(sota.zeros(2, 32, 32, 3)):shape(), {2, 3})
  check.equal(models.resnet18{act = "mish"}.arch,
    {name = "resnet18", options = {act = "mish"}})
  check.fails("unknown option 'n_outs'; did you mean 'n_out'?",
    models.resnet18, {n_outs = 3})
  check.fails("resnext50_32x4d: unknown option 'groups'",
    models.resnext50_32x4d, {groups = 3})
end)

check.test("a file in torchvision's layout goes there and back", function()
  local file = os.tmpname() .. ".safetensors"
  local gone <close> = setmetatable({}, {__close = function()
    os.remove(file)
    os.remove((file:gsub("%.safetensors$", "")))
  end})
  local model = models.resnet18{n_out = 10}
  local names, tensors = {}, {}
  for i, e in ipairs(model:state_dict()) do
    names[i], tensors[e.name] = e.name, e.tensor
  end
  sota.safetensors.save(file, names, tensors, {}, {oihw = true, int64 = true})
  local other = models.resnet18{n_out = 10}
  other:load_state_dict((sota.safetensors.load(file, {oihw = true})))
  local a, b = model.layer4[2].conv2.weight, other.layer4[2].conv2.weight
  check.equal((a - b):abs():max():item(), 0.0)
end)

check.done()
