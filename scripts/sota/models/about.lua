-- models/about.lua -- what a model's name says, for help().
local families = {
  {"^xse_resnext", "fastai's xresnext with squeeze-and-excitation"},
  {"^xse_resnet", "fastai's xresnet with squeeze-and-excitation"},
  {"^xresnext", "fastai's xresnet with 32 groups in its blocks"},
  {"^xresnet", "fastai's ResNet with a stem of three convolutions and average "
    .. "pooling in the shortcuts"},
  {"^wide_resnet", "torchvision's ResNet, blocks twice as wide"},
  {"^resnext", "torchvision's ResNet with groups in its blocks"},
  {"^resnet", "torchvision's ResNet"},
  {"^airbench", "K. Jordan's small network for CIFAR-10, for images of 32 pixels "
    .. "or more"},
}

--- One sentence about a model.
---@param name string
---@return string?
return function(name)
  for _, f in ipairs(families) do
    if name:find(f[1]) then
      local layers = name:match "net%a*(%d+)" or name:match "next(%d+)"
      local text = f[2]:gsub("^%l", string.upper)
      if layers then text = text .. (", %d layers"):format(layers) end
      if name:find "_deep$" then text = text .. ", two stages more" end
      if name:find "_deeper$" then text = text .. ", four stages more" end
      return text .. "."
    end
  end
end
