-- module.lua -- class Module: registration, calling, walking, modes. See nn.lua
-- for how it is used; module_state.lua and module_text.lua add state_dict and
-- printing.
local core = require "sota.core"
local check = require "sota.check"
local recompute = require "sota.recompute"

local nn = {}

--- What a parameter's tensor carries besides its values.
local layouts = setmetatable({}, {__mode = "k"})
local is_parameter = setmetatable({}, {__mode = "k"})

--- A tensor that is trained: requires a gradient, and is registered by the
--- module it is assigned to.
---@param t tensor
---@param options? {layout: string} "OHWI" for weights of convolutions
---@return tensor
---@example nn.Parameter(sota.zeros(3))
function nn.Parameter(t, options)
  if not core.is_tensor(t) then
    check.fail("Parameter: wants a tensor, not %s", check.describe(t))
  end
  is_parameter[t] = true
  layouts[t] = options and options.layout
  return t:requires_grad(true):keep()
end

--- What layers and models are made of: nn.class "Net" makes a class of them.
local Module = {is_module = true, name = "Module", checkpoint = false}
nn.Module = Module

-- Fields of an instance that start with "_" are the protocol's own:
--   _slots  list of {name =, kind =, layout =}, kind "parameter", "buffer" or
--           "child", in the order of definition; also by name
--   _parent, _key  the module it was last assigned to, and as what
--   _path, _path_of  its dotted name, and the parent's that it was made from

--- Is v a module: a layer, a model?
---@example nn.is_module(model)
local function is_module(v)
  local meta = type(v) == "table" and getmetatable(v)
  return type(meta) == "table" and meta.is_module == true
end
nn.is_module = is_module

