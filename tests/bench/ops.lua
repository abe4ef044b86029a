-- ops.lua -- each operation beside its isolated limit: the time that its
-- arithmetic would take at the speed of a matrix product, or its memory traffic
-- at that of a copy, whichever is longer (engine/ops/cost.h, peak.h).
--
--   sota-lua tests/bench/ops.lua [--bs 32] [--repeat 5] [--only conv]
--
-- A row for forward and one for backward: the median of the repeats. Tensors
-- are of the sizes that a network at 224 px has. Near 100 % there is nothing to
-- gain; above it, caches helped, or the copy was disturbed.
require "sota.all"
local core = require "sota.core"
local profile = core.profile

local opt = sota.options{
  "Times operations beside what the machine can do.",
  {"bs", 32, "images in a batch"},
  {"repeat", 5, "how often each is timed"},
  {"only", "string", "names with this in them", optional = true},
}
local N = opt.bs

-- name, the operation's, its inputs' shapes, options: all inputs are random,
-- and have gradients.
local plain = {
  {"conv2d 3x3 64 @56", "conv2d", {{N, 56, 56, 64}, {64, 3, 3, 64}}, {padding = 1}},
  {"conv2d 1x1 256 @28", "conv2d", {{N, 28, 28, 256}, {256, 1, 1, 256}}},
  {"conv2d 3x3/2 128 @28", "conv2d", {{N, 28, 28, 128}, {128, 3, 3, 128}},
   {padding = 1, stride = 2}},
  {"linear 2048 x 1000", "linear", {{N * 4, 2048}, {1000, 2048}}},
  {"matmul 1024", "matmul", {{1024, 1024}, {1024, 1024}}},
  {"relu", "relu", {{N, 56, 56, 64}}},
  {"gelu", "gelu", {{N, 56, 56, 64}}},
  {"silu", "silu", {{N, 56, 56, 64}}},
  {"mish", "mish", {{N, 56, 56, 64}}},
  {"exp", "exp", {{N, 56, 56, 64}}},
  {"add", "add", {{N, 56, 56, 64}, {N, 56, 56, 64}}},
  {"mul by channel", "mul", {{N, 56, 56, 64}, {64}}},
  {"sum", "sum", {{N, 56, 56, 64}}},
  {"mean by channel", "mean", {{N, 56, 56, 64}}, {dims = {1, 2, 3}}},
  {"max_pool2d 3x3/2", "max_pool2d", {{N, 112, 112, 64}},
   {kernel_size = 3, stride = 2, padding = 1}},
  {"avg_pool2d 2x2", "avg_pool2d", {{N, 56, 56, 64}}, {kernel_size = 2}},
  {"global_avg_pool", "global_avg_pool", {{N, 28, 28, 512}}},
  {"global_max_pool", "global_max_pool", {{N, 28, 28, 512}}},
  {"softmax", "softmax", {{N * 256, 1000}}},
  {"log_softmax", "log_softmax", {{N * 256, 1000}}},
  {"dropout", "dropout", {{N, 56, 56, 64}}},
  {"cat", "cat", {{N, 56, 56, 64}, {N, 56, 56, 64}}, {dim = 4}, list = true},
}

-- Operations that are called in other ways: each gives the function to time
-- and the operation's name.
-- (Layers by forward: calling one would name it in the profile.)
local function layer_case(ni, nf, ks, size, stride)
  local layer = nn.ConvLayer(ni, nf, ks, {stride = stride})
  local x = randn(N, size, size, ni):requires_grad(true):keep()
  return function() return layer:forward(x) end, "conv_bn_act", {x}
end

