-- The protocol of modules: registration, names, state, modes, printing.
local sota = require "sota"
local nn = sota.nn
local check = require "check"

local Net = nn.class "Net"

function Net:init(classes)
  self.stem = nn.ConvLayer(3, 4, {stride = 2})
  self.scale = nn.Parameter(sota.ones(4))
  self.head = nn.Linear(4, classes)
  self:register_buffer("seen", sota.zeros(1))
end

function Net:forward(x)
  return self.head((self.stem(x) * self.scale):global_avg_pool())
end

local function names(iterator)
  local list = {}
  for name in iterator do list[#list + 1] = name end
  return list
end

local function state_names(m)
  local list = {}
  for i, e in ipairs(m:state_dict()) do list[i] = e.name end
  return list
end

check.test("a class is called, and its instances too", function()
  local net = Net(7)
  check.equal(net(sota.ones(2, 8, 8, 3)):shape(), {2, 7})
  assert(net:isa(Net) and net:isa(nn.Module) and not net:isa(nn.Linear))
  check.equal(tostring(Net), "class Net")
end)

check.test("names, in the order of definition, own tensors first", function()
  local net = Net(7)
  check.equal(names(net:named_parameters()), {"scale", "stem.0.weight",
    "stem.1.weight", "stem.1.bias", "head.weight", "head.bias"})
  check.equal(names(net:named_buffers()), {"seen", "stem.1.running_mean",
    "stem.1.running_var", "stem.1.num_batches_tracked"})
  check.equal(names(net:children()), {"stem", "head"})
  check.equal(names(net:modules()), {"", "stem", "stem.0", "stem.1", "stem.2",
    "head"})
  check.equal(#net:parameters(), 6)
end)

check.test("a replaced child keeps its place", function()
  local net = Net(7)
  net.stem = nn.Identity()
  net.head = nn.Linear(4, 2)
  check.equal(names(net:children()), {"stem", "head"})
  check.equal(net.head.weight:shape(), {2, 4})
  check.equal(#net:parameters(), 3)
end)

check.test("a field that held something else first is found", function()
  local Late = nn.class "Late"
  function Late:init() self.layer = false end
  local late = Late()
  late.layer = nn.Linear(2, 3)
  check.equal(names(late:named_parameters()), {"layer.weight", "layer.bias"})
end)

check.test("a shared module counts once", function()
  local Twice = nn.class "Twice"
  function Twice:init()
    self.a = nn.Linear(3, 3)
    self.b = self.a
  end
  local m = Twice()
  check.equal(#m:parameters(), 2)
  check.equal(m:count(), 12)
  check.equal(#m:state_dict(), 4) -- files name both, as PyTorch's do
end)

check.test("mistakes that would lose parameters are errors", function()
  check.fails("use nn.ModuleList{...}", function()
    local net = Net(7)
    net.blocks = {nn.Identity()}
  end)
  check.fails("cannot be called 'train'", function()
    local net = Net(7)
    net.train = nn.Identity()
  end)
  check.fails("item 1 must be a module or a function, not a class",
    nn.Sequential, {nn.ReLU})
  check.fails("define function Empty:forward(x)", nn.class "Empty"(), 1)
  check.fails("wants a tensor, not 3", nn.Parameter, 3)
end)

check.test("errors point at the user's line", function()
  local line = debug.getinfo(1, "l").currentline + 1
  local why = check.fails("is missing", function() nn.Linear() end)
  assert(why:find("test_nn.lua:" .. line .. ":", 1, true), why)
end)

check.test("messages name the layer, and only while it runs", function()
  local net = nn.Sequential{nn.Sequential{nn.ConvLayer(3, 4)}, nn.Linear(4, 2)}
  check.fails("layer 0.0: x has 5", net, sota.ones(1, 4, 4, 5))
  local _, why = pcall(sota.add, sota.ones(2), sota.ones(3))
  assert(not why:find("0.0", 1, true), why)
  local whole = nn.Sequential{net} -- names follow the new parent
  check.fails("layer 0.0.0: x has 5", whole, sota.ones(1, 4, 4, 5))
end)

check.test("sequential and module list", function()
  local seq = nn.Sequential{nn.Linear(2, 3), function(x) return x * 2 end}
  seq:append(nn.Flatten())
  check.equal({#seq, seq[1].name, seq[-1].name, seq[2].name},
    {3, "Linear", "Flatten", "Lambda"})
  check.equal(seq[4], nil)
  local x = sota.ones(1, 2)
  check.close(seq(x), seq[1](x) * 2, 0)
  check.equal(#seq:slice(2), 2)
  check.equal(#seq:slice(1, -2), 2)
  local list = nn.ModuleList{nn.Identity(), nn.Linear(1, 1)}
  check.equal(names(list:named_parameters()), {"1.weight", "1.bias"})
end)

check.test("training mode, freezing, apply", function()
  local net = Net(7)
  net:eval()
  for _, m in net:modules() do assert(not m.training) end
  net:train()
  for _, m in net:modules() do assert(m.training) end
  net.stem:requires_grad(false)
  local all, trained = net:count()
  check.equal({all, trained}, {4 + 108 + 8 + 35, 4 + 35})
  local order = {}
  net:apply(function(m) order[#order + 1] = m.name end)
  check.equal(order, {"Conv2d", "BatchNorm2d", "ReLU", "ConvLayer", "Linear",
    "Net"})
end)

check.test("gradients arrive, and are forgotten", function()
  local net = Net(7)
  net(sota.ones(2, 8, 8, 3)):sum():backward()
  for name, t in net:named_parameters() do assert(t:grad(), name) end
  net:zero_grad()
  for name, t in net:named_parameters() do assert(not t:grad(), name) end
end)

check.test("state goes from model to model", function()
  local a, b = Net(7), Net(7)
  a(sota.ones(2, 8, 8, 3))
  a(sota.ones(2, 8, 8, 3))
  local state = a:state_dict()
  check.equal(state["stem.1.num_batches_tracked"]:item(), 2)
  check.equal({state[3].name, state[3].layout}, {"stem.0.weight", "OHWI"})
  b:load_state_dict(state)
  check.equal(b.stem[2].batches, 2)
  local x = sota.ones(1, 8, 8, 3)
  check.equal(a:eval()(x):totable(), b:eval()(x):totable())
  assert(b.head.weight:requires_grad())
end)

check.test("what does not fit is listed, and nothing is changed", function()
  local net = Net(7)
  local before = net.head.bias:totable()
  local state = {}
  for _, e in ipairs(Net(7):state_dict()) do state[e.name] = e.tensor end
  state["head.weight"], state["head.bais"] = nil, state["head.bias"]
  local why = check.fails("1 missing: head.weight", net.load_state_dict, net,
    state)
  assert(why:find("1 that the model does not have: head.bais", 1, true), why)
  check.equal(net.head.bias, before)
  local found = net:load_state_dict(state, {strict = false})
  check.equal({found.missing, found.unexpected},
    {{"head.weight"}, {"head.bais"}})
  state["head.bias"] = sota.zeros(3)
  check.fails("1 of another shape: head.bias is (3), the model's (7)",
    net.load_state_dict, net, state, {strict = false})
  check.fails("did you mean 'strict'?", net.load_state_dict, net, state,
    {strickt = false})
end)

check.test("models made in a scope outlive it", function()
  local net = sota.scope(function() return Net(7) end)
  check.equal(net(sota.ones(1, 8, 8, 3)):shape(), {1, 7})
  net:to "cpu"
  check.equal(#net:parameters(), 6)
end)

check.test("watching forwards", function()
  local net, seen = Net(7), {}
  local out = nn.watch(function(m, path, y)
    seen[#seen + 1] = (path or "-") .. " " .. m.name .. " " .. y:shape(-1)
  end, net, sota.ones(1, 8, 8, 3))
  check.equal(out:shape(), {1, 7})
  check.equal(seen, {"stem ConvLayer 4", "head Linear 7", "- Net 7"})
  net(sota.ones(1, 8, 8, 3))
  check.equal(#seen, 3)
end)

-- Bright images are of class 2, dark ones of class 1.
local function bright_or_dark()
  local x, y = sota.uniform{8, 8, 8, 3}, {}
  for i = 1, 8 do
    y[i] = i % 2 + 1
    if y[i] == 2 then x[i] = x[i] + 1 end
  end
  return x, sota.tensor(y, {dtype = "i32"})
end

check.test("a small model learns", function()
  local net, loss = Net(2), sota.losses.CrossEntropyLossFlat()
  local x, y = bright_or_dark()
  local function step()
    local value = loss(net(x), y)
    value:backward()
    sota.no_grad(function()
      for _, p in net:named_parameters() do p:copy_(p - p:grad() * 0.3) end
    end)
    net:zero_grad()
    return value:item()
  end
  local first = sota.scope(step)
  for _ = 1, 40 do sota.scope(step) end
  local last = sota.scope(step)
  assert(last < 0.3 * first, ("loss from %g to %g"):format(first, last))
end)

check.test("printing", function()
  local net = Net(1000)
  net.stem:requires_grad(false)
  check.equal(tostring(net), [[
Net(
  (stem): ConvLayer(
    (0): Conv2d(3, 4, kernel_size=3, stride=2, padding=1, bias=false)
    (1): BatchNorm2d(4, eps=1e-05, momentum=0.1)
    (2): ReLU()
  )
  (head): Linear(4, 1000, bias=true)
)
5,120 parameters, 5,004 trained]])
end)

check.test("the book's names", function()
  local all = require "sota.all"
  assert(all == sota and xresnet50 == sota.models.xresnet50)
  assert(CrossEntropyLossFlat and accuracy and Mish == nn.Mish)
  assert(nn.NoSuchLayer == nil and sota.nothing == nil)
end)

check.done()
