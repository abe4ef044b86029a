-- check.lua -- the arguments of public functions: names, types, defaults.
--
-- A function describes its arguments once, in order:
--   local args = check.spec("Linear", {
--     {"in_features", "integer", required = true, min = 1},
--     {"out_features", "integer", required = true, min = 1},
--     {"bias", "boolean", true},
--   })
-- and args(...) reads what it was given: values by place, then options by
-- name in one table; or all in one table, whose list part counts by place:
--   Linear(3, 4, {bias = false})   Linear{3, 4, bias = false}
-- A pair alone needs its name: AvgPool{kernel_size = {2, 3}}.
-- Errors point at the line of the user, not of the library.
local core = require "sota.core"

local check = {}

local library = debug.getinfo(1, "S").source:match "^(.*)check%.lua$"
core.library(library) -- tracebacks leave it out

-- Level, for its caller's error(), of the innermost function outside the
-- library.
local function user_level()
  for level = 3, 64 do
    local info = debug.getinfo(level, "S")
    if not info then return 1 end
    local ours = info.source:sub(1, #library) == library
    if info.what ~= "C" and not ours then return level - 1 end
  end
  return 1
end

--- Raises a formatted error that points at the user's line.
---@param fmt string
function check.fail(fmt, ...)
  local message = select("#", ...) > 0 and fmt:format(...) or fmt
  error(message, user_level())
end

--- f(...) of the core; its errors point at the user's line too.
---@param f function
function check.call(f, ...)
  local results = table.pack(pcall(f, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  if type(results[2]) == "string" then check.fail("%s", results[2]) end
  error(results[2], 0)
end

--- "; did you mean 'x'?" or "", for messages.
---@param key string
---@param names string[]
---@return string
function check.did_you_mean(key, names)
  local near = core.nearest(key, names)
  return near and ("; did you mean '%s'?"):format(near) or ""
end

local function is_callable(v)
  local meta = getmetatable(v)
  return type(v) == "function" or (type(meta) == "table" and meta.__call ~= nil)
end

local function is_module(v)
  local meta = type(v) == "table" and getmetatable(v)
  return type(meta) == "table" and meta.is_module == true
end

local is = {
  any = function() return true end,
  integer = function(v) return math.type(v) == "integer" end,
  number = function(v) return type(v) == "number" end,
  boolean = function(v) return type(v) == "boolean" end,
  string = function(v) return type(v) == "string" end,
  table = function(v) return type(v) == "table" end,
  tensor = core.is_tensor,
  callable = is_callable,
  module = is_module,
  size = function(v) -- one number, or {height, width}
    if type(v) ~= "table" then return math.type(v) == "integer" end
    return #v == 2 and math.type(v[1]) == "integer"
      and math.type(v[2]) == "integer"
  end,
}

local described = {
  integer = "a whole number", number = "a number", boolean = "true or false",
  string = "a string", table = "a table", tensor = "a tensor",
  callable = "a function", module = "a module",
  size = "a whole number or {height, width}",
}

--- Another word for the types of arguments.
---@param kind string letters only
---@param f fun(v: any): boolean
---@param text string what such a value is, for messages
function check.add_kind(kind, f, text) is[kind], described[kind] = f, text end

--- "a number, a tensor, nil...": what v is, for messages.
function check.describe(v)
  if core.is_tensor(v) then return "a tensor" end
  if is_module(v) then return "a module" end
  if type(v) == "string" then return ("%q"):format(v) end
  if type(v) == "number" or type(v) == "boolean" or v == nil then
    return tostring(v)
  end
  return "a " .. type(v)
end

local function wanted(kinds)
  local list = {}
  for kind in kinds:gmatch "%w+" do
    list[#list + 1] = described[kind] or kind
  end
  return table.concat(list, " or ")
end

local function in_range(p, v)
  if type(v) == "table" then return in_range(p, v[1]) and in_range(p, v[2]) end
  if type(v) ~= "number" then return true end
  return (not p.min or v >= p.min) and (not p.max or v <= p.max)
end

local function check_value(what, p, v)
  local ok = false
  for kind in p[2]:gmatch "%w+" do ok = ok or is[kind](v) end
  if not ok then
    check.fail("%s: '%s' must be %s, not %s", what, p[1], wanted(p[2]),
      check.describe(v))
  end
  if not in_range(p, v) then
    check.fail("%s: '%s' must be %s%s, not %s", what, p[1],
      p.min and "at least " .. p.min or "",
      p.max and (p.min and " and " or "") .. "at most " .. p.max or "",
      check.describe(v))
  end
  if p.choices then
    for _, choice in ipairs(p.choices) do if choice == v then return end end
    if type(v) ~= "string" then return end
    check.fail("%s: '%s' must be one of %s, not %q%s", what, p[1],
      table.concat(p.choices, ", "), v, check.did_you_mean(v, p.choices))
  end
end

-- A plain table that has named values, or nothing at all.
local function is_options(v)
  if type(v) ~= "table" or getmetatable(v) then return false end
  if next(v) == nil then return true end
  for k in pairs(v) do if type(k) == "string" then return true end end
  return false
end

-- Copies options by name and by place from a table.
local function take_table(spec, given, into)
  local n = #given
  if n > #spec then check.fail("%s: too many arguments", spec.what) end
  for i = 1, n do into[spec[i][1]] = given[i] end
  for k, v in pairs(given) do
    if type(k) == "string" then
      if not spec.index[k] then
        check.fail("%s: unknown option '%s'%s", spec.what, k,
          check.did_you_mean(k, spec.names))
      end
      into[k] = v
    elseif math.type(k) ~= "integer" or k < 1 or k > n then
      check.fail("%s: option names are strings", spec.what)
    end
  end
end

local function read(spec, ...)
  local n, into = select("#", ...), {}
  local last = n > 0 and select(n, ...)
  local only_table = n == 1 and type(last) == "table" and not getmetatable(last)
  if n > 0 and (only_table or is_options(last)) then
    if n > 1 and #last > 0 then
      check.fail("%s: give values by place before the table or in it",
        spec.what)
    end
    take_table(spec, last, into)
    n = n - 1
  end
  if n > #spec then check.fail("%s: too many arguments", spec.what) end
  for i = 1, n do
    local v = select(i, ...)
    if v ~= nil then into[spec[i][1]] = v end
  end
  for _, p in ipairs(spec) do
    local name = p[1]
    if into[name] == nil then into[name] = p[3] end
    if into[name] ~= nil and into[name] ~= p[3] then
      check_value(spec.what, p, into[name])
    elseif p.required and into[name] == nil then
      check.fail("%s: '%s' is missing: %s", spec.what, name, wanted(p[2]))
    end
  end
  return into
end

local spec_meta = {
  __call = function(spec, ...) return read(spec, ...) end,
}

--- Describes the arguments of `what`. Each is {name, type, default}, and may
--- have required, min, max, choices, and help. A type is one of the words in
--- `is`, or several with "|" between. The result is called with the arguments.
---@param what string name of the function, for messages
---@param list table[]
---@return fun(...): table
function check.spec(what, list)
  local spec = setmetatable(list, spec_meta)
  spec.what, spec.names, spec.index = what, {}, {}
  for i, p in ipairs(list) do
    spec.names[i], spec.index[p[1]] = p[1], i
  end
  return spec
end

--- Is v what check.spec made?
function check.is_spec(v) return getmetatable(v) == spec_meta end

--- The descriptions of a spec's arguments, as core.ops() has them of options.
---@param spec table
---@return table[]
function check.options_of(spec)
  local options = {}
  for i, p in ipairs(spec) do
    options[i] = {name = p[1], help = p.help, type = p[2], default = p[3],
                  required = p.required, min = p.min,
                  max = p.max or p.min and 1e15, names = p.choices}
  end
  return options
end

-- What check.public described, by name.
local functions = {}

--- As check.spec, for a function whose description is not in a comment above
--- it (help/source.lua): about has it. Each argument has a help text too.
---@param what string
---@param list table[]
---@param about {help: string, example: string}
---@return fun(...): table
function check.public(what, list, about)
  local spec = check.spec(what, list)
  functions[what] = {name = what, help = about.help, example = about.example,
                     options = check.options_of(spec)}
  return spec
end

--- What check.public was told of so far, by name.
---@return table<string, table>
function check.functions() return functions end

return check
