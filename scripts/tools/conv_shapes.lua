-- conv_shapes.lua: prints each convolution of the shipped models at 128 and 224
-- pixels once, for tests/cuda/conv_shapes.txt. Columns: height, width,
-- channels, filters, filter height and width, stride, padding, groups.
local sota = require "sota"
local core = require "sota.core"

local models = {"xresnet18", "xresnet34", "xresnet50", "xse_resnext50",
  "resnet18", "resnet50"}
local seen, lines = {}, {}

-- Ours are square: one number, or two that are equal.
local function first(v, otherwise)
  return type(v) == "table" and v[1] or v or otherwise
end

local function record(x, weight, options)
  local s, w = x:shape(), weight:shape()
  local line = table.concat({s[2], s[3], s[4], w[1], w[2], w[3],
    first(options.stride, 1), first(options.padding, 0), options.groups or 1},
    " ")
  if not seen[line] then
    seen[line] = true
    lines[#lines + 1] = line
  end
end

local conv2d, conv_bn_act = core.conv2d, core.conv_bn_act
function core.conv2d(x, weight, bias, options)
  record(x, weight, options)
  return conv2d(x, weight, bias, options)
end
function core.conv_bn_act(x, weight, ...)
  record(x, weight, (select(select("#", ...), ...)))
  return conv_bn_act(x, weight, ...)
end

for _, name in ipairs(models) do
  local model = sota.models[name]{n_out = 10}
  model:eval()
  for _, size in ipairs {128, 224} do
    sota.no_grad(function() model(sota.zeros {1, size, size, 3}) end)
  end
end
table.sort(lines, function(a, b)
  local function key(line)
    local k = {}
    for v in line:gmatch "%d+" do k[#k + 1] = ("%05d"):format(v) end
    return table.concat(k)
  end
  return key(a) < key(b)
end)
print "# H W C filters kh kw stride padding groups: scripts/tools/conv_shapes.lua"
print(table.concat(lines, "\n"))
