-- train/guard.lua -- what happens when a training step is not finite. The loop
-- (engine/lua/slua_hooks.c) sees it before the optimiser writes, and asks here.
local core = require "sota.core"
local nn = require "sota.nn"

local guard = {modes = {"stop", "skip", "off"}}

local CODE_DIVERGED = 3
local MOST_SKIPPED = 10 -- in a row; then it is the model, not the batch

-- An error whose code the command leaves with.
local Diverged = {__tostring = function(e) return e.message end}

--- Raises the error of a training that has diverged.
---@param fmt string
function guard.fail(fmt, ...)
  error(setmetatable({code = CODE_DIVERGED, message = fmt:format(...)}, Diverged))
end

--- Whether an error, as pcall gives it, says that training has diverged.
function guard.is_divergence(why)
  return type(why) ~= "string" and why.code == CODE_DIVERGED
end

--- "nan", "inf" or "-inf", whatever the C library writes.
function guard.number_text(v)
  return v ~= v and "nan" or tostring(v)
end

-- --- where it began --------------------------------------------------------------

local function is_finite(t)
  if not core.is_tensor(t) or not t:dtype():find "f" then return true end
  local zero <close> = (t * 0):sum() -- 0 times infinity is nan
  return zero:item() == 0
end

-- What a forward pass changes besides its result, put back by <close>.
local function put_back(model)
  local kept, batches, random = {}, {}, core.random_state()
  for _, t in model:named_buffers() do kept[t] = t:clone():keep() end
  for _, m in model:modules() do batches[m] = m.batches end
  return setmetatable({}, {__close = function()
    for t, copy in pairs(kept) do
      t:copy_(copy)
      copy:close()
    end
    for m, n in pairs(batches) do rawset(m, "batches", n) end
    core.random_state(random)
  end})
end

-- The first module, in the order of their results, whose result is not finite.
local function first_layer(learn, forward)
  local found
  local restored <close> = put_back(learn.model)
  nn.watch(function(m, path, ...)
    if found then return end
    for _, t in ipairs{...} do
      if not is_finite(t) then found = {path = path, name = m.name} end
    end
  end, forward, learn, learn.xb)
  return found
end

-- A sentence about a loss that is not finite.
local function about_loss(learn, forward)
  local text = ("the loss is %s; "):format(guard.number_text(learn.loss))
  if not is_finite(learn.xb) then
    return text .. "the batch itself has numbers that are not finite"
  end
  local ok, found = pcall(core.no_grad, core.scope, first_layer, learn, forward)
  if not ok then return text .. "which layer began it could not be found" end
  if not found then
    return text .. "all layers have finite results: it begins in the loss"
  end
  return text .. ("the first layer whose result is not finite is %s (%s)"):format(
    found.path or "the model", found.name)
end

local function about_gradients(parameter, n)
  local others = n > 1 and (" and those of %d more are"):format(n - 1) or " is"
  return ("the loss is finite, but the gradient of %s%s not, or too large for "
    .. "f32"):format(parameter, others)
end

-- --- what is done ----------------------------------------------------------------

local STOPPED = "; the step was not taken, weights and optimiser are as before "
  .. "it. Try a smaller rate, or GradientClip(1)"

local Guard = {}
Guard.__index = Guard

function Guard:sentence(learn, parameter, n)
  local what = parameter and about_gradients(parameter, n)
    or about_loss(learn, self.forward)
  return ("in epoch %d, batch %d of %d (step %d), learning rate %.3g, %s")
    :format(learn.epoch, learn.iter, learn.n_iter, learn.train_iter + 1,
      learn.opt:get "lr", what)
end

function Guard:skip(learn, parameter, n)
  self.in_row = self.last == learn.train_iter - 1 and self.in_row + 1 or 1
  self.last, self.skipped = learn.train_iter, self.skipped + 1
  if self.in_row >= MOST_SKIPPED then
    guard.fail("training has diverged: %d batches in a row were left out; %s",
      self.in_row, self:sentence(learn, parameter, n))
  end
  if self.skipped > 1 then return end
  warn(("a batch is left out: %s"):format(self:sentence(learn, parameter, n)))
end

-- At the end of a fit: how much was left out.
function Guard:report()
  if self.skipped < 2 then return end
  warn(("%d batches of this fit were left out: their loss or gradients were not "
    .. "finite"):format(self.skipped))
end

--- Makes the loop look, as spec.nan says: "stop", "skip" or "off".
---@param spec table for core.fit
---@return table? guard
function guard.install(spec, learn)
  local mode = spec.nan
  spec.nan, learn.guarded = nil, mode ~= "off"
  if mode == "off" then return nil end
  local self = setmetatable({skipped = 0, forward = spec.forward}, Guard)
  function spec.diverged(_, parameter, n)
    if mode == "skip" then return self:skip(learn, parameter, n) end
    guard.fail("training has diverged: %s%s", self:sentence(learn, parameter, n),
      STOPPED)
  end
  return self
end

return guard
