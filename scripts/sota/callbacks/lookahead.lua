-- callbacks/lookahead.lua -- LookaheadEMA: the weights are drawn back to their
-- own average, the more the longer training has gone on.
--
-- With the average a = weights at the beginning, after every k-th step t of T:
--   d = decay^k * (t / T)^power
--   a = d a + (1 - d) weights,  weights = a
-- and after the last step weights = a (Jordan, "94% on CIFAR-10 in 3.29
-- seconds", 2024: after Zhang et al., "Lookahead Optimizer", 2019). Parameters
-- and float buffers (the statistics of batch norm) alike. Unlike EMA, which
-- only watches, this changes what is trained.
local core = require "sota.core"
local base = require "sota.callbacks.base"
local EMA = require("sota.callbacks.ema").EMA

--- LookaheadEMA(decay = 0.95, {k = 5, power = 3}): T is the number of steps of
--- the fit.
---@example learn:fit(1, {cbs = LookaheadEMA()})
local LookaheadEMA = base.Callback{
  name = "LookaheadEMA", trial = false, state = {"steps"},
  options = {
    {"decay", "number", 0.95, min = 0, max = 1}, {"k", "integer", 5, min = 1},
    {"power", "number", 3, min = 0},
  },
}

--- The share that the average keeps after step t of total.
---@param t integer from 1
---@param total integer
function LookaheadEMA:decay_at(t, total)
  return self.decay ^ self.k * (t / total) ^ self.power
end

local function close(self)
  for _, t in ipairs(self.lists and self.lists.averages or {}) do t:close() end
  self.lists = nil
end

-- weights = averages
local function take(self)
  core.no_grad(function()
    for i, average in ipairs(self.lists.averages) do
      self.lists.weights[i]:copy_(average)
    end
  end)
end

-- The averages begin as EMA's do; both follow the same tensors.
function LookaheadEMA:start(model, total)
  close(self)
  self.total = total
  EMA.start(self, model)
end

--- Takes note of a step: every k-th moves the average and the weights.
function LookaheadEMA:update()
  self.steps = self.steps + 1
  local t, lists = self.steps, self.lists
  if t % self.k == 0 then
    core.average(lists.averages, lists.weights, self:decay_at(t, self.total))
    take(self)
  end
  if t == self.total then take(self) end
end

function LookaheadEMA:configure(_, learn)
  self:start(learn.model, learn.n_step)
end

function LookaheadEMA:tensors() return self.lists.averages end

function LookaheadEMA:after_step() self:update() end

function LookaheadEMA:after_fit() close(self) end
LookaheadEMA.after_abort = LookaheadEMA.after_fit

return {LookaheadEMA = LookaheadEMA}