local function add_slot(self, name, kind, layout)
  local slots = self._slots
  local slot = {name = name, kind = kind, layout = layout}
  slots[#slots + 1], slots[name] = slot, slot
end

local function check_name(self, key)
  if Module[key] ~= nil or key:find("^_") or key:find(".", 1, true) then
    check.fail("%s: a module or parameter cannot be called '%s'", self.name,
      key)
  end
end

-- Only the first assignment of a field comes here; afterwards the slot names
-- the field, and whatever module or tensor stands there counts.
local function register(self, key, value)
  if type(key) ~= "string" then return rawset(self, key, value) end
  if is_module(value) or is_parameter[value] then check_name(self, key) end
  rawset(self, key, value)
  if is_module(value) then
    add_slot(self, key, "child")
    rawset(value, "_parent", self)
    rawset(value, "_key", key)
  elseif is_parameter[value] then
    add_slot(self, key, "parameter", layouts[value])
  elseif type(value) == "table" and not getmetatable(value)
    and is_module(value[1]) and not key:find "^_" then
    check.fail("%s.%s is a plain table of modules, whose parameters would not "
      .. "be found; use nn.ModuleList{...}", self.name, key)
  end
end

--- A tensor that belongs to the state but is not trained.
---@param name string
---@param t tensor
---@example nn.Identity():register_buffer("total", sota.zeros(1))
function Module:register_buffer(name, t)
  check_name(self, name)
  rawset(self, name, t:keep())
  if not self._slots[name] then add_slot(self, name, "buffer") end
end

-- A field that first held false or a number and later a module was not seen by
-- register: find it here, so that no parameter is left out of training.
local function slots_of(self)
  local late = {}
  for key, value in pairs(self) do
    if type(key) == "string" and not self._slots[key] and not key:find "^_"
      and (is_module(value) or is_parameter[value]) then
      late[#late + 1] = key
    end
  end
  table.sort(late)
  for _, key in ipairs(late) do register(self, key, self[key]) end
  return self._slots
end

-- --- calling ---------------------------------------------------------------

local function path_of(m)
  local parent = m._parent
  if not parent then return nil end
  local above = path_of(parent)
  if m._path and m._path_of == above then return m._path end
  local path = above and above .. "." .. m._key or m._key
  rawset(m, "_path", path)
  rawset(m, "_path_of", above)
  return path
end

-- Names of the layers that are running, so that messages can tell where an
-- error came from. The closing variable puts the name back after errors too.
local running, depth = {}, 0
local leave = setmetatable({}, {
  __close = function()
    core.layer(running[depth])
    depth = depth - 1
  end,
})

local watcher

local function watch(m, ...)
  watcher(m, path_of(m), ...)
  return ...
end

function Module.__call(self, ...)
  depth = depth + 1
  running[depth] = core.layer(path_of(self))
  local guard <close> = leave
  if self.checkpoint and self.training and select("#", ...) == 1 then
    return recompute.checkpoint(function(x) return self:forward(x) end, ...)
  end
  if watcher then return watch(self, self:forward(...)) end
  return self:forward(...)
end

--- nn.checkpoint(f, x): f(x), of which backward keeps only x and computes the
--- rest again. module.checkpoint = true does it to a module in training.
nn.checkpoint = recompute.checkpoint

--- Runs f(...); after each module's forward meanwhile, calls
--- hook(module, path, outputs...). Path is nil for the outermost.
---@param hook function
---@param f function
---@example nn.watch(function(m, path) print(path, m.name) end, model, x)
function nn.watch(hook, f, ...)
  local before = watcher
  watcher = hook
  local guard <close> = setmetatable({}, {
    __close = function() watcher = before end,
  })
  return f(...)
end

-- --- classes ---------------------------------------------------------------

local function construct(class, ...)
  local self = setmetatable({_slots = {}, training = true}, class)
  self:init(...)
  return self
end

--- A new class of modules, under base (nn.Module unless given). Define init
--- (self, ...), called by Class(...), and forward(self, x, ...).
---@param name string shown when printed
---@param base? table
---@return table class
---@example local Net = nn.class "Net"
function nn.class(name, base)
  base = base or Module
  local class = {name = name, base = base}
  class.index_of = base.index_of
  class.__index = base.index_of and base.index_of(class) or class
  class.__newindex, class.__call = register, Module.__call
  class.__tostring, class.__len = Module.__tostring, base.__len
  class.__name = name
  return setmetatable(class, {
    __index = base,
    __call = construct,
    __tostring = function() return "class " .. name end,
  })
end

--- Yours to define: what Class(...) calls, with its arguments, to make layers.
---@example local Net = nn.class "Net"; function Net:init(n) self.layer = nn.Linear(n, 2) end
---@example local Net = nn.class("Net", nn.Module)
function Module:init() end

--- Yours to define: what calling the module computes.
---@example local Net = nn.class "Net"; function Net:forward(v) return v:relu() end
function Module:forward()
  check.fail("%s has no forward: define function %s:forward(x)", self.name,
    self.name)
end

--- True for an instance of class or of one made from it.
---@example model:isa(nn.Sequential)
function Module:isa(class)
  local c = getmetatable(self)
  while c do
    if c == class then return true end
    c = rawget(c, "base")
  end
  return false
end

--- True when v is a class made by nn.class.
---@example nn.is_class(nn.Linear)
function nn.is_class(v)
  return type(v) == "table" and rawget(v, "base") ~= nil
    and v.is_module == true
end

-- --- walking ---------------------------------------------------------------

--- visit(name, tensor, owner, slot) for own tensors of the wanted kinds, then
--- the children's, as PyTorch does. For the other files of the protocol.
---@example nn.walk_tensors(model, {"parameter"}, "", function(name, t) print(name, t:numel()) end)
local function walk_tensors(m, kinds, prefix, visit)
  local slots = slots_of(m)
  for _, kind in ipairs(kinds) do
    for _, slot in ipairs(slots) do
      local t = m[slot.name]
      if slot.kind == kind and core.is_tensor(t) then
        visit(prefix .. slot.name, t, m, slot)
      end
    end
  end
  for _, slot in ipairs(slots) do
    local child = m[slot.name]
    if is_module(child) then
      walk_tensors(child, kinds, prefix .. slot.name .. ".", visit)
    end
  end
end

nn.walk_tensors = walk_tensors

local function collect(m, kinds)
  local list, seen = {}, {}
  walk_tensors(m, kinds, "", function(name, t, owner, slot)
    if seen[t] then return end
    seen[t] = true
    list[#list + 1] = {name = name, tensor = t, owner = owner, slot = slot}
  end)
  return list
end

local function each(list)
  local i = 0
  return function()
    i = i + 1
    local e = list[i]
    if e then return e.name, e.tensor, e.owner end
  end
end

--- for name, tensor, owner in m:named_parameters() do: each once.
---@example for name, t in model:named_parameters() do print(name, t:numel()) end
function Module:named_parameters() return each(collect(self, {"parameter"})) end

--- for name, tensor, owner in m:named_buffers() do
---@example for name, t in model:named_buffers() do print(name, t:numel()) end
function Module:named_buffers() return each(collect(self, {"buffer"})) end

--- The list of the parameters' tensors.
---@return tensor[]
---@example #model:parameters()
function Module:parameters()
  local list = {}
  for _, t in self:named_parameters() do list[#list + 1] = t end
  return list
end

--- Number of elements in all parameters, and of those that are trained.
---@return integer all, integer trained
---@example model:count()
function Module:count()
  local all, trained = 0, 0
  for _, t in self:named_parameters() do
    all = all + t:numel()
    if t:requires_grad() then trained = trained + t:numel() end
  end
  return all, trained
end

--- for name, child in m:children() do: in the order of definition.
---@example for name, child in model:children() do print(name, child.name) end
function Module:children()
  local list = {}
  for _, slot in ipairs(slots_of(self)) do
    local child = self[slot.name]
    if is_module(child) then
      list[#list + 1] = {name = slot.name, tensor = child}
    end
  end
  return each(list)
end

local function walk_modules(m, name, list)
  list[#list + 1] = {name = name, tensor = m}
  for key, child in m:children() do
    walk_modules(child, name == "" and key or name .. "." .. key, list)
  end
  return list
end

--- for path, module in m:modules() do: itself first, with path "".
---@example for name, m in model:modules() do print(name, m.name) end
function Module:modules() return each(walk_modules(self, "", {})) end

--- Calls f(module) for all modules inside, then for this one. Returns it.
---@param f function
---@example model:apply(function(m) m.seen = 1 end)
function Module:apply(f)
  for _, child in self:children() do child:apply(f) end
  f(self)
  return self
end

-- --- modes -----------------------------------------------------------------

--- Training mode (batch statistics, dropout) on or off, everywhere inside.
---@param on? boolean true unless given
---@example model:train()
function Module:train(on)
  on = on ~= false
  for _, m in self:modules() do rawset(m, "training", on) end
  return self
end

--- Evaluation mode: the opposite of train().
---@example model:eval()
function Module:eval() return self:train(false) end

--- Whether the parameters inside are trained.
---@param on boolean
---@example model:requires_grad(true)
function Module:requires_grad(on)
  for _, t in self:named_parameters() do t:requires_grad(on) end
  return self
end

--- Forgets the gradients.
---@example model:zero_grad()
function Module:zero_grad()
  for _, t in self:named_parameters() do t:zero_grad() end
  return self
end

--- Moves parameters and buffers to a device.
---@param device string
---@example model:to "cpu"
function Module:to(device)
  local moved = {}
  walk_tensors(self, {"parameter", "buffer"}, "", function(_, t, owner, slot)
    local new = moved[t] or t:to(device)
    if new ~= t and slot.kind == "parameter" then
      new = nn.Parameter(new, {layout = slot.layout})
        :requires_grad(t:requires_grad())
    end
    moved[t] = new:keep()
    rawset(owner, slot.name, new)
  end)
  return self
end

return nn
