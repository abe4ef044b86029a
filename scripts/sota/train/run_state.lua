-- train/run_state.lua -- everything that a fit changes, as a file: weights,
-- statistics, optimiser, gradients that wait for a step, the place in the
-- random sequence, the recorder, callbacks, history.csv. For checkpoints.
local core = require "sota.core"
local check = require "sota.check"

local run_state = {}

local FORMAT = "sota-lua checkpoint 1"

-- --- numbers ------------------------------------------------------------------

-- JSON has neither infinity nor all bits of a double: numbers with a fraction
-- travel as "#0x1.8p+0".
local function out(v)
  if math.type(v) == "float" then return ("#%a"):format(v) end
  if type(v) ~= "table" then return v end
  local t = {}
  for key, value in pairs(v) do t[key] = out(value) end
  return t
end

local special = {["#inf"] = math.huge, ["#-inf"] = -math.huge,
                 ["#nan"] = 0 / 0, ["#-nan"] = 0 / 0}

local function back(v)
  if type(v) == "string" and v:sub(1, 1) == "#" then
    return special[v] or tonumber(v:sub(2)) or v
  end
  if type(v) ~= "table" then return v end
  local t = {}
  for key, value in pairs(v) do t[key] = back(value) end
  return t
end

-- --- gathering ------------------------------------------------------------------

local function add(s, name, tensor)
  s.names[#s.names + 1], s.tensors[name] = name, tensor
end

local function gather_model(s, model)
  for _, e in ipairs(model:state_dict()) do
    add(s, "model/" .. e.name, e.tensor)
  end
  for name, t in model:named_parameters() do
    local grad = t:grad()
    if grad then add(s, "grad/" .. name, grad) end
  end
end

local function gather_opt(s, opt)
  local state, names = opt:state(), {}
  for name in pairs(state.tensors) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do add(s, "opt/" .. name, state.tensors[name]) end
  state.tensors = nil
  s.meta.opt = state
end

-- At the end of a fit they have let go of their tensors.
local function gather_callbacks(s, cbs, done)
  local list = {}
  for i, cb in ipairs(cbs) do
    local kept = {name = cb.name or "", fields = {}}
    for _, key in ipairs(cb.state or {}) do
      kept.fields[key] = cb[key]
    end
    for k, t in ipairs(cb.tensors and not done and cb:tensors() or {})
    do
      add(s, ("callback/%d/%d"):format(i, k), t)
    end
    list[i] = kept
  end
  s.meta.callbacks = list
end

--- What to write: {names, tensors, meta}.
---@param learn table
---@param o table cbs, base (epochs before this fit), meta
function run_state.gather(learn, o)
  local s = {names = {}, tensors = {}, meta = {}}
  for key, value in pairs(o.meta) do s.meta[key] = value end
  gather_callbacks(s, o.cbs, o.meta.done) -- first: averages leave the model
  gather_model(s, learn.model)
  gather_opt(s, learn.opt)
  local fit = core.fit_state()
  add(s, "recorder", fit.recorder)
  -- Between two epochs none has begun.
  s.meta.seconds = o.meta.iter > 0 and fit.seconds or 0.0
  s.meta.base = o.base
  s.meta.random, s.meta.history = core.random_state(), fit.history
  return s
end

--- Writes it, whole or not at all.
function run_state.write(path, s)
  core.safetensors.save(path, s.names, s.tensors, {format = FORMAT,
    state = core.json.encode(out(s.meta))}, {checksum = true})
end

--- Reads such a file; raises if it is damaged or another kind of file.
---@param path string
---@return table {tensors, meta}
function run_state.read(path)
  local tensors, metadata = core.safetensors.load(path)
  if metadata.format ~= FORMAT or not metadata.state then
    check.fail("%s is no checkpoint of this version", path)
  end
  return {tensors = tensors, meta = back(core.json.decode(metadata.state))}
end

-- --- putting back ------------------------------------------------------------------

-- The tensors of a kind, by their own names.
local function part(s, kind)
  local t = {}
  for name, tensor in pairs(s.tensors) do
    local rest = name:match("^" .. kind .. "/(.*)$")
    if rest then t[rest] = tensor end
  end
  return t
end

--- Weights, statistics, optimiser, random numbers.
function run_state.restore(learn, s)
  learn.model:load_state_dict(part(s, "model"))
  local state = s.meta.opt
  state.tensors = part(s, "opt")
  learn.opt:zero_grad()
  learn.opt:load_state(state)
  core.random_state(s.meta.random)
end

-- A gradient is put where backward puts it.
local function restore_gradients(model, grads)
  for name, t in model:named_parameters() do
    if grads[name] then
      core.enable_grad(function() (t * grads[name]):sum():backward() end)
    end
  end
end

--- The fields of callbacks that say which of theirs are to be kept.
function run_state.restore_fields(cbs, s)
  for i, cb in ipairs(cbs) do
    local kept = s.meta.callbacks[i]
    if kept and kept.name == (cb.name or "") then
      for _, key in ipairs(cb.state or {}) do cb[key] = kept.fields[key] end
    end
  end
end

--- Callbacks, gradients, and once more the random numbers, which whatever came
--- in between may have drawn.
function run_state.restore_callbacks(learn, cbs, s)
  run_state.restore_fields(cbs, s)
  for i, cb in ipairs(cbs) do
    for k, t in ipairs(cb.tensors and cb:tensors() or {}) do
      core.no_grad(function()
        t:copy_(s.tensors[("callback/%d/%d"):format(i, k)])
      end)
    end
  end
  restore_gradients(learn.model, part(s, "grad"))
  core.random_state(s.meta.random)
end

--- history.csv as it was; nil where there was none.
function run_state.restore_history(path, text)
  if not path or not text then return end
  local ok, why = core.write_file(path, text)
  if not ok then check.fail("Checkpoint: %s", why) end
end

--- Lets go of the tensors.
function run_state.close(s)
  for _, t in pairs(s.tensors) do t:close() end
end

return run_state
