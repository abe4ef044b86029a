-- help/entries.lua -- what there is to say of each public name: gathered from
-- the engine's descriptions (operations, transforms), from check.spec and
-- check.public, and from the comments above the definitions.
--
-- An entry: {name = "Learner:fit", short = "fit", kind =, value =, args = names
-- of arguments, params =, options = list of {name, help, type, default, min, max,
-- names, required}, returns =, help =, example =, page =, object =, group =,
-- same_as = the entry it is another name of, inner = not for help()'s list}.
local core = require "sota.core"
local check = require "sota.check"
local groups = require "sota.help.groups"
local source = require "sota.help.source"
local words = require "sota.help.words"
local about_model = require "sota.models.about"

local entries = {}

-- --- where descriptions stand --------------------------------------------------

local library = debug.getinfo(1, "S").source:match "^@(.*)help/entries%.lua$"

local function lua_files(folder, into)
  for _, name in ipairs(core.list_dir(folder) or {}) do
    if name:find "%.lua$" then
      into[#into + 1] = folder .. name
    elseif not name:find "%." then
      lua_files(folder .. name .. "/", into)
    end
  end
  return into
end

local by_name -- bare name -> blocks of all files that describe such a name

local function blocks_called(name)
  if not by_name then
    by_name = {}
    for _, path in ipairs(lua_files(library, {})) do
      for _, block in ipairs(source.blocks(path)) do
        for n in pairs(block.names) do
          by_name[n] = by_name[n] or {}
          table.insert(by_name[n], block)
        end
      end
    end
  end
  return by_name[name] or {}
end

-- The file in which a class is made: that of one of its methods.
local function file_of(value)
  if type(value) ~= "table" then return nil end
  for _, key in ipairs{"init", "forward", "__call", "__tostring", "before_batch",
                       "after_epoch", "before_fit", "configure"} do
    local f = rawget(value, key)
    local path = type(f) == "function"
      and debug.getinfo(f, "S").source:match "^@(.*)$"
    if path then return path end
  end
end

-- Descriptions of C's functions: help/core.lua.
local function of_core(name)
  return source.named(library .. "help/core.lua", name)
end

local function find_block(e)
  local value = e.value
  if type(value) == "function" and debug.getinfo(value, "S").what ~= "C" then
    local block = source.of_function(value)
    if block and block.text ~= "" then return block end
  end
  local init = type(value) == "table" and rawget(value, "init")
  local meta = type(value) == "table" and getmetatable(value)
  local call = type(meta) == "table" and rawget(meta, "__call")
  for _, f in ipairs{init or false, e.title == "Learner" and call or false} do
    local made = type(f) == "function" and source.of_function(f)
    if made and made.text ~= "" then return made end
  end
  local block = of_core(e.name) or of_core("core." .. e.name)
  if block then return block end
  local list, file = blocks_called(e.short), file_of(value)
  for _, b in ipairs(list) do if b.path == file then return b end end
  for _, b in ipairs(list) do
    local is_metric = e.title == "Metrics" and b.path:find "metrics%.lua$"
    if is_metric and not b.names["local"] then return b end
  end
  if type(value) == "function" then return nil end
  for _, b in ipairs(list) do
    if not b.names["local"] then return b end
  end
  return list[1]
end

-- --- arguments -----------------------------------------------------------------

local function upvalue_spec(f)
  for i = 1, 60 do
    local name, v = debug.getupvalue(f, i)
    if not name then return nil end
    if check.is_spec(v) then return v end
  end
end

-- The spec that reads a function's arguments: what it refers to.
local function spec_of(value)
  if type(value) == "function" then
    local spec = upvalue_spec(value)
    if spec then return spec end
    for i = 1, 60 do -- models: a constructor refers to its class
      local name, v = debug.getupvalue(value, i)
      if not name then return nil end
      if name == "class" and type(v) == "table" and type(v.init) == "function"
      then
        return upvalue_spec(v.init)
      end
    end
  elseif type(value) == "table" then
    if check.is_spec(rawget(value, "arguments")) then
      return rawget(value, "arguments")
    end
    local init = rawget(value, "init")
    local spec = type(init) == "function" and upvalue_spec(init)
    if spec then return spec end
    local meta = getmetatable(value)
    local call = type(meta) == "table" and rawget(meta, "__call")
    return type(call) == "function" and upvalue_spec(call) or nil
  end
end

local function argument_names(f)
  local names, i = {}, 1
  while true do
    local name = debug.getlocal(f, i)
    if not name then break end
    if name ~= "self" then names[#names + 1] = name end
    i = i + 1
  end
  if debug.getinfo(f, "u").isvararg then names[#names + 1] = "..." end
  return names
end

-- "{wd: number, cbs: any}" of a comment, as options.
local function options_of_type(text)
  local list = {}
  local inner = text:match "^{(.*)}$"
  if not inner or inner:find "^%[" then return list end
  local depth, start = 0, 1
  for i = 1, #inner + 1 do
    local c = i > #inner and "," or inner:sub(i, i)
    if c:find "[{(<]" then depth = depth + 1 end
    if c:find "[})>]" then depth = depth - 1 end
    if c == "," and depth == 0 then
      local name, kind = inner:sub(start, i - 1):match "^%s*([%w_]+)%??%s*:%s*(.-)%s*$"
      if name then list[#list + 1] = {name = name, type = kind} end
      start = i + 1
    end
  end
  return list
end

-- A text for each option: its own, the comment's, or the usual one.
local function explain(options, block)
  local told = {}
  for _, f in ipairs(block and block.fields or {}) do told[f.name] = f.text end
  for _, p in ipairs(block and block.params or {}) do
    if p.text ~= "" then told[p.name] = p.text end
  end
  for _, o in ipairs(options) do
    o.help = o.help or told[o.name] or words[o.name]
  end
  return options
end

-- A constructor's options without those that make it what it is: models.
local function without_fixed(options, value)
  if type(value) ~= "function" then return options end
  for i = 1, 60 do
    local name, fixed = debug.getupvalue(value, i)
    if not name then return options end
    if name == "fixed" and type(fixed) == "table" then
      local list = {}
      for _, o in ipairs(options) do
        if fixed[o.name] == nil then list[#list + 1] = o end
      end
      return list
    end
  end
  return options
end

local function options_of(spec, block, value)
  if spec then return without_fixed(check.options_of(spec), value) end
  for _, p in ipairs(block and block.params or {}) do
    if p.name == "options" then return options_of_type(p.type) end
  end
  local list = {}
  for i, f in ipairs(block and block.fields or {}) do
    list[i] = {name = f.name, type = f.type}
  end
  return list
end

-- --- entries -------------------------------------------------------------------

local function kind_of(e)
  local v = e.value
  if e.object then return "method of " .. e.object end
  if type(v) == "function" then return "function" end
  local meta = type(v) == "table" and getmetatable(v)
  if type(meta) == "table" and rawget(meta, "__call") then
    return e.title == "Optimisers and rates" and "optimiser"
      or e.title == "Metrics" and "metric" or "class"
  end
  return "value"
end

local function add_described(e, d, kind)
  e.kind, e.help, e.example = kind, d.help, d.example
  e.spec = kind ~= "operation"
  e.args = d.args and {d.args} or {}
  e.options = explain(d.options or {})
  return e
end

local function sorted_names(t)
  local names = {}
  for name in next, t do
    if type(name) == "string" and not name:find "^_" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- What the engine says of an optimiser, and what its options start with.
local function add_optimiser(e)
  for _, kind in ipairs(core.optim.kinds()) do
    if kind.name == e.value.kind then
      e.help = kind.help:gsub("^%l", string.upper) .. "."
      for _, name in ipairs(sorted_names(kind.defaults)) do
        e.options[#e.options + 1] = {name = name, type = "number",
          default = kind.defaults[name], help = words[name]}
      end
      e.example = ("Learner(dls, model, {opt_func = %s})"):format(e.short)
    end
  end
end

-- Does a function only hand on its arguments? Then the description of its name
-- is that of the one it calls: learn:show_batch(...).
local function passes_on(f)
  return type(f) == "function" and debug.getinfo(f, "u").isvararg
end

local function complete(e)
  local block = find_block(e)
  local spec = spec_of(e.value)
  local public = check.functions()[spec and spec.what or e.short]
    or check.functions()[tostring(e.object) .. " " .. e.short]
  local own = public and (not spec or public.name == spec.what) and public
  if own and not spec and not passes_on(e.value) then own = nil end
  e.kind = kind_of(e)
  e.help = own and own.help or block and block.text ~= "" and block.text or nil
  e.example = block and block.example or own and own.example
  e.params, e.returns = block and block.params or {}, block and block.returns or {}
  e.options = explain(own and own.options or options_of(spec, block, e.value), block)
  e.spec, e.block = spec ~= nil or own ~= nil, block
  if type(e.value) == "function" and debug.getinfo(e.value, "S").what ~= "C" then
    e.args = argument_names(e.value)
  else
    e.args = {}
    for i, p in ipairs(e.params) do e.args[i] = p.name end
  end
  if e.kind == "optimiser" then add_optimiser(e) end
  if e.title == "Models" and e.name == e.short and e.kind == "function" then
    e.help = about_model(e.short) or e.help
    e.example = e.example or ("%s{n_out = 10}"):format(e.short)
  end
  return e
end

local function transforms()
  local all = {}
  for _, d in ipairs(core.data.transforms()) do all[d.name] = {d, "item transform"} end
  for _, d in ipairs(core.augment.transforms()) do
    all[d.name] = all[d.name] or {d, "batch transform"}
  end
  return all
end

local function operations()
  local all = {}
  for _, d in ipairs(core.ops()) do all[d.name] = d end
  return all
end

local list, index

-- Of a class's functions, those that make an object are called with a dot.
local makes = {new = true, from_learner = true, panels = true}

local function prefix_of(group, short)
  return makes[short] and group.prefix:gsub(":$", ".") or group.prefix
end

local function add_group(group, tfms, ops)
  for _, short in ipairs(sorted_names(group.values)) do
    if not group.hidden[short] then
      local e = {name = prefix_of(group, short) .. short, short = short:match "[%w_]+$",
                 value = group.values[short], object = group.object,
                 title = group.title, page = group.pages[short] or group.page,
                 inner = group.inner}
      if group.title == "Operations" then
        add_described(e, ops[short], "operation")
      elseif group.title == "Data" and tfms[short] then
        add_described(e, tfms[short][1], tfms[short][2])
        local block = of_core(short)
        e.example = e.example or block and block.example
      else
        complete(e)
      end
      list[#list + 1] = e
    end
  end
end

-- A value with several names: the others are the same as its own name, or as
-- the first of them.
local function mark_same()
  local first = {}
  for _, e in ipairs(list) do
    local v = e.value
    local counts = type(v) == "table" or type(v) == "function"
    local own = counts and type(v) == "table" and rawget(v, "name")
    if counts and (not first[v] or own == e.short) then first[v] = e end
  end
  for _, e in ipairs(list) do
    local main = first[e.value]
    if main and main ~= e then
      e.same_as = main
      e.help, e.example = e.help or main.help, e.example or main.example
      e.options = #e.options > 0 and e.options or main.options
    end
  end
end

--- All entries, in the order of the reference.
---@return table[]
function entries.all()
  if list then return list end
  list, index = {}, {}
  local tfms, ops = transforms(), operations()
  for _, group in ipairs(groups()) do add_group(group, tfms, ops) end
  mark_same()
  for _, e in ipairs(list) do
    index[e.name] = index[e.name] or e
    index[e.short] = index[e.short] or e
  end
  return list
end

--- The entry of a name: "Learner:fit", "fit", "nn.Linear", "Linear".
---@param name string
---@return table?
function entries.named(name)
  entries.all()
  return index[name] or index[name:gsub("^sota%.", "")]
    or index[(name:gsub("%.([%w_]+)$", ":%1"))]
end

--- The methods of a class, by its name.
---@param class string such as "Learner"
---@return table[]
function entries.methods(class)
  local methods = {}
  for _, e in ipairs(entries.all()) do
    if e.object == class then methods[#methods + 1] = e end
  end
  return methods
end

--- The name of a value's class, if it is one that has methods here.
---@param value any
---@return string?
function entries.class_of(value)
  local meta = debug.getmetatable(value)
  if core.is_tensor(value) then return "Tensor" end
  if type(meta) ~= "table" then return nil end
  if meta == core.recorder_meta then return "Recorder" end
  local name = rawget(meta, "__name")
  if type(name) == "string" and #entries.methods(name) > 0 then return name end
  if meta.is_module == true then return "Module" end
end

--- The entry of a value, or nil.
---@param value any
---@return table?
function entries.of(value)
  for _, e in ipairs(entries.all()) do
    if rawequal(e.value, value) then return e end
  end
  local meta = debug.getmetatable(value)
  if type(meta) ~= "table" then return nil end
  for _, e in ipairs(list) do
    if rawequal(e.value, meta) then return e end
  end
  local name = type(value) == "table" and rawget(value, "name")
    or rawget(meta, "__name")
  return type(name) == "string" and index[name] or nil
end

return entries
