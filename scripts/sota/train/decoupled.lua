-- train/decoupled.lua -- rates and decays that mean the same at any batch size
-- and momentum.
--
-- SGD with momentum m moves several times as far as its rate says, taken here
-- as 1 + 1 / (1 - m) times; and with a mean over twice as many images there is
-- one step where there were two. So both are divided out:
--   rate = lr * bs / 1024 / (1 + 1 / (1 - m)),  decay (of l2) = wd / lr
-- (Jordan, "94% on CIFAR-10 in 3.29 seconds", 2024, there for summed losses).
local check = require "sota.check"

local decoupled = {}

local arguments = check.spec("decoupled_rates", {
  {"lr", "number", required = true, min = 0},
  {"wd", "number", 0, min = 0}, {"mom", "number", 0.85, min = 0, max = 0.9999},
  {"bs", "integer", 1024, min = 1}, {"norm_lr", "number", 64, min = 0},
})

--- decoupled_rates{lr = 11.5, wd = 0.0153, mom = 0.85, bs = dls.bs}: for SGD
--- with nesterov and l2 and a loss that is a mean over the batch, the rates and
--- decays of the groups {norms, others} (norms_apart): norms have norm_lr times
--- the rate of the others, and as much less decay.
---@param options {lr: number, wd: number, mom: number, bs: integer, norm_lr: number}
---@return table {lr = {norms, others}, wd = {norms, others}}
---@example decoupled_rates{lr = 6.5, wd = 0.015}
function decoupled.decoupled_rates(...)
  local a = arguments(...)
  local lr = a.lr * a.bs / 1024 / (1 + 1 / (1 - a.mom))
  local wd = a.lr > 0 and a.wd / a.lr or 0
  return {lr = {a.norm_lr * lr, lr},
          wd = {a.norm_lr > 0 and wd / a.norm_lr or 0, wd}}
end

return decoupled
