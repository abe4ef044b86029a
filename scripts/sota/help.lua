-- help.lua -- help "conv2d", help(Resize): what it does, its options with their
-- defaults and ranges, an example. The text is the engine's own descriptions.
local core = require "sota.core"
local check = require "sota.check"

-- Everything that describes itself: {[name] = {kind, description}}.
local function described()
  local all = {}
  local function add(kind, list)
    for _, d in ipairs(list) do
      if not all[d.name] then all[d.name] = {kind = kind, d = d} end
    end
  end
  add("operation", core.ops())
  add("item transform", core.data.transforms())
  add("batch transform", core.augment.transforms())
  require "sota.draw" -- what they have describes itself when it is loaded
  require "sota.callbacks"
  add("function", check.functions())
  return all
end

local function default_of(o)
  if o.required then return "required" end
  if o.default == nil then return "not given" end
  local v = o.default
  if math.type(v) == "float" and v == math.floor(v) and math.abs(v) < 1e15 then
    v = math.tointeger(v)
  end
  return "default " .. tostring(v)
end

local function range_of(o)
  if o.names then return ": " .. table.concat(o.names, ", ") end
  if o.type == "boolean" then return "" end
  local lo, hi = o.min, o.max
  if type(lo) ~= "number" or type(hi) ~= "number" or lo >= hi then return "" end
  if lo <= -1e15 and hi >= 1e15 then return "" end
  if hi >= 1e15 then return (", at least %g"):format(lo) end
  return (", %g to %g"):format(lo, hi)
end

local function text_of(name, entry)
  local d, lines = entry.d, {}
  local inputs = d.args and ("(" .. d.args .. ")") or ""
  lines[1] = ("%s%s%s -- %s"):format(name, inputs,
    #d.options > 0 and "{options}" or "", entry.kind)
  lines[2] = "  " .. (d.help or "")
  for _, o in ipairs(d.options) do
    local facts = o.type and (default_of(o) .. range_of(o)) or nil
    lines[#lines + 1] = ("  %-16s %s%s"):format(o.name, o.help or "",
      facts and (" (" .. facts .. ")") or "")
  end
  if d.example then lines[#lines + 1] = "  example: " .. d.example end
  return table.concat(lines, "\n")
end

-- The name under which a value is known.
local function name_of(value, all)
  if type(value) == "string" then return value end
  if type(value) == "table" and rawget(value, "name") then return value.name end
  for name in pairs(all) do
    if core[name] == value then return name end
  end
end

--- Prints what is known of an operation or a transform, by its name or itself;
--- without an argument, the names of all of them.
---@param what? any
---@return nil
local function help(what)
  local all = described()
  if what == nil then
    local names = {}
    for name in pairs(all) do names[#names + 1] = name end
    table.sort(names)
    print("help \"name\" tells about one of these; the guide is in docs/.\n\n"
      .. table.concat(names, " "))
    return
  end
  local name = name_of(what, all)
  if not name or not all[name] then
    local names = {}
    for n in pairs(all) do names[#names + 1] = n end
    print(("There is no help for %s%s. The guide is in docs/."):format(
      name or check.describe(what), name and check.did_you_mean(name, names)
      or ""))
    return
  end
  print(text_of(name, all[name]))
end

return help
