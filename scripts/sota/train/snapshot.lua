-- train/snapshot.lua -- everything that training changes, kept aside for a
-- trial run and put back after it: weights, norm statistics, modes, the
-- optimiser, the place in the random sequence, counters of the learner.
local core = require "sota.core"

local snapshot = {}

local fields = {"epochs_done", "recorder", "cbs", "opt"}

local function copies(tensors)
  local kept = {}
  for name, t in pairs(tensors) do kept[name] = t:clone():keep() end
  return kept
end

local function model_state(model)
  local tensors = {}
  for _, e in ipairs(model:state_dict()) do tensors[e.name] = e.tensor end
  return core.no_grad(copies, tensors)
end

local function opt_state(opt)
  local state = opt:state()
  state.tensors = copies(state.tensors)
  return state
end

local function modes(model)
  local list = {}
  for path, m in model:modules() do list[path] = m.training end
  return list
end

local function close_all(tensors)
  for _, t in pairs(tensors) do t:close() end
end

local function restore(s)
  local learn, model = s.learn, s.learn.model
  local trial_opt = learn.opt
  for _, name in ipairs(fields) do learn[name] = s.fields[name] end
  if s.opt then
    learn.opt:zero_grad()
    learn.opt:load_state(s.opt)
    close_all(s.opt.tensors)
  elseif trial_opt then
    trial_opt:zero_grad()
    trial_opt:close()
  end
  model:load_state_dict(s.model)
  close_all(s.model)
  for path, m in model:modules() do rawset(m, "training", s.modes[path]) end
  core.random_state(s.random)
end

--- Takes a snapshot of a learner; leaving its scope (<close>) puts all back.
---@param learn table
function snapshot.of(learn)
  local s = {learn = learn, fields = {}, model = model_state(learn.model),
             modes = modes(learn.model), random = core.random_state(),
             opt = learn.opt and opt_state(learn.opt)}
  for _, name in ipairs(fields) do s.fields[name] = learn[name] end
  return setmetatable(s, {__close = restore})
end

return snapshot
