-- module_state.lua -- what a model's file holds: parameters and buffers by
-- PyTorch's names, read from a model and put into it.
local core = require "sota.core"
local check = require "sota.check"
local nn = require "sota.module"

local Module = nn.Module

-- Modules that keep part of their state outside tensors bring it up to date
-- before saving, and take it back after loading.

--- Yours to define: called before state_dict reads the tensors.
---@example model:before_save()
function Module:before_save() end
--- Yours to define: called after load_state_dict.
---@example model:after_load()
function Module:after_load() end

local by_name = {
  __index = function(list, name)
    if type(name) ~= "string" then return nil end
    for _, e in ipairs(list) do if e.name == name then return e.tensor end end
  end,
}

--- Parameters and buffers, by PyTorch's names and in its order: a list of
--- {name =, tensor =, layout =}; state["0.weight"] is that tensor. The tensors
--- are the module's own, not copies.
---@return table
---@example model:state_dict()
function Module:state_dict()
  for _, m in self:modules() do m:before_save() end
  local list = {}
  nn.walk_tensors(self, {"parameter", "buffer"}, "", function(name, t, _, slot)
    list[#list + 1] = {name = name, tensor = t, layout = slot.layout}
  end)
  return setmetatable(list, by_name)
end

local function size_text(t)
  return #t:shape() == 0 and "a single number"
    or "(" .. table.concat(t:shape(), ", ") .. ")"
end

-- {name = tensor} from a state_dict or from such a table.
local function tensors_by_name(state)
  local map = {}
  for key, value in pairs(state) do
    if type(key) == "string" then
      map[key] = value
    else
      map[value.name] = value.tensor
    end
  end
  return map
end

local function compare(mine, given)
  local found = {missing = {}, unexpected = {}, shapes = {}}
  local names, known = {}, {}
  for _, e in ipairs(mine) do
    local t = given[e.name]
    names[#names + 1], known[e.name] = e.name, true
    if not t then
      table.insert(found.missing, e.name)
    elseif size_text(t) ~= size_text(e.tensor) then
      table.insert(found.shapes, ("%s is %s, the model's %s"):format(e.name,
        size_text(t), size_text(e.tensor)))
    end
  end
  for name in pairs(given) do
    if not known[name] then table.insert(found.unexpected, name) end
  end
  table.sort(found.unexpected)
  return found
end

local function say(parts, title, list)
  if #list == 0 then return end
  local shown = table.concat(list, ", ", 1, math.min(#list, 5))
  parts[#parts + 1] = ("%d %s: %s%s"):format(#list, title, shown,
    #list > 5 and ", ..." or "")
end

local load_options = check.spec("load_state_dict", {
  {"strict", "boolean", true},
})

--- Copies values into the parameters and buffers. All or nothing: when names
--- or shapes do not fit, nothing is changed and the error lists what.
---@param state table from state_dict(), or {name = tensor}
---@param options? {strict: boolean} false: missing and unknown names pass
---@return {missing: string[], unexpected: string[]}
---@example model:load_state_dict(model:state_dict())
function Module:load_state_dict(state, options)
  local o = load_options(options)
  local mine, given = self:state_dict(), tensors_by_name(state)
  local found, parts = compare(mine, given), {}
  if o.strict then
    say(parts, "missing", found.missing)
    say(parts, "that the model does not have", found.unexpected)
  end
  say(parts, "of another shape", found.shapes)
  if #parts > 0 then
    check.fail("load_state_dict: %s", table.concat(parts, "; "))
  end
  core.no_grad(function()
    for _, e in ipairs(mine) do
      if given[e.name] then e.tensor:copy_(given[e.name]) end
    end
  end)
  for _, m in self:modules() do m:after_load() end
  return found
end
