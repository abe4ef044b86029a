-- all.lua -- require "sota.all" makes the book's names global, as
-- `from fastai.vision.all import *` does. Returns what require "sota" does.
local sota = require "sota"

-- Part -> names that become global. "" is sota itself.
local names = {
  [""] = "tensor zeros ones full arange no_grad scope",
  nn = "Module Parameter Conv2d ConvLayer Linear BatchNorm MaxPool AvgPool "
    .. "AdaptiveAvgPool GlobalAvgPool AdaptiveConcatPool MaxBlurPool Flatten "
    .. "Dropout Sequential ModuleList Identity Lambda ReLU GELU SiLU Swish "
    .. "Mish Sigmoid Tanh SEModule SimpleSelfAttention ResBlock create_head",
  losses = "CrossEntropyLossFlat LabelSmoothingCrossEntropy "
    .. "LabelSmoothingCrossEntropyFlat FocalLossFlat BCEWithLogitsLossFlat "
    .. "MSELossFlat L1LossFlat",
  metrics = "accuracy error_rate top_k_accuracy accuracy_multi",
}

rawset(_G, "sota", sota)
rawset(_G, "nn", sota.nn)

for part, list in pairs(names) do
  local from = part == "" and sota or sota[part]
  for name in list:gmatch "%S+" do rawset(_G, name, from[name]) end
end
for _, name in ipairs(sota.models.list()) do
  rawset(_G, name, sota.models[name])
end

return sota
