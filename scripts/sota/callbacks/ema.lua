-- callbacks/ema.lua -- EMA: an exponential moving average of the weights, which
-- generalises better than the weights themselves.
--
-- After each step  average = d * average + (1 - d) * weights,  for parameters
-- and float buffers (the statistics of batch norm; not with exclude_buffers).
-- With s = max(0, step - update_after_step - 1), d is 0 at s = 0 (a copy), then
--   decay                                        without warm-up
--   1 - (1 + s / warmup_gamma)^-warmup_power     with it, but between
--                                                min_decay and decay
-- (timm's ModelEmaV3.) plain = true: decay from the first step on, so that the
-- average begins with the initial weights (timm's V2).
local core = require "sota.core"
local base = require "sota.callbacks.base"

--- EMA(decay = 0.9999, {warmup = true, warmup_gamma = 1, warmup_power = 2/3,
--- min_decay = 0, update_after_step = 0, exclude_buffers = false, plain =
--- false}): validation, SaveModel, and the model when the fit is over, have the
--- averages.
---@example learn:fit(1, {cbs = EMA(0.99)})
local EMA = base.Callback{
  name = "EMA", trial = false, state = {"steps"},
  options = {
    {"decay", "number", 0.9999, min = 0, max = 1}, {"warmup", "boolean", true},
    {"warmup_gamma", "number", 1, min = 1e-9},
    {"warmup_power", "number", 2 / 3, min = 0},
    {"min_decay", "number", 0, min = 0, max = 1},
    {"update_after_step", "integer", 0, min = 0},
    {"exclude_buffers", "boolean", false}, {"plain", "boolean", false},
  },
}

--- The share that the average keeps at a step (from 1).
function EMA:decay_at(step)
  if self.plain then return self.decay end
  local s = math.max(0, step - self.update_after_step - 1)
  if s == 0 then return 0 end
  if not self.warmup then return self.decay end
  local d = 1 - (1 + s / self.warmup_gamma) ^ -self.warmup_power
  return math.max(math.min(d, self.decay), self.min_decay)
end

-- Two lists: the averages, and the tensors of the model that they follow.
local function lists_of(self, model)
  local lists, is_buffer = {averages = {}, weights = {}}, {}
  for name in model:named_buffers() do is_buffer[name] = true end
  for _, e in ipairs(model:state_dict()) do
    local t, n = e.tensor, #lists.weights + 1
    if t:dtype() == "f32" and not (self.exclude_buffers and is_buffer[e.name])
    then
      lists.averages[n], lists.weights[n] = t:clone():detach():keep(), t
    end
  end
  return lists
end

-- Averages into the model, the model's own values into their place; twice is
-- as if nothing had been.
local function exchange(self)
  core.no_grad(function()
    for i, average in ipairs(self.lists.averages) do
      local w <close> = self.lists.weights[i]:clone()
      self.lists.weights[i]:copy_(average)
      average:copy_(w)
    end
  end)
  self.inside = not self.inside
end

local function close(self, learn)
  if not self.lists then return end
  for _, t in ipairs(self.lists.averages) do t:close() end
  self.lists = nil
  if learn.ema == self then learn.ema = nil end
end

--- Runs f while the model has the averages.
---@param f function
function EMA:applied(f)
  if not self.lists or self.inside then return f() end
  exchange(self)
  local back <close> = setmetatable({}, {__close = function()
    exchange(self)
  end})
  return f()
end

function EMA:start(model)
  self.lists = core.no_grad(lists_of, self, model)
  self.steps, self.inside = 0, false
end

--- Takes the model's weights of this step into the averages.
function EMA:update()
  local lists = self.lists
  self.steps = self.steps + 1
  core.average(lists.averages, lists.weights, self:decay_at(self.steps))
end

-- Only a fit calls configure: validation on its own has no averages to show.
function EMA:configure(_, learn)
  close(self, learn)
  self:start(learn.model)
  learn.ema = self
end

-- For checkpoints: the averages, outside of the model.
function EMA:tensors()
  if self.inside then exchange(self) end
  return self.lists.averages
end

function EMA:after_step() self:update() end

function EMA:before_validate()
  if self.lists and not self.inside then exchange(self) end
end

local function back(self)
  if self.lists and self.inside then exchange(self) end
end

EMA.after_validate, EMA.after_cancel_epoch = back, back

-- Ended well, the model keeps the averages, if there was a step.
function EMA:after_fit(learn)
  if not self.lists then return end
  if not self.inside and self.steps > 0 then exchange(self) end
  close(self, learn)
end

function EMA:after_abort(learn)
  back(self)
  close(self, learn)
end

return {EMA = EMA}
