-- callbacks/init.lua -- sota.callbacks: what changes a training run, and what
-- watches it. Each is a short file to read, copy and change.
--
-- A new callback: a file here that returns {Name = class}, and a line below.
local base = require "sota.callbacks.base"

local callbacks = {Callback = base.Callback}

for _, file in ipairs{"gradient", "mixup", "cutmix", "guard", "log", "short",
                      "progressive", "tracker", "ema", "norm", "lookahead",
                      "train_for", "checkpoint", "report", "tensorboard",
                      "activations"} do
  for name, class in pairs(require("sota.callbacks." .. file)) do
    callbacks[name] = class
  end
end

return callbacks
