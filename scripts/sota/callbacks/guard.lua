-- callbacks/guard.lua -- TerminateOnNaN: no hours spent on a network that is
-- broken already.
local base = require "sota.callbacks.base"

-- An error whose code the command leaves with: 3, diverged.
local Diverged = {__tostring = function(e) return e.message end}

local function is_finite(v)
  return v == v and v ~= math.huge and v ~= -math.huge
end

--- TerminateOnNaN(): ends the program (or the call, under pcall) with exit
--- code 3 after the first batch whose loss is infinite or not a number.
---@example learn:fit(1, {cbs = TerminateOnNaN})
local TerminateOnNaN = base.Callback{
  name = "TerminateOnNaN", order = -9, trial = false,
  after_batch = function(_, learn)
    if not learn.loss or is_finite(learn.loss) then return end
    error(setmetatable({code = 3, message = ("diverged: the %s loss is %s at "
      .. "batch %d of %d in epoch %d, learning rate %.3g; try a smaller one")
      :format(learn.training and "training" or "validation",
        tostring(learn.loss):gsub("^-?nan$", "nan"), learn.iter, learn.n_iter,
        learn.epoch, learn.opt and learn.opt:get "lr" or 0)}, Diverged))
  end,
}

return {TerminateOnNaN = TerminateOnNaN}
