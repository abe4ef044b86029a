-- nn.lua -- modules: what layers and models are made of.
--
--   local nn = require "sota.nn"
--   local Net = nn.class "Net"
--   function Net:init(classes)
--     self.conv = nn.ConvLayer(3, 16, {stride = 2})
--     self.head = nn.Linear(16, classes)
--   end
--   function Net:forward(x)
--     return self.head(self.conv(x):global_avg_pool())
--   end
--   local net = Net(10)
--   print(net)
--   local logits = net(images)
--
-- Assigning a module or an nn.Parameter to a field registers it under the
-- field's name, in the order of assignment. Names are PyTorch's, so that
-- state_dict() means the same in both. Images are NHWC, and convolutions keep
-- their weights as (O, KH, KW, I): such entries have layout = "OHWI", and
-- whoever writes or reads a file in PyTorch's layout permutes them.
--
-- The class Module is in module*.lua, the layers in layers/: nn.Conv2d loads
-- its file when first used.
local nn = require "sota.module"
require "sota.module_state"
require "sota.module_text"

-- Layer -> file in layers/ that defines it. A new layer: a file that returns
-- {Name = class, ...}, and its names here.
local files = {
  conv = "Conv2d ConvLayer conv_norm_act",
  whitening = "WhiteningConv",
  linear = "Linear",
  norm = "BatchNorm BatchNorm1d BatchNorm2d",
  pool = "MaxPool AvgPool AdaptiveAvgPool GlobalAvgPool "
    .. "AdaptiveConcatPool MaxBlurPool",
  act = "ReLU GELU SiLU Swish Mish Sigmoid Tanh",
  container = "Sequential ModuleList Identity Lambda",
  shape = "Flatten Dropout",
  attention = "SEModule SimpleSelfAttention",
  resblock = "ResBlock",
  head = "create_head",
}

local file_of = {}
for file, names in pairs(files) do
  for name in names:gmatch "%S+" do file_of[name] = file end
end

return setmetatable(nn, {
  names = file_of, -- as keys: what there will be
  __index = function(_, name)
    local file = file_of[name]
    if not file then return nil end
    for key, value in pairs(require("sota.layers." .. file)) do
      rawset(nn, key, value)
    end
    return rawget(nn, name)
  end,
})
