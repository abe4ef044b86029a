-- help/names.lua -- names for completion: of everything help() knows, of parts
-- that are loaded when first used, and of a function's options.
local names = {}

--- The names of a part that are there before they are loaded.
---@param part table sota, sota.nn or sota.models
---@return string[]
function names.of(part)
  if rawequal(part, package.loaded["sota.models"]) then return part.list() end
  local list = {}
  for name in next, (getmetatable(part) or {}).names or {} do
    list[#list + 1] = name
  end
  return list
end

--- All that help knows, by full and by short names.
---@return string[]
function names.all()
  local list, seen = {}, {}
  for _, e in ipairs(require "sota.help.entries".all()) do
    for _, name in ipairs{e.name, e.short} do
      if not seen[name] then list[#list + 1] = name end
      seen[name] = true
    end
  end
  table.sort(list)
  return list
end

--- The names of the options of a function or class; an empty list when none are
--- known. Nothing is called.
---@param value any
---@param name string as which it is called
---@return string[]
function names.options(value, name)
  local entries = require "sota.help.entries"
  local e = entries.of(value)
  if not e and type(value) ~= "function" and type(value) ~= "table" then
    return {}
  end
  e = e or entries.named(name)
  local list = {}
  for _, o in ipairs(e and e.options or {}) do list[#list + 1] = o.name end
  return list
end

return names
