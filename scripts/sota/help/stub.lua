-- help/stub.lua -- a LuaCATS file for lua-language-server: what editors complete,
-- option names inside { } among it, and show when the mouse rests on a name.
local core = require "sota.core"
local entries = require "sota.help.entries"
local text = require "sota.help.text"

local types = {tensor = "Tensor", module = "Module", callable = "function",
  size = "integer|integer[]", ["integer[]"] = "integer|integer[]", rate = "number|number[]|table", any = "any"}

-- What calling a class of these groups makes.
local makes = {Layers = "Module", Models = "Module", Losses = "Loss",
  Callbacks = "CallbackObject", Data = "Transform", Metrics = "any",
  ["Optimisers and rates"] = "OptimiserKind"}

-- Where a group's names lie.
local places = {Layers = "sota.", Losses = "sota.losses.", Metrics = "sota.metrics.",
  Data = "sota.data.", Callbacks = "sota.callbacks.", Models = "sota.models.",
  ["Optimisers and rates"] = "sota.optim.", ["Model files"] = "sota.model_file.",
  ["Ready-made data sets"] = "sota.data.", Pictures = "sota.draw.",
  ["Statistics of Normalize"] = "sota.data.", Charts = "sota.draw.",
  Interpretation = "sota."}

local function type_of(o)
  if o.names then
    local list = {}
    for i, name in ipairs(o.names) do list[i] = '"' .. name .. '"' end
    local other = (o.type or ""):find "callable" and "|function" or ""
    return table.concat(list, "|") .. other
  end
  local kinds = {}
  for word in (o.type or "any"):gmatch "[^|%s]+" do
    kinds[#kinds + 1] = types[word] or word
  end
  return table.concat(kinds, "|")
end

local function one_line(s) return (s:gsub("%s+", " ")) end

-- The operation flip and the transform Flip have options of different names.
local function class_name(e)
  local kind = e.kind == "operation" and "Operation" or ""
  return kind .. (e.name:gsub("(%w+)", function(w) return w:gsub("^%l", string.upper) end)
    :gsub("[^%w_]", "")) .. "Options"
end

-- ---@class FitOptions with a field for each option; once.
local function options_class(e, out)
  if #e.options == 0 then return nil end
  local name = class_name(e)
  if e.has_class then return name end
  e.has_class = true
  out("---@class " .. name)
  for _, o in ipairs(e.options) do
    local facts = text.facts(o)
    out(("---@field %s? %s %s%s"):format(o.name, type_of(o),
      one_line(o.help or ""), facts ~= "" and " (" .. facts .. ")" or ""))
  end
  out ""
  return name
end

-- Arguments by place, with types.
local function arguments_of(e)
  local list, by_name = {}, {}
  for _, o in ipairs(e.options) do by_name[o.name] = o end
  if e.kind == "operation" then
    local optional = false
    for bracket, name in (e.args[1] or ""):gmatch "(%[?)[%s,]*([%a_][%w_]*)" do
      optional = optional or bracket == "["
      list[#list + 1] = {name, "Tensor|number", optional, ""}
    end
    return list
  end
  for _, p in ipairs(e.params or {}) do
    if p.name ~= "options" then
      list[#list + 1] = {p.name, p.type, p.optional, p.text}
      by_name[p.name] = nil
    end
  end
  if #list > 0 then return list end
  for _, o in ipairs(e.spec and e.options or {}) do
    if o.required then list[#list + 1] = {o.name, type_of(o), false, o.help or ""} end
  end
  if #list > 0 or e.spec then return list end
  for _, name in ipairs(e.args) do
    if name ~= "options" then list[#list + 1] = {name, "any", true, ""} end
  end
  return list
end

local function returns_of(e)
  if #(e.returns or {}) > 0 then return e.returns end
  if e.described and e.kind == "operation" then return {"Tensor"} end
  local made = e.kind ~= "function" and makes[e.title]
    or e.title == "Models" and "Module"
  return made and {made} or {}
end

local function describe(e, out)
  out("--- " .. one_line(e.help))
  local example = text.example(e)
  for line in example:gmatch "[^\n]+" do out("---     " .. line) end
  out(("--- [%s](docs/%s)"):format(e.page, e.page))
end

local function write_function(e, path, out, skip_first)
  local options = options_class(e, out)
  describe(e, out)
  local args, names = arguments_of(e), {}
  for i = skip_first and 2 or 1, #args do
    local a = args[i]
    names[#names + 1] = a[1]
    out(("---@param %s%s %s %s"):format(a[1], a[1] ~= "..." and a[3] and "?" or "",
      a[2], one_line(a[4])))
  end
  if options then
    names[#names + 1] = "options"
    out("---@param options? " .. options)
  end
  local returns = returns_of(e)
  for _, r in ipairs(returns) do out("---@return " .. r) end
  if options and e.spec then
    local self = path:find ":" and "self, " or ""
    out(("---@overload fun(%soptions: %s): %s"):format(self, options,
      returns[1] and returns[1]:match "^[%w_|%[%]]+" or "any"))
  end
  if names[#names - 1] == "..." then table.remove(names) end
  out(("function %s(%s) end\n"):format(path, table.concat(names, ", ")))
end

-- A class that has functions of its own beside being called.
local has_fields = {Normalize = true, Learner = true}

local learner_fields = {"dls DataLoaders", "model Module", "recorder Recorder",
  "opt userdata", "metrics table", "cbs table"}

local function write_maker(e, path, out)
  local options = options_class(e, out)
  describe(e, out)
  local made = e.short == "Learner" and "Learner" or returns_of(e)[1] or "any"
  local list = {}
  for _, a in ipairs(e.short == "Learner" and arguments_of(e) or {}) do
    list[#list + 1] = a[1] .. ": " .. a[2]
  end
  if options then list[#list + 1] = "options?: " .. options end
  out("---@class " .. e.short)
  out(("---@overload fun(%s): %s"):format(table.concat(list, ", "), made))
  for _, field in ipairs(e.short == "Learner" and learner_fields or {}) do
    out("---@field " .. field)
  end
  out(path .. " = {}\n")
end

local header = [[
---@meta sota
-- Made by sota-lua --stub from the library's own descriptions: do not edit.

---@class Tensor
---@operator add(Tensor|number): Tensor
---@operator sub(Tensor|number): Tensor
---@operator mul(Tensor|number): Tensor
---@operator div(Tensor|number): Tensor
---@operator pow(Tensor|number): Tensor
---@operator unm: Tensor
---@operator len: integer
---@field [integer] Tensor|number
local Tensor = {}
---@alias tensor Tensor

---@class Module
---@overload fun(x: Tensor, ...): Tensor
---@field training boolean
local Module = {}
---@alias module Module

---@class Loss
---@overload fun(logits: Tensor, targets: Tensor): Tensor
---@class Transform
---@class CallbackObject
---@class OptimiserKind
---@overload fun(options: table): OptimiserKind
---@class Schedule
---@overload fun(position: number): number
---@alias schedule Schedule
---@alias optimiser userdata
---@alias files userdata
---@alias Container Module

---@class DataLoader
---@operator len: integer
---@field bs integer
local DataLoader = {}

---@class DataLoaders
---@field train DataLoader
---@field valid DataLoader
---@field c integer the number of classes
---@field vocab userdata their names
local DataLoaders = {}

---@class DataBlock
local DataBlock = {}

---@class lr_find
---@field lrs number[]
---@field losses number[]
local lr_find = {}

---@class ActivationStats
local ActivationStats = {}

---@class Recorder
---@field losses number[]
---@field lrs number[]
---@field moms number[]
---@field values table[]
local Recorder = {}

---@class sota
sota = {nn = {}, data = {ImageDataLoaders = {}}, losses = {}, metrics = {},
  callbacks = {}, models = {}, optim = {}, model_file = {}, schedule = {},
  json = {}, safetensors = {}, version = ""}
sota.draw = {Picture = {}, Chart = {}}

---@class Picture
local Picture = sota.draw.Picture
---@class Chart
local Chart = sota.draw.Chart
---@class Interpretation
sota.Interpretation = {}
local Interpretation = sota.Interpretation
]]

-- The path of an entry in the stub.
local function path_of(e)
  if e.object then return (e.name:gsub("^ImageDataLoaders", "sota.data.%0")
    :gsub("^Normalize", "sota.data.%0"):gsub("^Learner", "sota.%0")) end
  if e.title == "Models" and e.name:find "^models%." then return "sota." .. e.name end
  return (places[e.title] or "sota.") .. e.name
end

local function write_entry(e, out)
  local path = path_of(e)
  if e.kind == "value" then
    describe(e, out)
    out(("---@type %s\n%s = nil\n"):format(type(e.value) == "table" and "table"
      or type(e.value), path))
  elseif e.same_as then
    out(("--- The same as %s.\n%s = %s\n"):format(e.same_as.name, path,
      path_of(e.same_as)))
  elseif has_fields[e.short] and not e.object then
    write_maker(e, path, out)
  else
    write_function(e, path, out)
    if e.kind == "operation" and core.tensor_meta.methods[e.short] then
      write_function(e, "Tensor:" .. e.short, out, true)
    end
  end
end

-- Names that require "sota.all" makes global.
local function write_globals(out)
  out "-- require \"sota.all\" makes these global.\nnn = sota.nn"
  out "ImageDataLoaders = sota.data.ImageDataLoaders"
  local seen = {}
  for _, e in ipairs(entries.all()) do
    local is_global = rawget(_G, e.short) ~= nil
      and rawequal(rawget(_G, e.short), e.value)
    if is_global and not e.object and not seen[e.short] then
      seen[e.short] = true
      out(e.short .. " = " .. path_of(e))
    end
  end
  out "Interpretation = sota.Interpretation\n\nreturn sota"
end

--- The text of the stub.
---@return string
return function()
  require "sota.all"
  local lines = {header}
  local function out(line) lines[#lines + 1] = line:gsub("[ \t]+\n", "\n"):gsub("[ \t]+$", "") end
  local main, same = {}, {}
  for _, e in ipairs(entries.all()) do
    table.insert(e.same_as and same or main, e)
  end
  for _, e in ipairs(main) do write_entry(e, out) end
  for _, e in ipairs(same) do write_entry(e, out) end
  write_globals(out)
  return table.concat(lines, "\n") .. "\n"
end
