-- train/groups.lua -- a model's parameters in groups, from the input to the
-- head, so that the first ones can be frozen or learn more slowly.
--
--   Learner(dls, model, {splitter = function(m)
--     return {{m.stem, m.stages}, {m.head}}
--   end})
--   learn:fit_one_cycle(5, slice(1e-5, 1e-3))    rates.lua
--   learn:freeze()                               freeze.lua
--
-- A group is a list of modules and parameters (or one module). Without a
-- splitter the model's own groups() is asked, and without that there is one
-- group.
local core = require "sota.core"
local check = require "sota.check"

local groups = {}

-- Adds the parameters of a module or a parameter to a group.
local function add(into, item, g)
  if core.is_tensor(item) then
    into[#into + 1] = {tensor = item, group = g}
  elseif type(item) == "table" and item.is_module then
    for _, t in item:named_parameters() do
      into[#into + 1] = {tensor = t, group = g}
    end
  elseif type(item) == "table" and not getmetatable(item) then
    for _, inner in ipairs(item) do add(into, inner, g) end
  else
    check.fail("splitter: group %d has %s; a group is a list of modules and "
      .. "parameters", g, check.describe(item))
  end
end

local function listed(lists, what)
  if type(lists) ~= "table" or getmetatable(lists) or #lists == 0 then
    check.fail("%s must return a list of groups, such as {{m[1], m[2]}, "
      .. "{m[3]}}, not %s", what, check.describe(lists))
  end
  local all = {}
  for g, list in ipairs(lists) do
    local before = #all
    add(all, list, g)
    if #all == before then
      check.fail("%s: group %d of %d has no parameters", what, g, #lists)
    end
  end
  return all
end

local function names_of(model)
  local names = {}
  for name, t in model:named_parameters() do names[t] = name end
  return names
end

-- {name = group}: each parameter in one group, none forgotten.
local function numbered(model, lists, what)
  local names, of = names_of(model), {}
  for _, e in ipairs(listed(lists, what)) do
    local name = names[e.tensor]
    if not name then
      check.fail("%s: group %d has a parameter that is not the model's", what,
        e.group)
    elseif of[name] and of[name] ~= e.group then
      check.fail("%s: parameter %s is in the groups %d and %d", what, name,
        of[name], e.group)
    end
    of[name] = e.group
  end
  for name in model:named_parameters() do
    if not of[name] then
      check.fail("%s: parameter %s is in no group", what, name)
    end
  end
  return of, #lists
end

--- The group of each parameter, by name, and the number of groups.
---@param model module
---@param splitter? function model -> list of groups
---@return table, integer
function groups.of(model, splitter)
  if splitter then return numbered(model, splitter(model), "splitter") end
  local own = model.groups
  if type(own) == "function" then
    return numbered(model, own(model), model.name .. ":groups()")
  end
  local of = {}
  for name in model:named_parameters() do of[name] = 1 end
  return of, 1
end

--- For Learner's splitter: the parameters of norm layers in group 1, all others
--- in group 2, so that they can have rates of their own.
---@param model module
---@return tensor[][]
---@example norms_apart(model)
function groups.norms_apart(model)
  local norms, others = {}, {}
  for _, t, owner in model:named_parameters() do
    local list = owner.is_norm and norms or others
    list[#list + 1] = t
  end
  return {norms, others}
end

return groups