local others = {
  {"conv_bn_act 3x3 64 @56", function() return layer_case(64, 64, 3, 56, 1) end},
  {"conv_bn_act 1x1 64>256 @56", function() return layer_case(64, 256, 1, 56, 1) end},
  {"conv_bn_act 3x3 512 @7", function() return layer_case(512, 512, 3, 7, 1) end},
  {"conv_bn_act stem @224", function() return layer_case(3, 32, 3, 224, 2) end},
  {"batch_norm", function()
    local norm = nn.BatchNorm2d(64)
    local x = randn(N, 56, 56, 64):requires_grad(true):keep()
    return function() return norm:forward(x) end, "batch_norm", {x}
  end},
  {"cross_entropy", function()
    local x = randn(N * 256, 1000):requires_grad(true):keep()
    local y = sota.randint{N * 256, from = 1, to = 1000}:keep()
    return function() return sota.cross_entropy(x, y) end, "cross_entropy", {x}
  end},
  {"contiguous (transposed)", function()
    local x = randn(N, 56, 56, 64):requires_grad(true):keep()
    return function() return x:permute{1, 4, 2, 3}:contiguous() end, "contiguous", {x}
  end},
  {"index_select", function()
    local x = randn(N * 256, 1000):requires_grad(true):keep()
    local rows = sota.randint{N * 256, from = 1, to = N * 256}:keep()
    return function() return x:index_select(rows, {dim = 1}) end, "index_select", {x}
  end},
}

local function plain_case(case)
  local name, shapes, options = case[2], case[3], case[4]
  local inputs = {}
  for i, shape in ipairs(shapes) do
    inputs[i] = randn(table.unpack(shape)):requires_grad(true):keep()
  end
  local f = sota[name]
  if case.list then
    return function() return f(inputs, options) end, name, inputs
  end
  local arguments = table.pack(table.unpack(inputs))
  if options then arguments[#inputs + 1] = options end
  return function() return f(table.unpack(arguments)) end, name, inputs
end

local function median(list)
  table.sort(list)
  return list[#list // 2 + 1]
end

-- Seconds, forward and backward, of one run of f; and what it had to do.
local function once(f, op, inputs)
  local found = {}
  profile.start()
  sota.scope(function()
    core.layer "timed" -- so that the sum below is told from f
    local y = f()
    core.layer(nil)
    y:sum():backward()
  end)
  for _, row in ipairs(profile.read()) do
    if row.op == op and row.layer ~= "" then found[row.backward and 2 or 1] = row end
  end
  for _, x in ipairs(inputs) do x:zero_grad() end
  return found
end

local peak = profile.peak()
print(("%d threads; matmul %.1f GFLOP/s (f32), copy %.1f GB/s"):format(
  sota.get "threads", peak.f32 / 1e9, peak.copy / 1e9))
print(("%-28s %-8s %9s %9s %9s %9s"):format("operation", "", "ms", "GFLOP/s",
  "GB/s", "of limit"))

local function rate(amount, seconds)
  return amount > 0 and ("%9.1f"):format(amount / seconds / 1e9) or ("%9s"):format "-"
end

local function show(name, f, op, inputs)
  local times, rows = {{}, {}}, nil
  for i = 0, opt["repeat"] do
    rows = once(f, op, inputs)
    for way, row in pairs(rows) do
      if i > 0 then table.insert(times[way], row.seconds) end -- 0 warms up
    end
  end
  for way, word in ipairs{"forward", "backward"} do
    local row = rows[way]
    if row then
      local seconds = median(times[way])
      print(("%-28s %-8s %9.3f %s %s %7.0f %%"):format(way == 1 and name or "",
        word, 1e3 * seconds, rate(row.flops, seconds), rate(row.bytes, seconds),
        100 * profile.limit(peak, row) / seconds))
    end
  end
end

local function wanted(name)
  return not opt.only or name:find(opt.only, 1, true)
end

-- A scope for each: its tensors go before the next one's are made.
for _, case in ipairs(plain) do
  if wanted(case[1]) then
    sota.scope(function() show(case[1], plain_case(case)) end)
    collectgarbage()
  end
end
for _, case in ipairs(others) do
  if wanted(case[1]) then
    sota.scope(function() show(case[1], case[2]()) end)
    collectgarbage()
  end
end
