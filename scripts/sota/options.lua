--- Options of a script: `--name value` on its command line, typed, with --help.
--
--   local opt = sota.options{
--     "Trains an xresnet on Imagenette.",
--     {"data", "demo", "a folder with train/ and val/, or \"demo\""},
--     {"epochs", 5, "how long to train"},
--     {"arch", "xresnet18", "the network", choices = {"xresnet18", "xresnet50"}},
--     {"mixup", false, "mix pairs of images"},
--     {"stages", {"fit", "tta"}, "what to do", choices = {"fit", "tta"}},
--     {"out", "string", "where to save", optional = true},
--   }
--   print(opt.data, opt.epochs)
--
-- The type of an option is that of its default. `item-size` on the command line
-- is opt.item_size in Lua. true/false options are --mixup and --no-mixup. A
-- default that is a list makes a list: --stages fit,tta. With
-- `optional = true` the second field names the type and the default is nil.
-- What is left on the command line is opt[1], opt[2], ...
local core = require "sota.core"

local EXIT_USAGE = 2

local function kind_of(o)
  if o.optional then return o[2] end
  local k = type(o[2])
  if k == "table" then return "list" end
  return k == "number" and math.type(o[2]) == "integer" and "integer" or k
end

local function flag(o) return "--" .. o[1]:gsub("_", "-") end

local function default_text(v)
  return type(v) == "table" and table.concat(v, ",") or tostring(v)
end

local function help_text(spec, script)
  local lines = {spec[1] or "", "", "usage: sota-lua " .. script .. " [options]", ""}
  for i = 2, #spec do
    local o = spec[i]
    local kind, default = kind_of(o), o[2]
    local left = kind ~= "boolean" and flag(o) .. " " .. kind:upper():sub(1, 3)
        or (default == true and "--[no-]" .. flag(o):sub(3) or flag(o))
    local right = o[3] or ""
    if o.choices then right = right .. ": " .. table.concat(o.choices, ", ") end
    if not o.optional then right = ("%s (default %s)"):format(right, default_text(default)) end
    lines[#lines + 1] = ("  %-22s %s"):format(left, right)
  end
  lines[#lines + 1] = ("  %-22s %s"):format("--help", "this")
  return table.concat(lines, "\n")
end

local function fault(fmt, ...) error({usage = fmt:format(...)}, 0) end

local converters = {
  string = function(v) return v end,
  number = function(v) return tonumber(v) end,
  integer = function(v)
    local n = tonumber(v)
    return n and math.tointeger(n)
  end,
  list = function(v)
    local list = {}
    for item in v:gmatch "[^,]+" do list[#list + 1] = item end
    return #list > 0 and list or nil
  end,
  boolean = function(v)
    if v == "true" or v == "yes" or v == "1" then return true end
    if v == "false" or v == "no" or v == "0" then return false end
  end,
}

local articles = {string = "a string", number = "a number", integer = "a whole number",
                  boolean = "true or false", list = "values with commas between them"}

local function check_choice(o, value)
  for _, c in ipairs(o.choices) do if c == value then return end end
  local text = tostring(value)
  local near = core.nearest(text, o.choices)
  fault("%s: there is no '%s'%s; there are: %s", flag(o), text,
        near and (", did you mean '%s'?"):format(near) or "", table.concat(o.choices, ", "))
end

local function convert(o, text)
  local kind = kind_of(o)
  local v = converters[kind](text)
  if v == nil then fault("%s wants %s, not '%s'", flag(o), articles[kind], text) end
  if o.choices then
    for _, item in ipairs(kind == "list" and v or {v}) do check_choice(o, item) end
  end
  return v
end

--- Finds option `name` (without dashes); false as second result for --no-name.
local function find(spec, name)
  local key = name:gsub("-", "_")
  local names = {"help"}
  for i = 2, #spec do
    local o = spec[i]
    local this = o[1]:gsub("-", "_")
    if this == key then return o, true end
    if "no_" .. this == key and kind_of(o) == "boolean" then return o, false end
    names[#names + 1] = (this:gsub("_", "-"))
  end
  local near = core.nearest(name, names)
  fault("unknown option --%s%s", name, near and ("; did you mean --%s?"):format(near) or "; see --help")
end

local function parse(spec, args)
  local values, rest = {}, {}
  for i = 2, #spec do
    local o = spec[i]
    assert(converters[kind_of(o)], "options: the default of '" .. o[1] .. "' has no usable type")
    if not o.optional then values[o[1]:gsub("-", "_")] = o[2] end
  end
  local i = 1
  while i <= #args do
    local a = args[i]
    local name, value = a:match "^%-%-([%w_-]+)=(.*)$"
    name = name or a:match "^%-%-([%w_-]+)$"
    if a == "--" then
      table.move(args, i + 1, #args, #rest + 1, rest)
      break
    elseif name == "help" then
      return nil
    elseif name then
      local o, on = find(spec, name)
      local key = o[1]:gsub("-", "_")
      if kind_of(o) == "boolean" and not value then
        values[key] = on
      else
        if not value then
          i = i + 1
          value = args[i]
          if not value then fault("a value is missing after %s", a) end
        end
        values[key] = convert(o, value)
      end
    elseif a:match "^%-%-?%w" and not tonumber(a) then
      fault("unknown option %s; see --help", a)
    else
      rest[#rest + 1] = a
    end
    i = i + 1
  end
  if #rest > 0 and not spec.rest then
    fault("unexpected argument '%s'; options are --name value", rest[1])
  end
  return table.move(rest, 1, #rest, 1, values)
end

--- Reads the script's options from the global `arg` (or from `args`, a list).
-- --help prints and leaves with 0; a wrong option prints one sentence and
-- leaves with 2. With `args` given, neither leaves: returns nil and the text.
---@param spec table  the description: see above; `rest = true` allows other arguments
---@param args? string[]
---@return table|nil values, string|nil text
---@example sota.options({"Says hello.", {"name", "you", "whom to greet"}}, {"--name", "Ada"})
return function(spec, args)
  local script = arg and arg[0] or "script.lua"
  local ok, values = pcall(parse, spec, args or arg or {})
  if ok and values then return values end
  if not ok and not (type(values) == "table" and values.usage) then error(values, 0) end
  local text = ok and help_text(spec, script)
      or ("%s: %s"):format(script:match "[^/]*$", values.usage)
  if args then return nil, text end
  if ok then print(text) else io.stderr:write(text, "\n") end
  os.exit(ok and 0 or EXIT_USAGE, true)
end
