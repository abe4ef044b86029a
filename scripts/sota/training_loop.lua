-- training_loop.lua -- Learner:show_training_loop: the events of a fit in their
-- order, and who acts at each.
local callbacks = require "sota.callbacks.base"

local training_loop = {}

-- The loop as lines: {depth, title}, or an event. `does` is what the loop
-- itself does there; inner: an event of training, or of validation, batches.
local script = {
  {0, "Start Fit"},
  {1, event = "before_fit"},
  {1, "Start Epoch"},
  {2, event = "before_epoch"},
  {2, "Start Train"},
  {3, event = "before_train", does = "the model goes into training mode"},
  {3, "Start Batch", does = "x, y from dls.train"},
  {4, event = "before_batch", does = "schedules set lr, mom", inner = "train"},
  {4, does = "pred = model(x)"},
  {4, event = "after_pred", inner = "train"},
  {4, does = "loss = loss_func(pred, y)"},
  {4, event = "after_loss", inner = "train"},
  {4, event = "before_backward", inner = "train"},
  {4, does = "loss:backward()"},
  {4, event = "after_cancel_backward", inner = "train"},
  {4, event = "after_backward", inner = "train"},
  {4, event = "before_step", inner = "train"},
  {4, does = "the optimiser steps"},
  {4, event = "after_cancel_step", inner = "train"},
  {4, event = "after_step", does = "then gradients become zero",
   inner = "train"},
  {4, event = "after_cancel_batch", inner = "train"},
  {4, event = "after_batch", does = "the recorder notes loss and lr",
   inner = "train"},
  {3, "End Batch"},
  {3, event = "after_cancel_train"},
  {3, event = "after_train"},
  {2, "End Train"},
  {2, "Start Validate"},
  {3, event = "before_validate", does = "the model goes into evaluation mode"},
  {3, "Start Batch", does = "x, y from dls.valid"},
  {4, event = "before_batch", inner = "valid"},
  {4, does = "pred = model(x)"},
  {4, event = "after_pred", inner = "valid"},
  {4, does = "loss = loss_func(pred, y), metrics"},
  {4, event = "after_loss", inner = "valid"},
  {4, event = "after_cancel_batch", inner = "valid"},
  {4, event = "after_batch", inner = "valid"},
  {3, "End Batch"},
  {3, event = "after_cancel_validate"},
  {3, event = "after_validate"},
  {2, "End Validate"},
  {2, event = "after_cancel_epoch"},
  {2, event = "after_epoch", does = "the recorder writes the epoch's row"},
  {1, "End Epoch"},
  {1, event = "after_cancel_fit"},
  {1, event = "after_fit"},
  {1, event = "after_abort", does = "only when the fit ends by an error"},
  {0, "End Fit"},
}

local function name_of(cb, place)
  return cb.name or ("callback %d"):format(place)
end

-- The callbacks in the order in which the loop asks them.
local function in_order(list)
  local sorted = {}
  for i, cb in ipairs(list) do
    sorted[i] = {cb = cb, order = cb.order or 0, place = i}
  end
  table.sort(sorted, function(a, b)
    if a.order ~= b.order then return a.order < b.order end
    return a.place < b.place
  end)
  return sorted
end

local function acts(cb, line)
  if type(cb[line.event]) ~= "function" or cb.run == false then return false end
  if line.inner == "train" then return cb.run_train ~= false end
  if line.inner == "valid" then return cb.run_valid ~= false end
  return true
end

local function who(sorted, line)
  local names = {}
  for _, s in ipairs(sorted) do
    if acts(s.cb, line) then names[#names + 1] = name_of(s.cb, s.place) end
  end
  return "[" .. table.concat(names, ", ") .. "]"
end

local function line_text(sorted, line)
  local indent, does = ("  "):rep(line[1]), line.does
  if line[2] then
    return indent .. line[2] .. (does and ("  (%s)"):format(does) or "")
  end
  if not line.event then return indent .. "> " .. does end
  return ("%s- %-22s %s%s"):format(indent, line.event, who(sorted, line),
    does and ("  (%s)"):format(does) or "")
end

-- The loop with these callbacks.
local function loop_text(list)
  local sorted, lines = in_order(callbacks.flatten(list, {})), {}
  for i, line in ipairs(script) do lines[i] = line_text(sorted, line) end
  return table.concat(lines, "\n")
end

--- Prints the events of a fit in their order, and the callbacks that act at
--- each, in theirs: the learner's, and those in `cbs`.
---@param cbs? any as for fit
---@example learn:show_training_loop()
function training_loop.show_training_loop(learn, cbs)
  print(loop_text{learn.cbs, cbs})
end

return training_loop
